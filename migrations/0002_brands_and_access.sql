-- Tenants, the people they work with, and who may call the API.

-- A row is a brand: the tenant that owns stores and products and owes commissions.
create table brands (
  id text not null,
  name text not null,
  -- What visitors of a dead link get, in this order.
  fallbacks text[] not null default '{}',
  -- A page of the brand on a marketplace we serve; checked when it is set and again when a visitor is answered.
  page_url text,
  created_at timestamptz not null default now(),
  constraint brands_pkey primary key (id),
  constraint brands_name_check check (length(name) between 1 and 200),
  constraint brands_fallbacks_check check (
    fallbacks <@ array['same_product', 'brand_page', 'other_products'] and cardinality(fallbacks) <= 3)
);

-- A row is a version of a brand's matching policy and platform fee. The version in force when an order was created decides for that order.
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
  constraint brand_policies_pkey primary key (brand_id, id),
  constraint brand_policies_brand_fkey foreign key (brand_id) references brands (id),
  constraint brand_policies_inferred_check check (inferred in ('pay', 'review', 'off')),
  constraint brand_policies_scope_check check (scope in ('product', 'store')),
  constraint brand_policies_fee_check check (platform_fee_bp between 0 and 9000),
  constraint brand_policies_range_check check (valid_to is null or valid_to > valid_from),
  -- Also serves the lookup of a brand's versions.
  constraint brand_policies_no_overlap exclude using gist (brand_id with =, tstzrange(valid_from, valid_to) with &&)
);

-- A row is somebody who is paid: an influencer, an agency, or the operator of the platform.
create table payees (
  id text not null,
  kind text not null,
  name text not null,
  created_at timestamptz not null default now(),
  constraint payees_pkey primary key (id),
  constraint payees_kind_check check (kind in ('influencer', 'agency', 'operator'))
);
-- The operator is a payee like any other: the platform fee is a leg of a line.
insert into payees (id, kind, name) values ('pye_operator', 'operator', 'daihuo operator');

-- A row is an influencer (达人), who promotes products of any brand.
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

-- A row is a version of an agency's share of an influencer's commissions: part of the split that is copied onto a line.
-- agency_payee_id null: no agency from then on.
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
  -- Also serves the lookup of an influencer's versions.
  constraint influencer_agencies_no_overlap exclude using gist (influencer_id with =, tstzrange(valid_from, valid_to) with &&)
);

-- A row is an API key: its hash, its role, and the brand or influencer that it is confined to.
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
  -- Serves the lookup at every request.
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
