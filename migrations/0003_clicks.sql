-- Clicks: one row a request, partitioned by month of clicked_at, append-only; old partitions are dropped whole.
create table clicks (
  click_id text not null,
  clicked_at timestamptz not null,
  link_number bigint not null,
  brand_id text not null,
  link_id text not null,
  product_id text not null,
  influencer_id text not null,
  tag text,
  verdict text not null,
  visitor bytea not null,
  app text,
  os text,
  province text,
  ingested_at timestamptz not null default now(),
  constraint clicks_pkey primary key (click_id, clicked_at),
  constraint clicks_verdict_check check (verdict in ('counted', 'repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner'))
) partition by range (clicked_at);
-- Levels 5 and 6: clicks on a product in a window. The repeat decision and statistics: clicks of a link in a window.
create index clicks_product_idx on clicks (product_id, clicked_at);
create index clicks_link_idx on clicks (link_number, clicked_at);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $$;
-- A code or alias that was in a video once is never given to another link.
create trigger link_codes_append_only before update or delete on link_codes for each row execute function refuse_change();
create trigger link_codes_no_truncate before truncate on link_codes for each statement execute function refuse_change();
create trigger clicks_append_only before update or delete on clicks for each row execute function refuse_change();
create trigger clicks_no_truncate before truncate on clicks for each statement execute function refuse_change();

-- Makes the monthly partitions (Asia/Shanghai months) from this instant's month to months_ahead later. Safe to call again and by several processes.
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

-- Counts by link, Shanghai-hour and verdict, raised in the transaction that inserts the clicks, from the rows really inserted.
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
);

-- Which visitors a link has counted on a day; needed only as long as the day key lives.
create table click_visitors (
  day date not null,
  link_number bigint not null,
  visitor bytea not null,
  constraint click_visitors_pkey primary key (day, link_number, visitor)
);

-- Random keys of the visitor hash, one a Shanghai day; deleted after two days, which makes older hashes anonymous.
create table visitor_day_keys (
  day date not null,
  key bytea not null,
  constraint visitor_day_keys_pkey primary key (day),
  constraint visitor_day_keys_key_check check (octet_length(key) = 16)
);

-- What could not be ingested, with the reason: nothing accepted is dropped.
create table click_dead_letters (
  id bigint generated always as identity,
  stream text not null,
  entry_id text not null,
  line integer not null,
  payload text not null,
  reason text not null,
  recorded_at timestamptz not null default now(),
  constraint click_dead_letters_pkey primary key (id),
  constraint click_dead_letters_entry_key unique (stream, entry_id, line)
);

-- Per stream shard: every click made before drained_to is in Postgres. Attribution levels 5 and 6 wait for it.
create table click_watermarks (
  shard integer not null,
  drained_to timestamptz not null,
  constraint click_watermarks_pkey primary key (shard)
);
