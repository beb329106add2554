-- Tenants, who may call, and what is on offer.
-- Every table a brand owns carries brand_id and is referenced through (id, brand_id), so a row can never point into another brand.
-- btree_gist lets an exclusion constraint compare a text key beside a time range: the referee of "versions never overlap".
create extension if not exists btree_gist;

create table payees (
  id text not null,
  kind text not null,
  name text not null,
  created_at timestamptz not null default now(),
  constraint payees_pkey primary key (id),
  constraint payees_kind_check check (kind in ('influencer', 'agency', 'operator'))
);
-- The platform operator is a payee like any other: its fee is a leg of a line.
insert into payees (id, kind, name) values ('pye_operator', 'operator', 'daihuo operator');

create table brands (
  id text not null,
  name text not null,
  created_at timestamptz not null default now(),
  constraint brands_pkey primary key (id),
  constraint brands_name_check check (length(name) between 1 and 200)
);

-- A brand's matching policy and platform fee, versioned like terms: what held when an order was created decides it for ever.
create table brand_policies (
  id text not null,
  brand_id text not null,
  inferred text not null,
  scope text not null,
  platform_fee_bp integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  constraint brand_policies_pkey primary key (id),
  constraint brand_policies_brand_fkey foreign key (brand_id) references brands (id),
  constraint brand_policies_inferred_check check (inferred in ('pay', 'review', 'off')),
  constraint brand_policies_scope_check check (scope in ('product', 'store')),
  constraint brand_policies_fee_check check (platform_fee_bp between 0 and 9000),
  constraint brand_policies_range_check check (valid_to is null or valid_to > valid_from),
  constraint brand_policies_no_overlap exclude using gist (brand_id with =, tstzrange(valid_from, valid_to) with &&)
);

create table influencers (
  id text not null,
  name text not null,
  code text not null,
  douyin_id text,
  tier text,
  payee_id text not null,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  constraint influencers_pkey primary key (id),
  constraint influencers_code_key unique (code),
  constraint influencers_payee_key unique (payee_id),
  constraint influencers_payee_fkey foreign key (payee_id) references payees (id),
  constraint influencers_status_check check (status in ('active', 'paused'))
);

-- An agency's share of an influencer's commissions, versioned: part of the frozen split of a line. payee null: no agency from then on.
create table influencer_agencies (
  id text not null,
  influencer_id text not null,
  agency_payee_id text,
  share_bp integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  constraint influencer_agencies_pkey primary key (id),
  constraint influencer_agencies_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint influencer_agencies_payee_fkey foreign key (agency_payee_id) references payees (id),
  constraint influencer_agencies_share_check check (share_bp between 0 and 10000 and (agency_payee_id is not null or share_bp = 0)),
  constraint influencer_agencies_range_check check (valid_to is null or valid_to > valid_from),
  constraint influencer_agencies_no_overlap exclude using gist (influencer_id with =, tstzrange(valid_from, valid_to) with &&)
);

create table api_keys (
  id text not null,
  role text not null,
  brand_id text,
  influencer_id text,
  label text not null,
  prefix text not null,
  hash bytea not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  constraint api_keys_pkey primary key (id),
  constraint api_keys_hash_key unique (hash),
  constraint api_keys_brand_fkey foreign key (brand_id) references brands (id),
  constraint api_keys_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint api_keys_role_check check (role in ('admin', 'brand', 'influencer', 'finance')),
  -- A brand key without its brand, or an influencer key without its influencer, would see everything or nothing.
  constraint api_keys_subject_check check (
    (role = 'brand' and brand_id is not null and influencer_id is null)
    or (role = 'influencer' and influencer_id is not null and brand_id is null)
    or (role = 'finance' and influencer_id is null)
    or (role = 'admin' and brand_id is null and influencer_id is null))
);

