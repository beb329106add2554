-- The middle page: which visitors get it, what it shows, and the steps people take on it.

-- What the brand wants for one link; null: as the table of ways says. A link's own 淘口令 goes before its product's.
alter table links
  add column way text,
  add column tao_code text,
  add constraint links_way_check check (way in ('direct', 'page'));
drop trigger links_version on links;
create trigger links_version before update of status, way on links for each row
  when (old.status is distinct from new.status or old.way is distinct from new.way) execute function raise_link_version();

-- A price that is shown says when it was taken: for what is registered already, that is when it was registered.
alter table products
  add column tao_code text,
  add column price_taken_at timestamptz;
update products set price_taken_at = products.created_at;
alter table products
  alter column price_taken_at set default now(),
  alter column price_taken_at set not null;

-- What brands and the operator want per app.
create table visit_ways (
  -- Null: the operator's, for every brand that has none of its own for the app.
  brand_id text,
  app text not null,
  way text not null,
  constraint visit_ways_key unique nulls not distinct (brand_id, app),
  constraint visit_ways_brand_fkey foreign key (brand_id) references brands (id),
  constraint visit_ways_app_check check (app ~ '^[a-z_]{1,32}$'),
  constraint visit_ways_way_check check (way in ('direct', 'page'))
);

-- Raises the version of every link that a statement may have changed, which tells every process. The operator's reach all links.
create function touch_links_of_visit_ways() returns trigger language plpgsql as $$
begin
  if exists (select from changed c where c.brand_id is null) then
    update links set version = version + 1;
  else
    update links set version = version + 1 where links.brand_id in (select c.brand_id from changed c);
  end if;
  return null;
end $$;
create trigger visit_ways_insert_touches_links after insert on visit_ways
  referencing new table as changed for each statement execute function touch_links_of_visit_ways();
create trigger visit_ways_update_touches_links after update on visit_ways
  referencing new table as changed for each statement execute function touch_links_of_visit_ways();
create trigger visit_ways_delete_touches_links after delete on visit_ways
  referencing old table as changed for each statement execute function touch_links_of_visit_ways();

-- How a click was answered: null by a redirect, 'page' by the middle page. No check: it would read every click there is while nobody can
-- write one, and the decoder lets nothing else through.
alter table clicks add column outcome text;

-- What people did on the middle page, each step of a click once. No person is in it.
create table click_steps (
  click_id text not null,
  step text not null,
  -- Of the click, which its id says.
  clicked_at timestamptz not null,
  stepped_at timestamptz not null,
  link_number bigint not null,
  brand_id text not null,
  product_id text not null,
  app text not null,
  os text not null,
  constraint click_steps_pkey primary key (click_id, step),
  constraint click_steps_step_check check (step in ('view', 'copy', 'open', 'continue'))
);
-- Level 5: steps on a product in a window.
create index click_steps_product_idx on click_steps (product_id, stepped_at);
-- Retention. Rows come nearly in the order of time, so a few bytes a range of pages do.
create index click_steps_time_idx on click_steps using brin (stepped_at);

-- The funnel: by link, Shanghai day of the click and app. 'shown' is raised with the clicks, the others with the steps.
create table step_rollups (
  link_number bigint not null,
  day date not null,
  app text not null,
  step text not null,
  brand_id text not null,
  steps bigint not null,
  constraint step_rollups_pkey primary key (link_number, day, app, step),
  constraint step_rollups_step_check check (step in ('shown', 'view', 'copy', 'open', 'continue'))
) with (fillfactor = 50);
