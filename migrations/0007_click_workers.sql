-- Workers share out the shards of the click streams, and store clicks without asking `clicks` about repeats.

-- Which workers live: each says so every second.
create table click_workers (
  worker text not null,
  seen_at timestamptz not null,
  constraint click_workers_pkey primary key (worker)
);

-- Who consumes a shard. A lease that is not renewed runs out by the clock of Postgres, whatever became of its worker: dead, stopped or cut off.
create table click_leases (
  shard integer not null,
  worker text not null,
  leased_until timestamptz not null,
  constraint click_leases_pkey primary key (shard)
);

-- Who stored the shard's latest batch. As long as that was the worker itself, what it knows of earlier batches is all there is to know. Whoever
-- stores holds the row: a shard's batches are stored one after the other.
create table click_writers (
  shard integer not null,
  worker text not null,
  constraint click_writers_pkey primary key (shard)
);

-- Who was counted on which link on a day, needed as long as the day key lives, and when last: what is not earlier needs no look into `clicks` to
-- be told from a repeat. A visit is 64 bits of visitor and link: a visitor is no more than 64 bits of a hash either, and half the size of the
-- index is half the work. It takes the place of click_visitors, which an older worker may still write; a later release drops that. On the day
-- of the upgrade a visitor of before and after it counts twice as unique.
create table click_visits (
  day date not null,
  visit bigint not null,
  last_counted_at timestamptz not null,
  constraint click_visits_pkey primary key (day, visit)
) with (fillfactor = 90);

-- Updated in place again and again; with room on the page neither index nor table grows by it.
alter table click_rollups set (fillfactor = 50);
