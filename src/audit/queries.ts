import type { Queryable, Tx } from '../infra/db.ts';

export interface NewAuditRow {
  actor: string;
  action: string;
  brandId: string | null;
  objectId: string;
  /** JSON text. */
  detail: string;
}

// Adds one row in the caller's transaction. Triggers refuse every change and deletion of a row.
const INSERT_AUDIT_ROW = `
insert into audit_log (actor, action, brand_id, subject, detail)
values ($1, $2, $3, $4, $5)`;

export async function insertAuditRow(tx: Tx, row: NewAuditRow): Promise<void> {
  const values = [row.actor, row.action, row.brandId, row.objectId, row.detail];
  await tx.query({ name: 'insert_audit_row', text: INSERT_AUDIT_ROW, values });
}

export interface AuditRow {
  id: bigint;
  at: Date;
  actor: string;
  /** The label of the API key; null for commands, for the environment's admin key, and for keys that are not the reading brand's. */
  actorLabel: string | null;
  action: string;
  objectId: string;
  brandId: string | null;
  brandName: string | null;
  detail: Record<string, unknown>;
  /** `at` with its microseconds, for the cursor. */
  cursorTime: string;
}

// Newest first, ties by id. $1 is the brand that the caller is confined to, null for none: it sees its own rows, and of labels only those of
// its own keys. Sent unnamed, so that it is planned with its values: each single filter, and none, is served by one of audit_log_at_idx,
// audit_log_brand_idx, audit_log_actor_idx, audit_log_action_idx and audit_log_subject_idx.
const LIST_AUDIT_ROWS = `
select a.id, a.at, a.actor, k.label as "actorLabel", a.action, a.subject as "objectId", a.brand_id as "brandId",
  b.name as "brandName", a.detail,
  to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "cursorTime"
from audit_log a
left join brands b on b.id = a.brand_id
left join api_keys k on k.id = split_part(a.actor, ':', 2) and ($1::text is null or k.brand_id = $1)
where ($1::text is null or a.brand_id = $1)
  and ($2::text is null or a.brand_id = $2)
  and ($3::text is null or a.actor = $3)
  and ($4::text is null or a.action = $4)
  and ($5::text is null or a.subject = $5)
  and ($6::timestamptz is null or a.at >= $6)
  and ($7::timestamptz is null or a.at < $7)
  and ($8::timestamptz is null or (a.at, a.id) < ($8::timestamptz, $9::bigint))
order by a.at desc, a.id desc
limit $10`;

export interface AuditQuery {
  brandScope: string | undefined;
  brandId: string | undefined;
  actor: string | undefined;
  action: string | undefined;
  objectId: string | undefined;
  /** Inclusive. */
  from: Date | undefined;
  /** Exclusive. */
  to: Date | undefined;
  after: { cursorTime: string; id: bigint } | undefined;
  limit: number;
}

export async function listAuditRows(db: Queryable, query: AuditQuery): Promise<AuditRow[]> {
  const { brandScope, brandId, actor, action, objectId, from, to, after, limit } = query;
  const filters = [brandScope, brandId, actor, action, objectId, from, to];
  const values = [...filters, after?.cursorTime, after?.id].map((value) => value ?? null);
  const { rows } = await db.query<AuditRow>({ text: LIST_AUDIT_ROWS, values: [...values, limit] });
  return rows;
}
