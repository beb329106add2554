-- Which link earned a line, what a person decided about it, and the terms it is priced by.

-- A row is the attribution (归因) of a line: what the ladder, or a person, says. Rewritten whole whenever evidence changes.
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
  -- When the sweep looks at the line again: it waits for clicks, or is unmatched inside the window.
  retry_at timestamptz,
  -- Later evidence that disagrees with a line already payable or decided: a review item, never a change.
  dispute jsonb,
  constraint attributions_pkey primary key (brand_id, line_id),
  constraint attributions_line_fkey foreign key (brand_id, line_id) references order_lines (brand_id, id),
  constraint attributions_link_fkey foreign key (brand_id, link_id) references links (brand_id, id),
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
-- The lines that the sweep should look at, the longest due first.
create index attributions_retry_idx on attributions (retry_at) where retry_at is not null;
-- A brand's orders with a line in review, or unmatched.
create index attributions_state_idx on attributions (brand_id, state);

-- A row is a person's decision about a line: it outranks every level and stands until it is undone. At most one stands per line.
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
  -- The clock and not the start of the transaction: deciders wait for the order's row, and the last one is the newest.
  decided_at timestamptz not null default clock_timestamp(),
  undone_by text,
  undone_at timestamptz,
  constraint line_decisions_pkey primary key (brand_id, id),
  constraint line_decisions_line_fkey foreign key (brand_id, line_id) references order_lines (brand_id, id),
  constraint line_decisions_link_fkey foreign key (brand_id, link_id) references links (brand_id, id),
  constraint line_decisions_overruled_fkey foreign key (brand_id, overruled_link_id) references links (brand_id, id),
  constraint line_decisions_kind_check check ((kind = 'assign' and link_id is not null) or (kind = 'reject' and link_id is null)),
  constraint line_decisions_undone_check check ((undone_by is null) = (undone_at is null))
);
-- One decision stands per line; also serves its lookup.
create unique index line_decisions_standing_key on line_decisions (brand_id, line_id) where undone_at is null;
-- Every decision about a line, the oldest first.
create index line_decisions_line_idx on line_decisions (brand_id, line_id, decided_at, id);

-- A row is a priced line: the terms that a line was first booked with, copied, and what time and people have done to it since (release, hold).
create table priced_lines (
  line_id text not null,
  brand_id text not null,
  -- What the terms were chosen by; while these stay the same the copy is never taken again.
  terms_id text not null,
  product_id text not null,
  influencer_id text not null,
  order_created_at timestamptz not null,
  -- The copy.
  basis text not null,
  rate_bp integer,
  flat_fen bigint,
  window_days integer not null,
  hold_days integer not null,
  platform_fee_bp integer not null,
  agency_payee_id text,
  agency_share_bp integer not null,
  influencer_payee_id text not null,
  priced_at timestamptz not null default now(),
  -- When the hold of the terms is over, known once the line was received.
  payable_at timestamptz,
  released_at timestamptz,
  -- A person's hold: the line is not released while it is set.
  hold_note text,
  hold_by text,
  constraint priced_lines_pkey primary key (brand_id, line_id),
  constraint priced_lines_line_fkey foreign key (brand_id, line_id) references order_lines (brand_id, id),
  constraint priced_lines_terms_fkey foreign key (brand_id, terms_id) references terms (brand_id, id),
  constraint priced_lines_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint priced_lines_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint priced_lines_agency_fkey foreign key (agency_payee_id) references payees (id),
  constraint priced_lines_payee_fkey foreign key (influencer_payee_id) references payees (id),
  constraint priced_lines_rate_check check ((rate_bp is null) <> (flat_fen is null))
);
-- The lines whose hold is over, the longest due first.
create index priced_lines_due_idx on priced_lines (payable_at) where released_at is null and payable_at is not null;
