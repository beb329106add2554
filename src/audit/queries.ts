import type { Tx } from '../infra/db.ts';

/** Something a person (or a key) did by hand that somebody may later ask about. */
export interface AuditEntry {
  /** Who: `actorOf(principal)`, or the command that ran. */
  actor: string;
  /** What, as noun.verb: `key.create`, `order_line.assign`. */
  action: string;
  brandId?: string;
  /** The id of what was changed. */
  subject: string;
  /** Before, after, the reason given; never a secret. Money as bigint becomes digits, dates become ISO texts. */
  detail: Readonly<Record<string, unknown>>;
}

// Adds one row, in the caller's transaction: the change and its trace stand or fall together. Rows are never changed.
const INSERT_AUDIT = `
  insert into audit_log (actor, action, brand_id, subject, detail)
  values ($1, $2, $3, $4, $5)`;

/** Writes an entry of the audit log in the same transaction as the change it tells of. */
export async function writeAudit(tx: Tx, entry: AuditEntry): Promise<void> {
  const detail = JSON.stringify(entry.detail, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  await tx.query(INSERT_AUDIT, [entry.actor, entry.action, entry.brandId ?? null, entry.subject, detail]);
}
