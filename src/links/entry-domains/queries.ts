import type { DomainState } from '../../core/vocabulary.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

export interface EntryDomain {
  /** Lower case, with a port where it is not the default of the scheme. */
  host: string;
  state: DomainState;
  note: string;
}

export interface EntryDomainRow extends EntryDomain {
  changedAt: Date;
}

// In the order in which hosts are shown. At most 50 rows.
const LIST_ENTRY_DOMAINS = `
select d.host, d.state, d.note, d.changed_at as "changedAt" from entry_domains d order by d.position, d.host`;

export async function listEntryDomains(db: Queryable): Promise<EntryDomainRow[]> {
  const { rows } = await db.query<EntryDomainRow>({ name: 'list_entry_domains', text: LIST_ENTRY_DOMAINS });
  return rows;
}

// Serializes replacements, so that the stored list is always one that was sent. Readers do not wait.
const LOCK_ENTRY_DOMAINS = `
lock table entry_domains in share row exclusive mode`;

const DELETE_OTHER_DOMAINS = `
delete from entry_domains d where d.host <> all ($1::text[])`;

// `changed_at` changes only where state or note changes. Served by entry_domains_pkey.
const PUT_ENTRY_DOMAINS = `
insert into entry_domains as d (host, position, state, note)
select input.host, input.position, input.state, input.note
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as input (host, state, note, position)
on conflict on constraint entry_domains_pkey do update
set position = excluded.position, state = excluded.state, note = excluded.note,
  changed_at = case when (d.state, d.note) is distinct from (excluded.state, excluded.note) then now() else d.changed_at end`;

/** Replaces the list, which holds from the end of the transaction on. @returns the list as it was */
export async function replaceEntryDomains(tx: Tx, domains: readonly EntryDomain[]): Promise<EntryDomain[]> {
  const hosts = domains.map(({ host }) => host);
  const values = [hosts, domains.map(({ state }) => state), domains.map(({ note }) => note)];
  await tx.query({ name: 'lock_entry_domains', text: LOCK_ENTRY_DOMAINS });
  const before = await listEntryDomains(tx);
  await tx.query({ name: 'delete_other_domains', text: DELETE_OTHER_DOMAINS, values: [hosts] });
  await tx.query({ name: 'put_entry_domains', text: PUT_ENTRY_DOMAINS, values });
  return before.map(({ host, state, note }) => ({ host, state, note }));
}
