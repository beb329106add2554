-- What the worker finds out beside products: their pictures, made small for the middle page, and whether their destinations still exist.

-- The picture of a product's image_url. A row exists where the product has an image_url, and is about that very address: both are kept so by a
-- trigger, so that no way of saving a product forgets it and no picture of an earlier address is ever shown.
create table product_pictures (
  product_id text not null,
  brand_id text not null,
  source_url text not null,
  -- Of bytes, lower-case hex: the name it is served under.
  sha256 text,
  bytes bytea,
  width integer,
  height integer,
  media_type text,
  fetched_at timestamptz,
  tries integer not null default 0,
  -- While a try is under way, when it counts as lost. Null: nothing is left to do.
  next_try_at timestamptz default now(),
  -- Why the last try gave no picture.
  problem text,
  constraint product_pictures_pkey primary key (product_id),
  constraint product_pictures_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint product_pictures_sha256_check check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint product_pictures_size_check check (octet_length(bytes) between 1 and 61440),
  constraint product_pictures_media_type_check check (media_type = 'image/webp'),
  constraint product_pictures_whole_check check (
    num_nulls(sha256, bytes, width, height, media_type, fetched_at) in (0, 6))
);
create index product_pictures_due_idx on product_pictures (next_try_at) where next_try_at is not null;
-- Several products may show one picture.
create index product_pictures_sha256_idx on product_pictures (sha256) where sha256 is not null;
-- WebP does not get smaller.
alter table product_pictures alter column bytes set storage external;

create function want_product_picture() returns trigger language plpgsql as $$
begin
  if new.image_url is null then
    delete from product_pictures where product_pictures.product_id = new.id;
  else
    insert into product_pictures (product_id, brand_id, source_url) values (new.id, new.brand_id, new.image_url)
    on conflict on constraint product_pictures_pkey do update
    set source_url = excluded.source_url, sha256 = null, bytes = null, width = null, height = null, media_type = null, fetched_at = null,
      tries = 0, next_try_at = now(), problem = null;
  end if;
  return null;
end $$;
create trigger products_want_picture after insert on products for each row
  when (new.image_url is not null) execute function want_product_picture();
create trigger products_change_picture after update of image_url on products for each row
  when (old.image_url is distinct from new.image_url) execute function want_product_picture();

insert into product_pictures (product_id, brand_id, source_url)
select p.id, p.brand_id, p.image_url from products p where p.image_url is not null;

-- What is known of the destination of a product that visitors are sent to. A row is about the product's present URL: it goes when that changes.
create table destination_checks (
  product_id text not null,
  brand_id text not null,
  -- The host of the URL, by which checks are paced.
  host text not null,
  -- When a worker last took it to check.
  taken_at timestamptz,
  -- While a check is under way, when it counts as lost.
  next_check_at timestamptz not null default now(),
  checked_at timestamptz,
  outcome text,
  -- The HTTP status behind the outcome, where there was an answer.
  status integer,
  -- Which clear fact the last failure was; stays beside later outcomes that say nothing.
  failure text,
  failures integer not null default 0,
  first_failed_at timestamptz,
  last_failed_at timestamptz,
  broken_since timestamptz,
  constraint destination_checks_pkey primary key (product_id),
  constraint destination_checks_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint destination_checks_outcome_check check (outcome in ('reachable', 'missing', 'unknown')),
  constraint destination_checks_failure_check check (failure in ('not_found', 'gone', 'item_missing', 'no_such_host')),
  constraint destination_checks_count_check check (
    failures >= 0 and (failures = 0) = (first_failed_at is null) and (failures = 0) = (last_failed_at is null)
    and (failures = 0) = (failure is null) and (failures > 0 or broken_since is null))
);
create index destination_checks_due_idx on destination_checks (next_check_at);
create index destination_checks_taken_idx on destination_checks (taken_at);

create function forget_destination_check() returns trigger language plpgsql as $$
begin
  delete from destination_checks where destination_checks.product_id = new.id;
  return null;
end $$;
create trigger products_forget_destination_check after update of url on products for each row
  when (old.url is distinct from new.url) execute function forget_destination_check();
