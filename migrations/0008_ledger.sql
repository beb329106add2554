-- The ledger (分录): balanced, append-only entries. Every total is read from it.

-- A row is a journal entry: postings of one brand that were made together and sum to 0 fen. The journal is read in the order (posted_at, id);
-- the ids of entries that are posted together ascend.
create table journal_entries (
  id text not null,
  brand_id text not null,
  kind text not null,
  -- The clock and not the start of the transaction: who posts for an order holds its lock, so entries of an order stand in the order in which
  -- they were made, also where one transaction waited for another.
  posted_at timestamptz not null default clock_timestamp(),
  constraint journal_entries_pkey primary key (brand_id, id),
  constraint journal_entries_brand_fkey foreign key (brand_id) references brands (id),
  constraint journal_entries_kind_check check (
    kind in ('booking', 'release', 'payout_lock', 'payout_paid', 'payout_fail', 'receipt', 'write_off'))
);
-- The journal in its order, and a window of posting time.
create index journal_entries_posted_idx on journal_entries (posted_at, id);

create trigger journal_entries_append_only before update or delete on journal_entries for each row execute function refuse_change();
create trigger journal_entries_no_truncate before truncate on journal_entries for each statement execute function refuse_change();

-- A row is an order line (with one set of dimensions) that an entry touches: the dimensions at posting, and the change of the buyers' money.
create table entry_lines (
  entry_id text not null,
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
  constraint entry_lines_pkey primary key (brand_id, entry_id, position),
  constraint entry_lines_entry_fkey foreign key (brand_id, entry_id) references journal_entries (brand_id, id),
  constraint entry_lines_line_fkey foreign key (brand_id, line_id) references order_lines (brand_id, id),
  constraint entry_lines_order_fkey foreign key (brand_id, order_id) references orders (brand_id, id),
  constraint entry_lines_store_fkey foreign key (brand_id, store_id) references stores (brand_id, id),
  constraint entry_lines_product_fkey foreign key (brand_id, product_id) references products (brand_id, id),
  constraint entry_lines_link_fkey foreign key (brand_id, link_id) references links (brand_id, id),
  constraint entry_lines_influencer_fkey foreign key (influencer_id) references influencers (id),
  constraint entry_lines_agency_fkey foreign key (agency_payee_id) references payees (id)
);
-- Everything that is booked for a line.
create index entry_lines_line_idx on entry_lines (line_id);
-- Totals and lines of an influencer in a window of payment time; sales of a link.
create index entry_lines_influencer_idx on entry_lines (influencer_id, paid_at);
-- Totals and lines of a brand in a window of payment time.
create index entry_lines_brand_idx on entry_lines (brand_id, paid_at);

create trigger entry_lines_append_only before update or delete on entry_lines for each row execute function refuse_change();
create trigger entry_lines_no_truncate before truncate on entry_lines for each statement execute function refuse_change();

-- A row is a posting: one leg of an entry, debit positive.
create table postings (
  entry_id text not null,
  position integer not null,
  brand_id text not null,
  -- Null only where money moves without a line (a brand pays what it owes).
  line_position integer,
  payee_id text not null,
  account text not null,
  amount_fen bigint not null,
  -- Change of the commission lost to refunds, carried by the owing account beside the money.
  reversed_delta_fen bigint not null default 0,
  constraint postings_pkey primary key (brand_id, entry_id, position),
  constraint postings_entry_fkey foreign key (brand_id, entry_id) references journal_entries (brand_id, id),
  constraint postings_line_fkey foreign key (brand_id, entry_id, line_position) references entry_lines (brand_id, entry_id, position),
  constraint postings_payee_fkey foreign key (payee_id) references payees (id),
  constraint postings_account_check check (account in
    ('brand_owes', 'platform_owes', 'cash', 'pending', 'payable', 'in_payout', 'debt', 'fee_pending', 'fee_earned', 'written_off')),
  constraint postings_amount_check check (amount_fen <> 0 or reversed_delta_fen <> 0),
  constraint postings_reversed_check check (reversed_delta_fen = 0 or account in ('brand_owes', 'platform_owes'))
);
-- The balance of a payee.
create index postings_payee_idx on postings (payee_id, brand_id);

create trigger postings_append_only before update or delete on postings for each row execute function refuse_change();
create trigger postings_no_truncate before truncate on postings for each statement execute function refuse_change();

-- A row is an entry that a statement left with another sum than it found; it is looked at again at COMMIT. Empty outside of transactions.
create table unbalanced_entries (
  entry_id text not null,
  brand_id text not null,
  constraint unbalanced_entries_pkey primary key (brand_id, entry_id)
);

-- Postings are only ever added, so an entry balances at COMMIT exactly when the sums of what each statement added to it do. A statement whose
-- own postings sum to 0 for every entry leaves nothing to check; any other is checked at COMMIT, so an entry may be written row by row. Once
-- a statement instead of once a row: a batch of orders posts a hundred entries with one statement.
create function note_unbalanced_entries() returns trigger language plpgsql as $$
begin
  insert into unbalanced_entries (brand_id, entry_id)
  select added.brand_id, added.entry_id from added group by added.brand_id, added.entry_id having sum(added.amount_fen) <> 0
  on conflict on constraint unbalanced_entries_pkey do nothing;
  return null;
