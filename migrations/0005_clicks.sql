-- Clicks, their counts, and how workers share the streams they come from. All of it is global: a click is known by its id and its link.

-- A row is one request through a link, with its verdict. Partitioned by Shanghai month of clicked_at; old partitions are dropped whole.
create table clicks (
  click_id text not null,
  -- The millisecond that stands in the click id.
  clicked_at timestamptz not null,
  link_number bigint not null,
  brand_id text not null,
  link_id text not null,
  product_id text not null,
  influencer_id text not null,
  tag text,
  -- `inactive`: a person's visit to a link that was paused or gone. Kept and shown, never counted, evidence of nothing.
  verdict text not null,
  visitor bytea not null,
  app text,
  os text,
  province text,
  -- How the click was answered: null by a redirect, 'page' by the middle page.
  outcome text,
  ingested_at timestamptz not null default now(),
  constraint clicks_pkey primary key (click_id, clicked_at),
  constraint clicks_verdict_check check (
    verdict in ('counted', 'repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner', 'inactive'))
) partition by range (clicked_at);
-- Levels 5 and 6: the clicks on a product in a window.
create index clicks_product_idx on clicks (product_id, clicked_at);
-- The repeat decision and level 6: the clicks of a link in a window.
create index clicks_link_idx on clicks (link_number, clicked_at);

create trigger clicks_append_only before update or delete on clicks for each row execute function refuse_change();
create trigger clicks_no_truncate before truncate on clicks for each statement execute function refuse_change();

-- Makes the partitions from the Shanghai month of `from_at` to `months_ahead` later, where they are missing; answers how many it made. Any
-- number of processes may call it at any time.
create function ensure_click_partitions(from_at timestamptz, months_ahead integer) returns integer language plpgsql as $$
declare
  first_month timestamp := date_trunc('month', from_at at time zone 'Asia/Shanghai');
  month_start timestamp;
  made integer := 0;
  partition_name text;
begin
  perform pg_advisory_xact_lock(hashtextextended('ensure_click_partitions', 0));
  for offset_months in 0..months_ahead loop
    month_start := first_month + make_interval(months => offset_months);
    partition_name := 'clicks_' || to_char(month_start, 'YYYY_MM');
    if to_regclass(partition_name) is null then
      execute format('create table %I partition of clicks for values from (%L) to (%L)', partition_name,
        month_start at time zone 'Asia/Shanghai', (month_start + interval '1 month') at time zone 'Asia/Shanghai');
      execute format('create trigger clicks_no_truncate before truncate on %I for each statement execute function refuse_change()', partition_name);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
select ensure_click_partitions(now() - interval '1 month', 3);

-- A row counts the clicks of a link in a Shanghai hour by verdict and tag. Raised in the transaction that inserts the clicks, by the rows
-- that were really inserted.
create table click_rollups (
  link_number bigint not null,
  hour timestamptz not null,
  verdict text not null,
  tag text not null default '',
  brand_id text not null,
  clicks bigint not null,
  -- First counted click of a visitor on this link this day: the sum over several days is the sum of daily uniques.
  uniques bigint not null,
  constraint click_rollups_pkey primary key (link_number, hour, verdict, tag)
) with (fillfactor = 50); -- Rows are updated many times; with room on the page neither the index nor the table grows by it.

-- A row is a visitor with a counted click on a link on a day, needed as long as the day key lives. A visit is 64 bits of visitor and link:
-- a visitor is no more than 64 bits of a hash, and an index of half the size is half the work.
create table click_visits (
  day date not null,
  visit bigint not null,
  -- Of the latest counted click. A later click is told from a repeat by it, without a look into `clicks`.
  last_counted_at timestamptz not null,
  constraint click_visits_pkey primary key (day, visit)
) with (fillfactor = 90);

-- A row is the random key of the visitor hash for one Shanghai day. Deleted after two days, which makes older hashes anonymous.
create table visitor_day_keys (
  day date not null,
  key bytea not null,
  constraint visitor_day_keys_pkey primary key (day),
  constraint visitor_day_keys_key_check check (octet_length(key) = 16)
);

-- A row is a step that was taken on the middle page of a click, each step once. It holds nothing about the person.
create table click_steps (
  click_id text not null,
  step text not null,
  -- Of the click, as its id says.
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
-- Level 5: the steps on a product in a window.
create index click_steps_product_idx on click_steps (product_id, stepped_at);
-- Retention. Rows come nearly in the order of time, so a few bytes a range of pages are enough.
create index click_steps_time_idx on click_steps using brin (stepped_at);

-- A row counts the steps of a link by Shanghai day of the click and app: the funnel. 'shown' is raised with the clicks, the others with the
-- steps.
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

-- A row is something that could not be stored as a click, with the reason: nothing that was accepted is dropped.
create table click_dead_letters (
  id bigint generated always as identity,
  stream text not null,
  entry_id text not null,
  line integer not null,
  payload text not null,
  reason text not null,
  recorded_at timestamptz not null default now(),
  constraint click_dead_letters_pkey primary key (id),
  -- An entry that is delivered again writes nothing new.
  constraint click_dead_letters_entry_key unique (stream, entry_id, line)
);

-- A row is a shard of the streams: every click of it made before drained_to is in Postgres. Attribution levels 5 and 6 wait for all of them.
create table click_watermarks (
  shard integer not null,
  drained_to timestamptz not null,
  constraint click_watermarks_pkey primary key (shard)
);

-- A row is a local spool with clicks that Redis did not take in time. Attribution levels 5 and 6 wait for it as for the streams: a click that
-- is not in Postgres yet could be the one they look for. Written by the process that holds the spool.
create table click_spools (
  -- Name of the spool's folder: time, process, random.
  spool_id text not null,
  -- No click of this spool that Postgres may lack is older.
  oldest_at timestamptz not null,
  -- Set once everything is in the streams. The row is no longer needed when every shard's watermark has passed this instant.
  sent_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint click_spools_pkey primary key (spool_id)
);

-- A row is a worker that stores clicks; it renews seen_at every second while it lives.
create table click_workers (
  worker text not null,
  seen_at timestamptz not null,
  constraint click_workers_pkey primary key (worker)
);

-- A row is the lease of a shard: the worker that consumes it. A lease that is not renewed ends by the clock of Postgres, whether its worker is
-- dead, stopped or cut off.
create table click_leases (
  shard integer not null,
  worker text not null,
  leased_until timestamptz not null,
  constraint click_leases_pkey primary key (shard)
);

-- A row is the worker that stored the latest batch of a shard, with the token of that batch. The worker holds the row while it stores, so the
-- batches of a shard are stored one after the other.
create table click_writers (
  shard integer not null,
  worker text not null,
  -- Each batch names the token that it was planned after, and is refused where another batch was stored since. So a worker may send the next
  -- batch before it knows what became of the one before.
  fencing_token bigint not null default 0,
  constraint click_writers_pkey primary key (shard)
);

-- Begins the transaction of a batch: holds the shard's row until COMMIT, and raises unless the token of the latest batch is the one given.
create function advance_fencing_token(of_shard integer, by_worker text, latest_token bigint, next_token bigint) returns void
language plpgsql as $$
begin
  update click_writers w set fencing_token = next_token
  where w.shard = of_shard and w.worker = by_worker and w.fencing_token = latest_token;
  if not found then
    raise exception 'token % is not the latest of shard %', latest_token, of_shard using errcode = 'object_not_in_prerequisite_state';
  end if;
end $$;
