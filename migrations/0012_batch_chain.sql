-- A shard's batches are a chain: each is stored only directly after the one it was planned after. So a worker may send the next batch before it
-- knows what became of the one before, and Postgres refuses it where that one failed.
alter table click_writers add column batch bigint not null default 0;

-- Begins the transaction of a batch: holds the shard's row until COMMIT, and raises unless the latest batch is the one named.
create function follow_click_batch(of_shard integer, by_worker text, latest bigint, next bigint) returns void language plpgsql as $$
begin
  update click_writers w set batch = next where w.shard = of_shard and w.worker = by_worker and w.batch = latest;
  if not found then
    raise exception 'batch % is not the latest of shard %', latest, of_shard using errcode = 'object_not_in_prerequisite_state';
  end if;
end $$;
