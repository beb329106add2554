-- The money: frozen terms and state of each line, and the journal that every total is read from.

-- The terms a line was first booked with, copied, and what time has done to it since (release, holds).
create table commission_lines (
  line_id text not null,
  brand_id text not null,
  -- What the terms were chosen by; while these stay the same the copy is never taken again.
  terms_id text not null,
  product_id text not null,
  influencer_id text not null,
  order_created_at timestamptz not null,
  basis text not null,
  rate_bp integer,
  flat_fen bigint,
  window_days integer not null,
  hold_days integer not null,
  platform_fee_bp integer not null,
  agency_payee_id text,
  agency_share_bp integer not null,
  influencer_payee_id text not null,
  payable_at timestamptz,
  released_at timestamptz,
  hold_note text,
  hold_by text,
  frozen_at timestamptz not null default now(),
  constraint commission_lines_pkey primary key (line_id),
  constraint commission_lines_line_fkey foreign key (line_id, brand_id) references order_lines (id, brand_id),
  constraint commission_lines_terms_fkey foreign key (terms_id, brand_id) references terms (id, brand_id),
  constraint commission_lines_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint commission_lines_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint commission_lines_agency_fkey foreign key (agency_payee_id) references payees (id),
  constraint commission_lines_payee_fkey foreign key (influencer_payee_id) references payees (id),
  constraint commission_lines_rate_check check ((rate_bp is null) <> (flat_fen is null))
);
create index commission_lines_due_idx on commission_lines (payable_at) where released_at is null and payable_at is not null;

create table journals (
  id text not null,
  number bigint generated always as identity,
  brand_id text not null,
  kind text not null,
  posted_at timestamptz not null default now(),
  constraint journals_pkey primary key (id),
  constraint journals_number_key unique (number),
  constraint journals_brand_key unique (id, brand_id),
  constraint journals_brand_fkey foreign key (brand_id) references brands (id),
  constraint journals_kind_check check (kind in ('booking', 'release', 'payout_lock', 'payout_paid', 'payout_fail', 'receipt', 'write_off'))
);

-- One row per line (and set of dimensions) a journal touches: the dimensions at posting and the change of the buyers' money.
create table journal_lines (
  journal_id text not null,
  position integer not null,
  brand_id text not null,
  line_id text not null,
  order_id text not null,
  store_id text not null,
  product_id text not null,
  platform text not null,
  link_id text not null,
  tag text,
  influencer_id text not null,
  agency_payee_id text,
  method text not null,
  paid_at timestamptz not null,
  lines_delta integer not null,
  paid_delta_fen bigint not null,
  refunded_delta_fen bigint not null,
  constraint journal_lines_pkey primary key (journal_id, position),
  constraint journal_lines_brand_key unique (journal_id, position, brand_id),
  constraint journal_lines_journal_fkey foreign key (journal_id, brand_id) references journals (id, brand_id),
  constraint journal_lines_line_fkey foreign key (line_id, brand_id) references order_lines (id, brand_id),
  constraint journal_lines_order_fkey foreign key (order_id, brand_id) references orders (id, brand_id),
  constraint journal_lines_store_fkey foreign key (store_id, brand_id) references stores (id, brand_id),
  constraint journal_lines_product_fkey foreign key (product_id, brand_id) references products (id, brand_id),
  constraint journal_lines_link_fkey foreign key (link_id, brand_id) references links (id, brand_id),
  constraint journal_lines_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint journal_lines_agency_fkey foreign key (agency_payee_id) references payees (id)
);
create index journal_lines_line_idx on journal_lines (line_id);
create index journal_lines_influencer_idx on journal_lines (influencer_id, paid_at);
create index journal_lines_brand_idx on journal_lines (brand_id, paid_at);

