import assert from 'node:assert/strict';
import type { Queryable, Tx } from '../../infra/db.ts';

export type PayeeKind = 'influencer' | 'agency' | 'operator';

export interface PayeeRow {
  id: string;
  kind: PayeeKind;
  name: string;
  createdAt: Date;
}

// The id is new.
const INSERT_PAYEE = `
insert into payees (id, kind, name) values ($1, $2, $3)
returning payees.id, payees.kind, payees.name, payees.created_at as "createdAt"`;

export async function insertPayee(
  tx: Queryable,
  payee: { id: string; kind: PayeeKind; name: string },
): Promise<PayeeRow> {
  const values = [payee.id, payee.kind, payee.name];
  const { rows } = await tx.query<PayeeRow>({ name: 'insert_payee', text: INSERT_PAYEE, values });
  const [row] = rows;
  assert(row !== undefined, 'an insert without a conflict clause returns its row');
  return row;
}

// Served by payees_pkey.
const FIND_AGENCY = `
select p.id from payees p where p.id = $1 and p.kind = 'agency'`;

/** Whether a payee exists and is an agency. Payees are never deleted and never change their kind, so the answer stays true. */
export async function isAgency(tx: Tx, payeeId: string): Promise<boolean> {
  const { rows } = await tx.query({ name: 'find_agency', text: FIND_AGENCY, values: [payeeId] });
  return rows.length === 1;
}

// In order of id, after $2. Served by payees_pkey.
const LIST_PAYEES = `
select p.id, p.kind, p.name, p.created_at as "createdAt"
from payees p
where ($1::text is null or p.kind = $1) and ($2::text is null or p.id > $2)
order by p.id
limit $3`;

export async function listPayees(
  db: Queryable,
  page: { kind: PayeeKind | undefined; afterId: string | undefined; limit: number },
): Promise<PayeeRow[]> {
  const values = [page.kind ?? null, page.afterId ?? null, page.limit];
  const { rows } = await db.query<PayeeRow>({ name: 'list_payees', text: LIST_PAYEES, values });
  return rows;
}
