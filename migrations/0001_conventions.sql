-- What holds for every table, and the two things that all of them need.
--
-- Brands. A brand is the tenant. A table that a brand owns has `brand_id` as the first column of its primary key, of its unique constraints
-- and of every foreign key to another table that a brand owns. So no row can point into another brand, and a distribution key or row-level
-- security by brand can be added without changing a key. A lookup that knows only an id has a plain index on that id.
-- Global are: brands, payees, influencers and their agencies, API keys, link codes, clicks and their counts, and the service tables. Two keys
-- of brands' tables are global on purpose: `stores_active_shop_key` and `links_number_key`; each says why.
--
-- Order. No meaning hangs on a sequence. "Newest" and "oldest" are decided by a timestamp; an id only breaks ties.
--
-- Units. Money is fen in a bigint named `_fen`, rates are basis points in an integer named `_bp`, instants are timestamptz named `_at`.

-- Lets an exclusion constraint compare a text beside a time range: it refuses two versions that overlap.
create extension if not exists btree_gist;

-- Trigger function of tables to which rows are only added.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $$;