-- Debit positive. line_position is null only where money moves without a line (a brand pays what it owes).
create table journal_entries (
  journal_id text not null,
  position integer not null,
  brand_id text not null,
  line_position integer,
  payee_id text not null,
  account text not null,
  amount_fen bigint not null,
  -- Change of the commission lost to refunds, carried by the owing account beside the money.
  reversed_delta_fen bigint not null default 0,
  constraint journal_entries_pkey primary key (journal_id, position),
  constraint journal_entries_journal_fkey foreign key (journal_id, brand_id) references journals (id, brand_id),
  constraint journal_entries_line_fkey foreign key (journal_id, line_position, brand_id)
    references journal_lines (journal_id, position, brand_id),
  constraint journal_entries_payee_fkey foreign key (payee_id) references payees (id),
  constraint journal_entries_account_check check (account in
    ('brand_owes', 'platform_owes', 'cash', 'pending', 'payable', 'in_payout', 'debt', 'fee_pending', 'fee_earned', 'written_off')),
  constraint journal_entries_amount_check check (amount_fen <> 0 or reversed_delta_fen <> 0),
  constraint journal_entries_reversed_check check (reversed_delta_fen = 0 or account in ('brand_owes', 'platform_owes'))
);
create index journal_entries_payee_idx on journal_entries (payee_id, brand_id);

-- Checked at COMMIT, so a journal may be written row by row but can never stay unbalanced.
create function check_journal_balance() returns trigger language plpgsql as $$
declare
  difference bigint;
begin
  select coalesce(sum(journal_entries.amount_fen), 0) into difference
  from journal_entries where journal_entries.journal_id = new.journal_id;
  if difference <> 0 then
    raise exception 'journal % does not balance: % fen', new.journal_id, difference
      using errcode = 'check_violation', constraint = 'journal_entries_balanced';
  end if;
  return null;
end $$;
create constraint trigger journal_entries_balanced after insert on journal_entries
  deferrable initially deferred for each row execute function check_journal_balance();

-- Committed journals get a gap-free number per brand and a hash chained to the one before.
create table journal_seals (
  brand_id text not null,
  sequence bigint not null,
  journal_id text not null,
  sealed_at timestamptz not null,
  hash bytea not null,
  constraint journal_seals_pkey primary key (brand_id, sequence),
  constraint journal_seals_journal_key unique (journal_id),
  constraint journal_seals_journal_fkey foreign key (journal_id, brand_id) references journals (id, brand_id),
  constraint journal_seals_sequence_check check (sequence >= 1)
);

-- What the sealer has yet to seal: filled by trigger in the posting transaction, emptied by the sealer.
create table journal_seal_queue (
  journal_id text not null,
  brand_id text not null,
  number bigint not null,
  constraint journal_seal_queue_pkey primary key (journal_id)
);
create function queue_journal_for_seal() returns trigger language plpgsql as $$
begin
  insert into journal_seal_queue (journal_id, brand_id, number) values (new.id, new.brand_id, new.number);
  return null;
end $$;
create trigger journals_queue_for_seal after insert on journals for each row execute function queue_journal_for_seal();

-- One row: everything committed before sealed_through is sealed, and no later seal will carry an earlier time.
create table sealer_state (
  singleton boolean not null default true,
  sealed_through timestamptz not null,
  constraint sealer_state_pkey primary key (singleton),
  constraint sealer_state_singleton_check check (singleton)
);

create trigger journals_append_only before update or delete on journals for each row execute function refuse_change();
create trigger journals_no_truncate before truncate on journals for each statement execute function refuse_change();
create trigger journal_lines_append_only before update or delete on journal_lines for each row execute function refuse_change();
create trigger journal_lines_no_truncate before truncate on journal_lines for each statement execute function refuse_change();
create trigger journal_entries_append_only before update or delete on journal_entries for each row execute function refuse_change();
create trigger journal_entries_no_truncate before truncate on journal_entries for each statement execute function refuse_change();
create trigger journal_seals_append_only before update or delete on journal_seals for each row execute function refuse_change();
create trigger journal_seals_no_truncate before truncate on journal_seals for each statement execute function refuse_change();
create trigger audit_log_append_only before update or delete on audit_log for each row execute function refuse_change();
create trigger audit_log_no_truncate before truncate on audit_log for each statement execute function refuse_change();
