-- Where visitors go whose link leads nowhere now: what each brand chose, and how such a click is kept.

alter table brands
  add column fallbacks text[] not null default '{}',
  -- A shop page of the brand's own on a marketplace we serve; checked when it is set and again when a visitor is answered.
  add column page_url text,
  add constraint brands_fallbacks_check check (fallbacks <@ array['same_product', 'brand_page', 'other_products'] and cardinality(fallbacks) <= 3);

alter table products
  add column alternate_product_id text,
  add constraint products_alternate_fkey foreign key (alternate_product_id, brand_id) references products (id, brand_id),
  add constraint products_alternate_check check (alternate_product_id <> id);
-- The same item in other stores of the brand.
create index products_same_item_idx on products (brand_id, external_item_id) where external_item_id is not null;

-- `inactive`: a person's visit to a link that was paused or gone. Kept and shown, never counted, evidence of nothing. Every row that is
-- there keeps to the wider rule, so no partition is read.
alter table clicks drop constraint clicks_verdict_check;
alter table clicks add constraint clicks_verdict_check
  check (verdict in ('counted', 'repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner', 'inactive')) not valid;

-- Hosts under which short links are reached, in the order in which they are shown. A host that is blocked somewhere goes on answering.
create table entry_domains (
  host text not null,
  position integer not null,
  state text not null,
  note text not null,
  changed_at timestamptz not null default now(),
  constraint entry_domains_pkey primary key (host),
  constraint entry_domains_host_check check (host ~ '^[a-z0-9.-]{1,253}(:[0-9]{1,5})?$'),
  constraint entry_domains_state_check check (state in ('healthy', 'suspect', 'blocked'))
);
