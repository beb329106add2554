-- Clicks that lie in a local spool because Redis did not take them in time. Attribution levels 5 and 6 wait for them as for the streams: what
-- is not in Postgres yet could be the click they look for. One row a spool, written by the process that holds it.
create table click_spools (
  -- Name of the spool's folder: time, process, random.
  spool_id text not null,
  -- No click of this spool that Postgres may lack is older.
  oldest_at timestamptz not null,
  -- Set once everything is in the streams: the row has done its duty when every shard's watermark has passed this instant.
  sent_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint click_spools_pkey primary key (spool_id)
);
