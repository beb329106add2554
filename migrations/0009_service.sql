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

-- A row is something that was changed by hand: a decision, terms in the past, a key.
create table audit_log (
  id bigint generated always as identity,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  -- Null: it concerns no brand.
  brand_id text,
  subject text not null,
  detail jsonb not null default '{}',
  constraint audit_log_pkey primary key (id)
);
-- What was done to a subject, in its order.
create index audit_log_subject_idx on audit_log (subject, at, id);

create trigger audit_log_append_only before update or delete on audit_log for each row execute function refuse_change();
create trigger audit_log_no_truncate before truncate on audit_log for each statement execute function refuse_change();
