-- What brands offer: stores, products, and the commission on them.

-- A row is a shop on one platform. A shop may be registered again after its row was closed.
create table stores (
  id text not null,
  brand_id text not null,
  platform text not null,
  external_shop_id text not null,
  name text not null,
  -- The one source whose messages make money facts.
  order_source text not null,
  status text not null default 'active',
  webhook_secret_sealed bytea not null,
  youzan_client_id text,
  youzan_client_secret_sealed bytea,
  created_at timestamptz not null default now(),
  constraint stores_pkey primary key (brand_id, id),
  constraint stores_brand_fkey foreign key (brand_id) references brands (id),
  constraint stores_platform_check check (platform in ('taobao', 'tmall', 'youzan')),
  constraint stores_order_source_check check (order_source in ('youzan', 'shop', 'tbk')),
  constraint stores_status_check check (status in ('active', 'closed')),
  constraint stores_youzan_check check ((youzan_client_id is null) = (youzan_client_secret_sealed is null))
);
-- A shop belongs to one brand at a time, so this key is global. Also serves the store of a Youzan message, which names the shop only.
create unique index stores_active_shop_key on stores (platform, external_shop_id) where status = 'active';
-- A store by its id alone: hooks, joins from rows without the brand.
create index stores_id_idx on stores (id);
-- The store of a Youzan heartbeat, which names the client only.
create index stores_youzan_client_idx on stores (youzan_client_id) where youzan_client_id is not null;

-- A row is one statement about a store's rating or opening day. The newest of a kind counts; the others are its history.
create table store_assessments (
  id bigint generated always as identity,
  store_id text not null,
  brand_id text not null,
  kind text not null,
  score numeric,
  scale numeric,
  opened_on date,
  source text not null,
  recorded_by text not null,
  -- The clock and not the start of the transaction: writers wait for the store's row, and the last one is the newest.
  recorded_at timestamptz not null default clock_timestamp(),
  constraint store_assessments_pkey primary key (brand_id, id),
  constraint store_assessments_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint store_assessments_kind_check check (
    (kind = 'rating' and score is not null and scale is not null and opened_on is null and scale > 0 and score >= 0 and score <= scale)
    or (kind = 'opened_on' and opened_on is not null and score is null and scale is null)),
  constraint store_assessments_source_check check (source in ('declared', 'admin', 'platform'))
);
-- The newest of a kind.
create index store_assessments_newest_idx on store_assessments (store_id, kind, recorded_at desc, id desc);

-- A row is a product that a brand offers for promotion.
create table products (
  id text not null,
  brand_id text not null,
  store_id text not null,
  title text not null,
  url text not null,
  price_fen bigint not null,
  -- When the price was last given. A price that is shown says so.
  price_taken_at timestamptz not null default now(),
  external_item_id text,
  affiliate_item_id text,
  image_url text,
  tao_code text,
  -- The same product in another store of the brand, for visitors of a dead link.
  alternate_product_id text,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  constraint products_pkey primary key (brand_id, id),
  constraint products_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint products_alternate_fkey foreign key (brand_id, alternate_product_id) references products (brand_id, id),
  constraint products_alternate_check check (alternate_product_id <> id),
  constraint products_price_check check (price_fen between 0 and 9007199254740991),
  constraint products_status_check check (status in ('active', 'paused', 'off_sale'))
);
-- A product by its id alone: redirects, joins from links and clicks; an admin's whole list.
create index products_id_idx on products (id);
-- The products of a store.
create index products_store_idx on products (store_id, id);
-- The offer to influencers, the newest first.
create index products_offer_idx on products (created_at desc, id desc) where status = 'active';
-- The same item in other stores of the brand.
create index products_same_item_idx on products (brand_id, external_item_id) where external_item_id is not null;

-- A row is a name by which an order line may call a product (`item:600000000001`, `alias:2exampleali0001`). In a store, one name means one
-- product.
create table product_item_keys (
  store_id text not null,
  item_key text not null,
  product_id text not null,
  brand_id text not null,
  constraint product_item_keys_pkey primary key (brand_id, store_id, item_key),
  constraint product_item_keys_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint product_item_keys_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id)
);
-- The names of a product.
create index product_item_keys_product_idx on product_item_keys (product_id);

-- A row is the picture of a product's image_url, made small for the middle page. Triggers keep it about the present address, so that no way
-- of saving a product forgets it and no picture of an earlier address is shown.
create table product_pictures (
  product_id text not null,
  brand_id text not null,
  source_url text not null,
  -- Of bytes, lower-case hex: the name under which the picture is served.
  sha256 text,
  bytes bytea,
  width integer,
  height integer,
  media_type text,
  fetched_at timestamptz,
  -- Why the last try gave no picture.
  problem text,
  constraint product_pictures_pkey primary key (brand_id, product_id),
  constraint product_pictures_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint product_pictures_sha256_check check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint product_pictures_size_check check (octet_length(bytes) between 1 and 61440),
  constraint product_pictures_media_type_check check (media_type = 'image/webp'),
  constraint product_pictures_whole_check check (
    num_nulls(sha256, bytes, width, height, media_type, fetched_at) in (0, 6))
);
-- WebP does not get smaller, so Postgres need not try. (The storage of a column cannot be named in `create table` before Postgres 16.)
alter table product_pictures alter column bytes set storage external;
-- The bytes of a picture that a page asks for. Several products may show one picture.
create index product_pictures_sha256_idx on product_pictures (sha256) where sha256 is not null;

