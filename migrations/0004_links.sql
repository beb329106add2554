-- Short links, the codes that name them, what their visitors are shown, and the evidence leased to influencers.

-- A row is a short link: one influencer promotes one product.
create table links (
  id text not null,
  -- Five bytes of every click id, so it is global, small and dense. It names a link and orders nothing.
  number bigint generated always as identity,
  brand_id text not null,
  product_id text not null,
  influencer_id text not null,
  status text not null default 'active',
  -- What the brand wants for this link; null: as the overrides and the table of landing modes say.
  landing_mode text,
  -- The link's own 淘口令; it goes before the product's.
  tao_code text,
  -- Rises with every change that can change the answer of a redirect; a cache entry is replaced only by a newer version.
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  constraint links_pkey primary key (brand_id, id),
  -- Global, because a click id holds nothing else of the link.
  constraint links_number_key unique (number),
  -- One link per pair: issuing is idempotent by this constraint, also under concurrency.
  constraint links_pair_key unique (brand_id, product_id, influencer_id),
  constraint links_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint links_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint links_status_check check (status in ('active', 'paused')),
  constraint links_landing_mode_check check (landing_mode in ('direct', 'page')),
  constraint links_number_check check (number < 1099511627776)
);
-- A link by its id alone: redirects, joins from codes and clicks.
create index links_id_idx on links (id);
-- The links of a product: the search for clicks, and the rise of their versions when the product changes.
create index links_product_idx on links (product_id);
-- An influencer's links, the newest first.
create index links_influencer_idx on links (influencer_id, created_at desc, id desc);
-- An admin's list of all links, the newest first.
create index links_created_idx on links (created_at desc, id desc);

create function raise_link_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end $$;
create trigger links_version before update of status, landing_mode on links for each row
  when (old.status is distinct from new.status or old.landing_mode is distinct from new.landing_mode)
  execute function raise_link_version();

-- Notifies every process in the transaction that changes the link. The version is sent along, so that a process can refuse what was read
-- before the change.
create function notify_link_change() returns trigger language plpgsql as $$
begin
  perform pg_notify('links_changed', new.id || ' ' || new.version);
  return null;
end $$;
create trigger links_notify after update on links for each row
  when (old.version is distinct from new.version) execute function notify_link_change();

-- The other changes that can change a redirect raise the version of every link concerned.
create function touch_links_of_product() returns trigger language plpgsql as $$
begin
  update links set version = version + 1 where links.product_id = new.id;
  return null;
end $$;
create trigger products_touch_links after update on products for each row
  when (old.url is distinct from new.url or old.status is distinct from new.status)
  execute function touch_links_of_product();

create function touch_links_of_store() returns trigger language plpgsql as $$
begin
  update links set version = version + 1
  from products where products.store_id = new.id and links.product_id = products.id;
  return null;
end $$;
create trigger stores_touch_links after update on stores for each row
  when (old.status is distinct from new.status or old.platform is distinct from new.platform)
  execute function touch_links_of_store();

create function touch_links_of_influencer() returns trigger language plpgsql as $$
begin
  update links set version = version + 1 where links.influencer_id = new.id;
  return null;
end $$;
create trigger influencers_touch_links after update on influencers for each row
  when (old.status is distinct from new.status) execute function touch_links_of_influencer();

-- A row is a code or an alias of a link. Both share one name space over all brands. A code that was in a video once is never given to another
-- link, so rows are never changed or deleted.
create table link_codes (
  code text not null,
  link_id text not null,
  brand_id text not null,
  kind text not null,
  created_at timestamptz not null default now(),
  constraint link_codes_pkey primary key (code),
  constraint link_codes_link_fkey foreign key (brand_id, link_id) references links (brand_id, id),
  constraint link_codes_kind_check check (kind in ('code', 'alias')),
  constraint link_codes_shape_check check (code ~ '^[a-z0-9-]{4,32}$')
);
-- The code and the aliases of a link.
create index link_codes_link_idx on link_codes (link_id);
-- A link has one generated code.
create unique index link_codes_one_code_key on link_codes (link_id) where kind = 'code';

create trigger link_codes_append_only before update or delete on link_codes for each row execute function refuse_change();
create trigger link_codes_no_truncate before truncate on link_codes for each statement execute function refuse_change();

-- Notifies processes that remember an alias as unknown.
create function notify_link_code() returns trigger language plpgsql as $$
begin
  perform pg_notify('links_changed', 'code:' || new.code);
  return null;
end $$;
create trigger link_codes_notify after insert on link_codes for each row execute function notify_link_code();

-- A row is the landing mode that a brand wants for one app instead of the usual one. brand_id null: the operator's, for every brand without
-- an override of its own for the app. Every process reads the table again every four seconds, so a change announces nothing.
create table landing_mode_overrides (
  brand_id text,
  app text not null,
  landing_mode text not null,
  constraint landing_mode_overrides_key unique nulls not distinct (brand_id, app),
  constraint landing_mode_overrides_brand_fkey foreign key (brand_id) references brands (id),
  constraint landing_mode_overrides_app_check check (app ~ '^[a-z_]{1,32}$'),
  constraint landing_mode_overrides_mode_check check (landing_mode in ('direct', 'page'))
);

