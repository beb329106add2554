-- Messages in, the facts read from them, the orders folded from the facts, and what a person or the ladder decided.

-- The event key is unique per (store, source) for ever: the only referee of "already seen".
create table inbox_messages (
  id bigint generated always as identity,
  brand_id text not null,
  store_id text not null,
  source text not null,
  message_key text not null,
  body_sha256 bytea not null,
  message_type text not null,
  outcome text not null,
  reason text,
  received_at timestamptz not null default now(),
  constraint inbox_messages_pkey primary key (id),
  constraint inbox_messages_brand_key unique (id, brand_id),
  constraint inbox_messages_key unique (store_id, source, message_key),
  constraint inbox_messages_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint inbox_messages_source_check check (source in ('youzan', 'shop', 'tbk')),
  constraint inbox_messages_outcome_check check (outcome in ('applied', 'lent', 'ignored', 'quarantined'))
);
create index inbox_messages_quarantine_idx on inbox_messages (brand_id, id) where outcome = 'quarantined';

-- The bytes as received, sealed, for 30 days: the only place where personal data of buyers may stand. Deleted by retention, so apart.
create table raw_messages (
  message_id bigint not null,
  brand_id text not null,
  sealed_body bytea not null,
  received_at timestamptz not null default now(),
  constraint raw_messages_pkey primary key (message_id),
  constraint raw_messages_message_fkey foreign key (message_id, brand_id) references inbox_messages (id, brand_id)
);
create index raw_messages_age_idx on raw_messages (received_at);

-- Same key, other content: kept as evidence, alarmed, without effect.
create table message_conflicts (
  id bigint generated always as identity,
  message_id bigint not null,
  brand_id text not null,
  body_sha256 bytea not null,
  received_at timestamptz not null default now(),
  constraint message_conflicts_pkey primary key (id),
  constraint message_conflicts_key unique (message_id, body_sha256),
  constraint message_conflicts_message_fkey foreign key (message_id, brand_id) references inbox_messages (id, brand_id)
);

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
  constraint orders_pkey primary key (id),
  constraint orders_brand_key unique (id, brand_id),
  constraint orders_external_key unique (store_id, external_order_id),
  constraint orders_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint orders_status_check check (status in ('created', 'paid', 'received', 'closed'))
);
create index orders_brand_paid_idx on orders (brand_id, paid_at);
create index orders_paid_idx on orders (paid_at);

create table order_events (
  id bigint generated always as identity,
  brand_id text not null,
  order_id text not null,
  message_id bigint not null,
  position integer not null,
  type text not null,
  version bigint not null,
  occurred_at timestamptz not null,
  fingerprint bytea not null,
  -- false: the store's orders come from another source, so this event may lend evidence to lines but makes no money facts.
  makes_facts boolean not null,
  -- The normalised event without personal data: what replay reads.
  event jsonb not null,
  recorded_at timestamptz not null default now(),
  constraint order_events_pkey primary key (id),
  constraint order_events_position_key unique (message_id, position),
  constraint order_events_order_fkey foreign key (order_id, brand_id) references orders (id, brand_id),
  constraint order_events_message_fkey foreign key (message_id, brand_id) references inbox_messages (id, brand_id),
  constraint order_events_type_check check (type in
    ('created', 'paid', 'received', 'settled', 'closed', 'refunded', 'refund_requested', 'refund_closed'))
);
create index order_events_order_idx on order_events (order_id, id);

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
  constraint order_lines_pkey primary key (id),
  constraint order_lines_brand_key unique (id, brand_id),
  constraint order_lines_external_key unique (order_id, external_line_id),
  constraint order_lines_order_fkey foreign key (order_id, brand_id) references orders (id, brand_id),
  constraint order_lines_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint order_lines_quantity_check check (quantity >= 0),
  constraint order_lines_paid_check check (paid_fen >= 0),
  constraint order_lines_refunded_check check (refunded_fen between 0 and paid_fen),
  constraint order_lines_excess_check check (refund_excess_fen >= 0)
);
create index order_lines_product_idx on order_lines (product_id);

-- What the ladder (or a person) says of a line. One row a line, rewritten whole whenever evidence changes.
create table attributions (
  line_id text not null,
  brand_id text not null,
  state text not null,
  method text,
  confidence text,
  link_id text,
  influencer_id text,
  click_id text,
  clicked_at timestamptz,
  tag text,
  reason text,
  candidates jsonb not null default '[]',
  decided_at timestamptz not null default now(),
  -- For lines the sweep should look at again (waiting for clicks, unmatched inside the window).
  retry_at timestamptz,
  -- Later evidence that disagrees with a line already payable or decided: a review item, never a change.
  dispute jsonb,
  constraint attributions_pkey primary key (line_id),
  constraint attributions_line_fkey foreign key (line_id, brand_id) references order_lines (id, brand_id),
  constraint attributions_link_fkey foreign key (link_id, brand_id) references links (id, brand_id),
  constraint attributions_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint attributions_state_check check (
    (state = 'matched' and method is not null and confidence is not null and link_id is not null and influencer_id is not null and reason is null)
    or (state in ('unmatched', 'review') and method is null and confidence is null and link_id is null and influencer_id is null and reason is not null)),
  constraint attributions_method_check check (method in
    ('manual', 'click_id', 'tracking_slot', 'relation', 'code', 'click_time', 'sole_candidate')),
  constraint attributions_confidence_check check (confidence in ('manual', 'exact', 'strong', 'inferred')),
  constraint attributions_reason_check check (reason in
    ('no_evidence', 'outside_window', 'order_before_click', 'ambiguous', 'other_product', 'wrong_brand', 'product_not_registered',
     'no_terms', 'policy_review', 'policy_off', 'conflict', 'waiting_for_clicks', 'rejected'))
);
create index attributions_retry_idx on attributions (retry_at) where retry_at is not null;
create index attributions_link_idx on attributions (link_id) where link_id is not null;
create index attributions_state_idx on attributions (brand_id, state);

-- A person's decision: outranks every level and sticks until undone. At most one stands per line.
create table line_decisions (
  id bigint generated always as identity,
  line_id text not null,
  brand_id text not null,
  kind text not null,
  link_id text,
  -- The link that evidence named when the person decided: overruled knowingly, so it is no dispute later.
  overruled_link_id text,
  note text not null,
  decided_by text not null,
  decided_at timestamptz not null default now(),
  undone_by text,
  undone_at timestamptz,
  constraint line_decisions_pkey primary key (id),
  constraint line_decisions_line_fkey foreign key (line_id, brand_id) references order_lines (id, brand_id),
  constraint line_decisions_link_fkey foreign key (link_id, brand_id) references links (id, brand_id),
  constraint line_decisions_overruled_fkey foreign key (overruled_link_id, brand_id) references links (id, brand_id),
  constraint line_decisions_kind_check check ((kind = 'assign' and link_id is not null) or (kind = 'reject' and link_id is null)),
  constraint line_decisions_undone_check check ((undone_by is null) = (undone_at is null))
);
create unique index line_decisions_standing_key on line_decisions (line_id) where undone_at is null;
create index line_decisions_line_idx on line_decisions (line_id, id);

create trigger inbox_messages_append_only before update or delete on inbox_messages for each row execute function refuse_change();
create trigger inbox_messages_no_truncate before truncate on inbox_messages for each statement execute function refuse_change();
create trigger order_events_append_only before update or delete on order_events for each row execute function refuse_change();
create trigger order_events_no_truncate before truncate on order_events for each statement execute function refuse_change();