create table stores (
  id text not null,
  brand_id text not null,
  platform text not null,
  external_shop_id text not null,
  name text not null,
  order_source text not null,
  status text not null default 'active',
  webhook_secret_sealed bytea not null,
  youzan_client_id text,
  youzan_client_secret_sealed bytea,
  created_at timestamptz not null default now(),
  constraint stores_pkey primary key (id),
  constraint stores_brand_key unique (id, brand_id),
  constraint stores_brand_fkey foreign key (brand_id) references brands (id),
  constraint stores_platform_check check (platform in ('taobao', 'tmall', 'youzan')),
  constraint stores_order_source_check check (order_source in ('youzan', 'shop', 'tbk')),
  constraint stores_status_check check (status in ('active', 'closed')),
  constraint stores_youzan_check check ((youzan_client_id is null) = (youzan_client_secret_sealed is null))
);
create unique index stores_active_shop_key on stores (platform, external_shop_id) where status = 'active';
create index stores_brand_idx on stores (brand_id, id);
create index stores_youzan_client_idx on stores (youzan_client_id) where youzan_client_id is not null;

-- History of what is known of a store's quality: the newest row of a kind counts. Rows are only added.
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
  recorded_at timestamptz not null default now(),
  constraint store_assessments_pkey primary key (id),
  constraint store_assessments_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint store_assessments_kind_check check (
    (kind = 'rating' and score is not null and scale is not null and opened_on is null and scale > 0 and score >= 0 and score <= scale)
    or (kind = 'opened_on' and opened_on is not null and score is null and scale is null)),
  constraint store_assessments_source_check check (source in ('declared', 'admin', 'platform'))
);
create index store_assessments_newest_idx on store_assessments (store_id, kind, id desc);

create table products (
  id text not null,
  brand_id text not null,
  store_id text not null,
  title text not null,
  url text not null,
  price_fen bigint not null,
  external_item_id text,
  affiliate_item_id text,
  image_url text,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  constraint products_pkey primary key (id),
  constraint products_brand_key unique (id, brand_id),
  constraint products_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint products_price_check check (price_fen between 0 and 9007199254740991),
  constraint products_status_check check (status in ('active', 'paused', 'off_sale'))
);
create index products_store_idx on products (store_id, id);
create index products_brand_idx on products (brand_id, id);
-- The offer to influencers, the newest first.
create index products_offer_idx on products (created_at desc, id desc) where status = 'active';

-- Every name an order line may call a product by (`item:600000000001`, `alias:2exampleali0001`). One name, one product in a store.
create table product_item_keys (
  store_id text not null,
  item_key text not null,
  product_id text not null,
  brand_id text not null,
  constraint product_item_keys_pkey primary key (store_id, item_key),
  constraint product_item_keys_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint product_item_keys_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id)
);
create index product_item_keys_product_idx on product_item_keys (product_id);

-- Commission rules. scope_key names the scope in one text so that the exclusion constraint can compare it:
-- 'brand', 'store:<id>', 'product:<id>', 'influencer:<id>/store:<id>', 'influencer:<id>/product:<id>'.
create table terms (
  id text not null,
  brand_id text not null,
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
  constraint terms_pkey primary key (id),
  constraint terms_brand_key unique (id, brand_id),
  constraint terms_brand_fkey foreign key (brand_id) references brands (id),
  constraint terms_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint terms_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
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
  constraint terms_no_overlap exclude using gist (brand_id with =, scope_key with =, tstzrange(valid_from, valid_to) with &&)
);
create index terms_product_idx on terms (product_id) where product_id is not null;
create index terms_store_idx on terms (store_id) where store_id is not null;

-- Answers kept for `Idempotency-Key` (7 days; payouts for ever). A row without an answer is a request still under way.
create table idempotency_keys (
  key_id text not null,
  method text not null,
  path text not null,
  idempotency_key text not null,
  body_sha256 bytea not null,
  status integer,
  body text,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  constraint idempotency_keys_pkey primary key (key_id, method, path, idempotency_key)
);
create index idempotency_keys_expiry_idx on idempotency_keys (expires_at) where expires_at is not null;

-- Who changed what by hand: decisions, terms in the past, key creation. Rows are only added.
create table audit_log (
  id bigint generated always as identity,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  brand_id text,
  subject text not null,
  detail jsonb not null default '{}',
  constraint audit_log_pkey primary key (id)
);
create index audit_log_subject_idx on audit_log (subject, id);
