-- The journal's triggers run once a statement instead of once a row: a batch of orders posts a hundred journals with one statement. What
-- they promise stays the same.

-- Journals that a statement left with another sum than it found: looked at again at COMMIT. Empty outside of transactions.
create table journal_balance_checks (
  journal_id text not null,
  constraint journal_balance_checks_pkey primary key (journal_id)
);

-- Entries are only ever added, so a journal balances at COMMIT exactly when the sums of what each statement added to it do. A statement
-- whose own entries sum to 0 leaves nothing to check; any other is checked at COMMIT, so a journal may still be written row by row.
create function note_unbalanced_journals() returns trigger language plpgsql as $$
begin
  insert into journal_balance_checks (journal_id)
  select added.journal_id from added group by added.journal_id having sum(added.amount_fen) <> 0
  on conflict on constraint journal_balance_checks_pkey do nothing;
  return null;
end $$;

create function check_noted_journal() returns trigger language plpgsql as $$
declare
  difference bigint;
begin
  select coalesce(sum(journal_entries.amount_fen), 0) into difference
  from journal_entries where journal_entries.journal_id = new.journal_id;
  if difference <> 0 then
    raise exception 'journal % does not balance: % fen', new.journal_id, difference
      using errcode = 'check_violation', constraint = 'journal_entries_balanced';
  end if;
  delete from journal_balance_checks where journal_balance_checks.journal_id = new.journal_id;
  return null;
end $$;
create constraint trigger journal_balance_checks_balanced after insert on journal_balance_checks
  deferrable initially deferred for each row execute function check_noted_journal();

drop trigger journal_entries_balanced on journal_entries;
drop function check_journal_balance();
create trigger journal_entries_balanced after insert on journal_entries
  referencing new table as added for each statement execute function note_unbalanced_journals();

-- The same for the sealer's queue.
create or replace function queue_journal_for_seal() returns trigger language plpgsql as $$
begin
  insert into journal_seal_queue (journal_id, brand_id, number) select posted.id, posted.brand_id, posted.number from posted;
  return null;
end $$;
drop trigger journals_queue_for_seal on journals;
create trigger journals_queue_for_seal after insert on journals
  referencing new table as posted for each statement execute function queue_journal_for_seal();
