-- What the service keeps about its own requests.

-- A row is a request with an `Idempotency-Key`, and its answer (7 days; payouts for ever). Without an answer the request is under way.
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
-- Retention, the oldest first.
create index idempotency_keys_expiry_idx on idempotency_keys (expires_at) where expires_at is not null;

-- A row is a change that somebody made with a key, written in the transaction of the change. src/audit/actions.ts lists the actions and the
-- shape of each detail.
create table audit_log (
  id bigint generated always as identity,
  -- The clock and not the start of the transaction: a change that waited for a lock stands behind the one it waited for.
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  -- Null: it concerns no brand.
  brand_id text,
  subject text not null,
  detail jsonb not null default '{}',
  constraint audit_log_pkey primary key (id)
);
-- GET /v1/audit, the newest first: by object, whole, by brand, by actor, by action.
create index audit_log_subject_idx on audit_log (subject, at, id);
create index audit_log_at_idx on audit_log (at, id);
create index audit_log_brand_idx on audit_log (brand_id, at, id);
create index audit_log_actor_idx on audit_log (actor, at, id);
create index audit_log_action_idx on audit_log (action, at, id);

create trigger audit_log_append_only before update or delete on audit_log for each row execute function refuse_change();
create trigger audit_log_no_truncate before truncate on audit_log for each statement execute function refuse_change();

-- A row is a process that runs jobs of the work queue, with its last heartbeat. The jobs of one without a heartbeat are unlocked.
create table work_queue_workers (
  -- As in graphile_worker.jobs, locked_by.
  id text not null,
  seen_at timestamptz not null,
  constraint work_queue_workers_pkey primary key (id)
);