-- A row is a host under which short links are reached. A host that is blocked somewhere goes on answering.
create table entry_domains (
  host text not null,
  -- The order in which hosts are shown.
  position integer not null,
  state text not null,
  note text not null,
  changed_at timestamptz not null default now(),
  constraint entry_domains_pkey primary key (host),
  constraint entry_domains_host_check check (host ~ '^[a-z0-9.-]{1,253}(:[0-9]{1,5})?$'),
  constraint entry_domains_state_check check (state in ('healthy', 'suspect', 'blocked'))
);

-- A row is the influencer that a tracking slot (推广位) belongs to for ever. The leases below come and go, and their foreign key refuses
-- every other influencer.
create table tracking_slot_owners (
  store_id text not null,
  kind text not null,
  external_id text not null,
  influencer_id text not null,
  brand_id text not null,
  constraint tracking_slot_owners_pkey primary key (brand_id, store_id, kind, external_id),
  constraint tracking_slot_owners_lease_key unique (brand_id, store_id, kind, external_id, influencer_id),
  constraint tracking_slot_owners_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint tracking_slot_owners_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint tracking_slot_owners_kind_check check (kind in ('adzone', 'sls', 'relation'))
);

-- A row is a lease of a tracking slot to its influencer, for a product or for the whole store, from one time to another.
create table tracking_slots (
  id text not null,
  brand_id text not null,
  store_id text not null,
  kind text not null,
  external_id text not null,
  influencer_id text not null,
  product_id text,
  valid_from timestamptz not null default now(),
  valid_to timestamptz,
  created_at timestamptz not null default now(),
  constraint tracking_slots_pkey primary key (brand_id, id),
  constraint tracking_slots_owner_fkey foreign key (brand_id, store_id, kind, external_id, influencer_id)
    references tracking_slot_owners (brand_id, store_id, kind, external_id, influencer_id),
  constraint tracking_slots_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  -- An adzone names one influencer and one product; the other kinds name an influencer.
  constraint tracking_slots_adzone_check check (kind <> 'adzone' or product_id is not null),
  constraint tracking_slots_range_check check (valid_to is null or valid_to > valid_from),
  -- Also serves the lookup of all leases of a slot.
  constraint tracking_slots_no_overlap exclude using gist
    (brand_id with =, store_id with =, kind with =, external_id with =, tstzrange(valid_from, valid_to) with &&)
);
-- A lease by its id alone; an admin's whole list.
create index tracking_slots_id_idx on tracking_slots (id);
-- The salesman leased to the influencer of a link, at every redirect that Postgres answers.
create index tracking_slots_influencer_idx on tracking_slots (influencer_id, store_id);

create function touch_links_of_slot() returns trigger language plpgsql as $$
begin
  update links set version = version + 1
  from products
  where products.store_id = new.store_id and links.product_id = products.id and links.influencer_id = new.influencer_id
    and (new.product_id is null or links.product_id = new.product_id);
  return null;
end $$;
create trigger tracking_slots_touch_links after insert or update on tracking_slots for each row execute function touch_links_of_slot();

-- A row is the influencer that a coupon code belongs to for ever, as for tracking slots.
create table coupon_owners (
  store_id text not null,
  code text not null,
  influencer_id text not null,
  brand_id text not null,
  constraint coupon_owners_pkey primary key (brand_id, store_id, code),
  constraint coupon_owners_lease_key unique (brand_id, store_id, code, influencer_id),
  constraint coupon_owners_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint coupon_owners_influencer_fkey foreign key (influencer_id) references influencers (id)
);

-- A row is a time during which a coupon code credits its influencer.
create table coupons (
  id text not null,
  brand_id text not null,
  store_id text not null,
  code text not null,
  influencer_id text not null,
  valid_from timestamptz not null default now(),
  valid_to timestamptz,
  created_at timestamptz not null default now(),
  constraint coupons_pkey primary key (brand_id, id),
  constraint coupons_owner_fkey foreign key (brand_id, store_id, code, influencer_id)
    references coupon_owners (brand_id, store_id, code, influencer_id),
  constraint coupons_range_check check (valid_to is null or valid_to > valid_from),
  -- Also serves the lookup of all times of a code.
  constraint coupons_no_overlap exclude using gist
    (brand_id with =, store_id with =, code with =, tstzrange(valid_from, valid_to) with &&)
);
-- A coupon by its id alone; an admin's whole list.
create index coupons_id_idx on coupons (id);

-- A row is a change of the status of a link, a product or an influencer. Attribution reads the status at a moment in the past. Only triggers
-- write it, so that no path forgets it.
create table status_changes (
  id bigint generated always as identity,
  subject_id text not null,
  status text not null,
  changed_at timestamptz not null default clock_timestamp(),
  constraint status_changes_pkey primary key (id)
);
-- The latest change of a subject up to an instant.
create index status_changes_subject_idx on status_changes (subject_id, changed_at, id);

create function record_status_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' or old.status is distinct from new.status then
    insert into status_changes (subject_id, status) values (new.id, new.status);
  end if;
  return null;
end $$;
create trigger links_status_history after insert or update of status on links for each row execute function record_status_change();
create trigger products_status_history after insert or update of status on products for each row execute function record_status_change();
create trigger influencers_status_history after insert or update of status on influencers for each row execute function record_status_change();
