-- Short links, the codes that name them, and the evidence leased to influencers (tracking slots, coupons).

create table links (
  id text not null,
  -- Five bytes of every click id; small and dense, so clicks stay small.
  number bigint generated always as identity,
  brand_id text not null,
  product_id text not null,
  influencer_id text not null,
  status text not null default 'active',
  -- Rises with every change that can change the answer of a redirect; a cache entry is replaced only by a newer version.
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  constraint links_pkey primary key (id),
  constraint links_number_key unique (number),
  constraint links_brand_key unique (id, brand_id),
  -- One link per pair: issuing is idempotent by this constraint, also under concurrency.
  constraint links_pair_key unique (influencer_id, product_id),
  constraint links_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint links_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint links_status_check check (status in ('active', 'paused')),
  constraint links_number_check check (number < 1099511627776)
);
create index links_product_idx on links (product_id);
create index links_brand_idx on links (brand_id, id);
-- An influencer's links, the newest first.
create index links_influencer_idx on links (influencer_id, number desc);

-- Codes and aliases share one name space and are never deleted, so none is ever given twice.
create table link_codes (
  code text not null,
  link_id text not null,
  brand_id text not null,
  kind text not null,
  created_at timestamptz not null default now(),
  constraint link_codes_pkey primary key (code),
  constraint link_codes_link_fkey foreign key (link_id, brand_id) references links (id, brand_id),
  constraint link_codes_kind_check check (kind in ('code', 'alias')),
  constraint link_codes_shape_check check (code ~ '^[a-z0-9-]{4,32}$')
);
create index link_codes_link_idx on link_codes (link_id);
create unique index link_codes_one_code_key on link_codes (link_id) where kind = 'code';

-- A slot belongs to one influencer for ever; its leases to products or times come and go.
create table tracking_slot_owners (
  store_id text not null,
  kind text not null,
  external_id text not null,
  influencer_id text not null,
  brand_id text not null,
  constraint tracking_slot_owners_pkey primary key (store_id, kind, external_id),
  constraint tracking_slot_owners_lease_key unique (store_id, kind, external_id, influencer_id, brand_id),
  constraint tracking_slot_owners_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint tracking_slot_owners_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint tracking_slot_owners_kind_check check (kind in ('adzone', 'sls', 'relation'))
);

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
  constraint tracking_slots_pkey primary key (id),
  constraint tracking_slots_owner_fkey foreign key (store_id, kind, external_id, influencer_id, brand_id)
    references tracking_slot_owners (store_id, kind, external_id, influencer_id, brand_id),
  constraint tracking_slots_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  -- An adzone names one influencer and one product; the others name an influencer.
  constraint tracking_slots_adzone_check check (kind <> 'adzone' or product_id is not null),
  constraint tracking_slots_range_check check (valid_to is null or valid_to > valid_from),
  constraint tracking_slots_no_overlap exclude using gist
    (store_id with =, kind with =, external_id with =, tstzrange(valid_from, valid_to) with &&)
);
create index tracking_slots_influencer_idx on tracking_slots (influencer_id, store_id);
create index tracking_slots_brand_idx on tracking_slots (brand_id, id);

create table coupon_owners (
  store_id text not null,
  code text not null,
  influencer_id text not null,
  brand_id text not null,
  constraint coupon_owners_pkey primary key (store_id, code),
  constraint coupon_owners_lease_key unique (store_id, code, influencer_id, brand_id),
  constraint coupon_owners_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint coupon_owners_influencer_fkey foreign key (influencer_id) references influencers (id)
);

create table coupons (
  id text not null,
  brand_id text not null,
  store_id text not null,
  code text not null,
  influencer_id text not null,
  valid_from timestamptz not null default now(),
  valid_to timestamptz,
  created_at timestamptz not null default now(),
  constraint coupons_pkey primary key (id),
  constraint coupons_owner_fkey foreign key (store_id, code, influencer_id, brand_id)
    references coupon_owners (store_id, code, influencer_id, brand_id),
  constraint coupons_range_check check (valid_to is null or valid_to > valid_from),
  constraint coupons_no_overlap exclude using gist (store_id with =, code with =, tstzrange(valid_from, valid_to) with &&)
);
create index coupons_brand_idx on coupons (brand_id, id);

-- When a link, product or influencer was active: attribution asks it of the past. Written by triggers only, so no path forgets it.
create table status_changes (
  id bigint generated always as identity,
  subject_id text not null,
  status text not null,
  changed_at timestamptz not null default clock_timestamp(),
  constraint status_changes_pkey primary key (id)
);
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

-- Any change that can change a redirect raises links.version and tells every process in the same transaction.
create function announce_link() returns trigger language plpgsql as $$
begin
  -- The version goes along, so that whoever is told can refuse what others read before the change.
  perform pg_notify('links_changed', new.id || ' ' || new.version);
  return null;
end $$;
create trigger links_announce after update on links for each row
  when (old.version is distinct from new.version) execute function announce_link();

create function raise_link_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end $$;
create trigger links_version before update of status on links for each row
  when (old.status is distinct from new.status) execute function raise_link_version();

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

create function touch_links_of_slot() returns trigger language plpgsql as $$
begin
  update links set version = version + 1
  from products
  where products.store_id = new.store_id and links.product_id = products.id and links.influencer_id = new.influencer_id
    and (new.product_id is null or links.product_id = new.product_id);
  return null;
end $$;
create trigger tracking_slots_touch_links after insert or update on tracking_slots for each row execute function touch_links_of_slot();

-- An alias added to a link must reach processes that remember the alias as unknown.
create function announce_code() returns trigger language plpgsql as $$
begin
  perform pg_notify('links_changed', 'code:' || new.code);
  return null;
end $$;
create trigger link_codes_announce after insert on link_codes for each row execute function announce_code();
