import type { Queryable } from '../infra/db.ts';

/** The request that an Idempotency-Key names: the same text from another API key, method or path is another request. */
export interface RequestName {
  keyId: string;
  method: string;
  path: string;
  idempotencyKey: string;
}

/** Proof of a claim. A request that was taken over because it looked dead holds an old one and can no longer write its answer. */
export interface Claim extends RequestName {
  claimedAt: string;
}

export interface KeptAnswer {
  bodySha256: Buffer;
  /** null while the request is under way. */
  status: number | null;
  body: string | null;
}

// Inserts first, so that of any number of copies exactly one gets a row back and may run. Takes over an expired row, and a row with the same body
// that has had no answer for 60 s: no request may take that long, so its process died. The new claimed time is a fencing token against the old
// owner. Served by idempotency_keys_pkey.
const CLAIM_REQUEST = `
  insert into idempotency_keys as k (key_id, method, path, idempotency_key, body_sha256, expires_at)
  values ($1, $2, $3, $4, $5, case when $6 then null else now() + interval '7 days' end)
  on conflict on constraint idempotency_keys_pkey do update
    set body_sha256 = excluded.body_sha256, status = null, body = null,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    where k.expires_at <= now()
       or (k.status is null and k.created_at < now() - interval '60 seconds' and k.body_sha256 = excluded.body_sha256)
  returning k.created_at::text as "claimedAt"`;

/** Claims a request for running. Undefined: another copy has it, see `findAnswer`. */
export async function claimRequest(
  db: Queryable,
  request: RequestName & { bodySha256: Buffer; keepForEver: boolean },
): Promise<Claim | undefined> {
  const { keyId, method, path, idempotencyKey, bodySha256, keepForEver } = request;
  const { rows } = await db.query<{ claimedAt: string }>(CLAIM_REQUEST, [
    keyId,
    method,
    path,
    idempotencyKey,
    bodySha256,
    keepForEver,
  ]);
  const claimedAt = rows[0]?.claimedAt;
  return claimedAt === undefined ? undefined : { keyId, method, path, idempotencyKey, claimedAt };
}

// At most one row. None: the owner failed with a 5xx in between and gave its claim back. Served by idempotency_keys_pkey.
const FIND_ANSWER = `
  select k.body_sha256 as "bodySha256", k.status as "status", k.body as "body"
  from idempotency_keys k
  where k.key_id = $1 and k.method = $2 and k.path = $3 and k.idempotency_key = $4`;

/** The state of a request that another copy claimed. */
export async function findAnswer(db: Queryable, request: RequestName): Promise<KeptAnswer | undefined> {
  const { rows } = await db.query<KeptAnswer>(FIND_ANSWER, [
    request.keyId,
    request.method,
    request.path,
    request.idempotencyKey,
  ]);
  return rows[0];
}

// Writes only under the given claim ($5): after a take-over the first owner's answer changes nothing. Served by idempotency_keys_pkey.
const KEEP_ANSWER = `
  update idempotency_keys k
  set status = $6, body = $7
  where k.key_id = $1 and k.method = $2 and k.path = $3 and k.idempotency_key = $4
    and k.created_at = $5::timestamptz and k.status is null`;

/** Keeps the answer for later copies of the request. */
export async function keepAnswer(db: Queryable, claim: Claim, answer: { status: number; body: string }): Promise<void> {
  const { keyId, method, path, idempotencyKey, claimedAt } = claim;
  await db.query(KEEP_ANSWER, [keyId, method, path, idempotencyKey, claimedAt, answer.status, answer.body]);
}

// Gives a claim back, so that a retry runs at once; only the given claim ($5), and only without an answer. Served by idempotency_keys_pkey.
const RELEASE_REQUEST = `
  delete from idempotency_keys k
  where k.key_id = $1 and k.method = $2 and k.path = $3 and k.idempotency_key = $4
    and k.created_at = $5::timestamptz and k.status is null`;

export async function releaseRequest(db: Queryable, claim: Claim): Promise<void> {
  const { keyId, method, path, idempotencyKey, claimedAt } = claim;
  await db.query(RELEASE_REQUEST, [keyId, method, path, idempotencyKey, claimedAt]);
}

// Deletes at most $1 expired rows, the oldest first. A row that a request takes over at the moment is locked and skipped. Served by
// idempotency_keys_expiry_idx.
const DELETE_EXPIRED_ANSWERS = `
  delete from idempotency_keys k
  where k.ctid = any (array(
    select e.ctid from idempotency_keys e
    where e.expires_at <= now()
    order by e.expires_at
    limit $1
    for update skip locked))`;

/** Retention, for the worker: deletes expired answers. @returns how many; call it again while it equals `limit` */
export async function deleteExpiredAnswers(db: Queryable, limit = 1000): Promise<number> {
  const { rowCount } = await db.query(DELETE_EXPIRED_ANSWERS, [limit]);
  return rowCount ?? 0;
}

// One round trip to the server; touches no table.
const PING = 'select 1';

/** Resolves when Postgres answers. */
export async function pingPostgres(db: Queryable): Promise<void> {
  await db.query(PING);
}
