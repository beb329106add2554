-- Messages in, the facts read from them, and the orders folded from the facts.

-- A row is a verified message. Its key is unique per store and source for ever: the only referee of "already seen".
create table inbox_messages (
  id bigint generated always as identity,
  brand_id text not null,
  store_id text not null,
  source text not null,
  message_key text not null,
  body_sha256 bytea not null,
  message_type text not null,
  -- `supplementary`: evidence for known orders, from a source that makes no money facts. `quarantined`: verified but not understood, or
  -- evidence for orders that are not known.
  outcome text not null,
  reason text,
  received_at timestamptz not null default now(),
  constraint inbox_messages_pkey primary key (brand_id, id),
  constraint inbox_messages_key unique (brand_id, store_id, source, message_key),
  constraint inbox_messages_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint inbox_messages_source_check check (source in ('youzan', 'shop', 'tbk')),
  constraint inbox_messages_outcome_check check (outcome in ('applied', 'supplementary', 'ignored', 'quarantined'))
);
-- The operator's list of quarantined messages, the newest first.
create index inbox_messages_quarantine_idx on inbox_messages (received_at, id) where outcome = 'quarantined';

create trigger inbox_messages_append_only before update or delete on inbox_messages for each row execute function refuse_change();
create trigger inbox_messages_no_truncate before truncate on inbox_messages for each statement execute function refuse_change();

-- A row is the bytes of a message as received, sealed, for 30 days: the only place where personal data of buyers may stand. Retention deletes
-- it, so it is a table of its own.
create table raw_messages (
  message_id bigint not null,
  brand_id text not null,
  sealed_body bytea not null,
  received_at timestamptz not null default now(),
  constraint raw_messages_pkey primary key (brand_id, message_id),
  constraint raw_messages_message_fkey foreign key (brand_id, message_id) references inbox_messages (brand_id, id)
);
-- Retention, the oldest first.
create index raw_messages_age_idx on raw_messages (received_at);

-- A row is a message key that came again with other content: kept as evidence, alarmed, without effect.
create table message_conflicts (
  id bigint generated always as identity,
  message_id bigint not null,
  brand_id text not null,
  body_sha256 bytea not null,
  received_at timestamptz not null default now(),
  constraint message_conflicts_pkey primary key (brand_id, id),
  -- Repeats of the same other content are one row.
  constraint message_conflicts_key unique (brand_id, message_id, body_sha256),
  constraint message_conflicts_message_fkey foreign key (brand_id, message_id) references inbox_messages (brand_id, id)
);

-- A row is an order of a store, as its facts say. Without created_at only evidence from another source names it: it is no order yet.
create table orders (
  id text not null,
  brand_id text not null,
  store_id text not null,
  external_order_id text not null,
  status text not null default 'created',
  created_at timestamptz,
  paid_at timestamptz,
  received_at timestamptz,
  closed_at timestamptz,
  first_seen_at timestamptz not null default now(),
  constraint orders_pkey primary key (brand_id, id),
  constraint orders_external_key unique (brand_id, store_id, external_order_id),
  constraint orders_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint orders_status_check check (status in ('created', 'paid', 'received', 'closed'))
);
-- An order by its id alone: the API, locks of the sweep and of releases.
create index orders_id_idx on orders (id);
-- A brand's orders in a window of payment time.
create index orders_brand_paid_idx on orders (brand_id, paid_at);
-- All orders in a window of payment time.
create index orders_paid_idx on orders (paid_at);

-- A row is a fact about an order, normalised and without personal data: what replay reads.
create table order_events (
  brand_id text not null,
  message_id bigint not null,
  -- Of the event in its message.
  position integer not null,
  order_id text not null,
  type text not null,
  version bigint not null,
  occurred_at timestamptz not null,
  fingerprint bytea not null,
  -- false: the store's orders come from another source, so this event may give evidence to lines but makes no money facts.
  makes_facts boolean not null,
  event jsonb not null,
  recorded_at timestamptz not null default now(),
  constraint order_events_pkey primary key (brand_id, message_id, position),
  constraint order_events_order_fkey foreign key (brand_id, order_id) references orders (brand_id, id),
  constraint order_events_message_fkey foreign key (brand_id, message_id) references inbox_messages (brand_id, id),
  constraint order_events_type_check check (type in
    ('created', 'paid', 'received', 'settled', 'closed', 'refunded', 'refund_requested', 'refund_closed'))
);
-- The facts of an order, the oldest first.
create index order_events_order_idx on order_events (order_id, recorded_at);

create trigger order_events_append_only before update or delete on order_events for each row execute function refuse_change();
create trigger order_events_no_truncate before truncate on order_events for each statement execute function refuse_change();

-- A row is a line (子订单) of an order, as its facts say. Money is per line. A line that was known once is never deleted.
create table order_lines (
  id text not null,
  brand_id text not null,
  order_id text not null,
  external_line_id text not null,
  product_id text,
  item_keys text[] not null,
  quantity bigint not null,
  paid_fen bigint not null,
  refunded_fen bigint not null,
  refund_excess_fen bigint not null,
  closed boolean not null,
  refund_open boolean not null,
  received_at timestamptz,
  first_seen_at timestamptz not null default now(),
  -- When this line's receipt reached us: a receipt that arrives late waits a day before it can be released.
  received_seen_at timestamptz,
  constraint order_lines_pkey primary key (brand_id, id),
  constraint order_lines_external_key unique (brand_id, order_id, external_line_id),
  constraint order_lines_order_fkey foreign key (brand_id, order_id) references orders (brand_id, id),
  constraint order_lines_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint order_lines_quantity_check check (quantity >= 0),
  constraint order_lines_paid_check check (paid_fen >= 0),
  constraint order_lines_refunded_check check (refunded_fen between 0 and paid_fen),
  constraint order_lines_excess_check check (refund_excess_fen >= 0)
);
-- A line by its id alone: the API, and what is attributed, priced and decided of lines whose brand the caller does not know.
create index order_lines_id_idx on order_lines (id);