-- The work queue fetches the picture (src/catalog/products/pictures/fetch-picture.ts has the task). One job a product: a new address replaces
-- the job of the earlier one.
create function queue_product_picture() returns trigger language plpgsql as $$
begin
  if new.image_url is null then
    delete from product_pictures
    where product_pictures.brand_id = new.brand_id and product_pictures.product_id = new.id;
    perform graphile_worker.remove_job('product_picture:' || new.id);
  else
    insert into product_pictures (product_id, brand_id, source_url) values (new.id, new.brand_id, new.image_url)
    on conflict on constraint product_pictures_pkey do update
    set source_url = excluded.source_url, sha256 = null, bytes = null, width = null, height = null, media_type = null, fetched_at = null,
      problem = null;
    perform graphile_worker.add_job(
      'fetch_product_picture', json_build_object('brandId', new.brand_id, 'productId', new.id), job_key => 'product_picture:' || new.id);
  end if;
  return null;
end $$;
create trigger products_insert_queues_picture after insert on products for each row
  when (new.image_url is not null) execute function queue_product_picture();
create trigger products_update_queues_picture after update of image_url on products for each row
  when (old.image_url is distinct from new.image_url) execute function queue_product_picture();

-- A row is what is known of the destination of a product that visitors are sent to. It is about the product's present URL and is deleted when
-- that changes.
create table destination_checks (
  product_id text not null,
  brand_id text not null,
  -- The host of the URL; checks are paced by host.
  host text not null,
  -- When a worker last took the row to check it.
  taken_at timestamptz,
  -- While a check is under way, the time at which it counts as lost.
  next_check_at timestamptz not null default now(),
  checked_at timestamptz,
  outcome text,
  -- The HTTP status behind the outcome, where there was an answer.
  status integer,
  -- The clear fact behind the last failure; it stays beside later outcomes that say nothing.
  failure text,
  failures integer not null default 0,
  first_failed_at timestamptz,
  last_failed_at timestamptz,
  broken_since timestamptz,
  constraint destination_checks_pkey primary key (brand_id, product_id),
  constraint destination_checks_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint destination_checks_outcome_check check (outcome in ('reachable', 'missing', 'unknown')),
  constraint destination_checks_failure_check check (failure in ('not_found', 'gone', 'item_missing', 'no_such_host')),
  constraint destination_checks_count_check check (
    failures >= 0 and (failures = 0) = (first_failed_at is null) and (failures = 0) = (last_failed_at is null)
    and (failures = 0) = (failure is null) and (failures > 0 or broken_since is null))
);
-- The destinations to check, the longest due first.
create index destination_checks_due_idx on destination_checks (next_check_at);
-- What was taken of each host within the last minute.
create index destination_checks_taken_idx on destination_checks (taken_at);

create function delete_destination_check() returns trigger language plpgsql as $$
begin
  delete from destination_checks
  where destination_checks.brand_id = new.brand_id and destination_checks.product_id = new.id;
  return null;
end $$;
create trigger products_delete_destination_check after update of url on products for each row
  when (old.url is distinct from new.url) execute function delete_destination_check();

-- A row is a version of a commission rule (佣金规则). The most specific rule in force when an order was created prices its lines.
create table terms (
  id text not null,
  brand_id text not null,
  -- The scope in one text, so that the exclusion constraint can compare it: 'brand', 'store:<id>', 'product:<id>',
  -- 'influencer:<id>/store:<id>', 'influencer:<id>/product:<id>'.
  scope_key text not null,
  store_id text,
  product_id text,
  influencer_id text,
  basis text not null,
  rate_bp integer,
  flat_fen bigint,
  window_days integer not null,
  hold_days integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  constraint terms_pkey primary key (brand_id, id),
  constraint terms_brand_fkey foreign key (brand_id) references brands (id),
  constraint terms_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint terms_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint terms_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint terms_basis_check check (basis in ('order_amount', 'platform_commission')),
  constraint terms_rate_check check ((rate_bp is null) <> (flat_fen is null)),
  constraint terms_rate_range_check check (rate_bp between 0 and 9000),
  constraint terms_flat_check check (flat_fen between 0 and 9007199254740991),
  constraint terms_window_check check (window_days between 1 and 90),
  constraint terms_hold_check check (hold_days between 0 and 180),
  constraint terms_scope_check check (store_id is null or product_id is null),
  constraint terms_influencer_scope_check check (influencer_id is null or store_id is not null or product_id is not null),
  constraint terms_range_check check (valid_to is null or valid_to > valid_from),
  -- Also serves the lookup of a brand's versions by scope.
  constraint terms_no_overlap exclude using gist (brand_id with =, scope_key with =, tstzrange(valid_from, valid_to) with &&)
);
-- The rules of a product, and of a product for one influencer.
create index terms_product_idx on terms (product_id) where product_id is not null;
-- The rules of a store, and of a store for one influencer.
create index terms_store_idx on terms (store_id) where store_id is not null;