end $$;
create trigger postings_balanced after insert on postings
  referencing new table as added for each statement execute function note_unbalanced_entries();

create function check_unbalanced_entry() returns trigger language plpgsql as $$
declare
  difference bigint;
begin
  select coalesce(sum(postings.amount_fen), 0) into difference
  from postings where postings.brand_id = new.brand_id and postings.entry_id = new.entry_id;
  if difference <> 0 then
    raise exception 'journal entry % does not balance: % fen', new.entry_id, difference
      using errcode = 'check_violation', constraint = 'postings_balanced';
  end if;
  delete from unbalanced_entries where unbalanced_entries.brand_id = new.brand_id and unbalanced_entries.entry_id = new.entry_id;
  return null;
end $$;
create constraint trigger unbalanced_entries_checked after insert on unbalanced_entries
  deferrable initially deferred for each row execute function check_unbalanced_entry();

-- A row is the seal of a committed entry: a gap-free number per brand, a time, and a hash chained to the seal before.
create table entry_seals (
  brand_id text not null,
  sequence bigint not null,
  entry_id text not null,
  sealed_at timestamptz not null,
  hash bytea not null,
  constraint entry_seals_pkey primary key (brand_id, sequence),
  -- An entry is sealed once; also serves what was sealed as of an instant.
  constraint entry_seals_entry_key unique (brand_id, entry_id),
  constraint entry_seals_entry_fkey foreign key (brand_id, entry_id) references journal_entries (brand_id, id),
  constraint entry_seals_sequence_check check (sequence >= 1)
);

create trigger entry_seals_append_only before update or delete on entry_seals for each row execute function refuse_change();
create trigger entry_seals_no_truncate before truncate on entry_seals for each statement execute function refuse_change();

-- A row is an entry that the sealer has yet to seal: added in the posting transaction, deleted by the sealer, which takes them in the order
-- (posted_at, entry_id).
create table seal_queue (
  entry_id text not null,
  brand_id text not null,
  posted_at timestamptz not null,
  constraint seal_queue_pkey primary key (brand_id, entry_id)
);

create function queue_entries_for_seal() returns trigger language plpgsql as $$
begin
  insert into seal_queue (entry_id, brand_id, posted_at) select posted.id, posted.brand_id, posted.posted_at from posted;
  return null;
end $$;
create trigger journal_entries_queue_for_seal after insert on journal_entries
  referencing new table as posted for each statement execute function queue_entries_for_seal();

-- The one row: everything committed before sealed_through is sealed, and no later seal will carry an earlier time.
create table sealer_state (
  singleton boolean not null default true,
  sealed_through timestamptz not null,
  constraint sealer_state_pkey primary key (singleton),
  constraint sealer_state_singleton_check check (singleton)
);

-- A row is a posting of a line with its share of each figure that finance reads, fen. This is the one place in SQL that says what an account
-- means; totals, lines, balances, orders and statistics add these columns up. In the sums of any scope:
-- commission = pending + payable + in payout + paid out − debt. The operator's fee counts as pending while it waits and as payable once it is
-- earned. Paid out is what left a line for good: the sum of its own accounts; cash and written-off losses are kept beside them. A posting
-- without a line (a brand pays what it owes) moves no commission and has no row. The view only projects and filters, so a reader's joins and
-- conditions reach the table and its indexes. `core/money/accounts.ts` says the same in TypeScript, because it decides; a test compares the two.
create view posting_figures as
select p.brand_id, p.entry_id, p.position, p.line_position, p.payee_id,
  case when p.account in ('brand_owes', 'platform_owes') then p.amount_fen else 0 end as commission_fen,
  case when p.account in ('pending', 'fee_pending') then -p.amount_fen else 0 end as pending_fen,
  case when p.account in ('payable', 'fee_earned') then -p.amount_fen else 0 end as payable_fen,
  case when p.account = 'in_payout' then -p.amount_fen else 0 end as in_payout_fen,
  case when p.account not in ('cash', 'written_off') then p.amount_fen else 0 end as paid_out_fen,
  case when p.account = 'debt' then p.amount_fen else 0 end as debt_fen,
  p.reversed_delta_fen as reversed_fen
from postings p
where p.line_position is not null;

-- The stage of a line, from the sums of its figures: the one where money is nearest to the payee and still on its way. A function and not a
-- column of a view, because the sums differ with the reader (the whole line, or a payee's leg) and with the instant (as of a seal).
create function line_stage(pending_fen numeric, payable_fen numeric, in_payout_fen numeric, paid_out_fen numeric) returns text
  language sql immutable parallel safe
  return case when in_payout_fen > 0 then 'in_payout' when payable_fen > 0 then 'payable' when pending_fen > 0 then 'pending'
    when paid_out_fen > 0 then 'paid' else 'none' end;
