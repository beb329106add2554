import type { Queryable, Tx } from '../infra/db.ts';
import type { Role } from './principal.ts';

export interface KeySubject {
  id: string;
  role: Role;
  brandId: string | null;
  influencerId: string | null;
}

// The one key with this hash, if it is valid now by Postgres' clock. Every request runs this statement (0.1 ms, prepared), so a revoked key
// fails at its next use on every process. Served by api_keys_hash_key.
const FIND_VALID_KEY = `
  select k.id as "id", k.role as "role", k.brand_id as "brandId", k.influencer_id as "influencerId"
  from api_keys k
  where k.hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`;

export async function findValidKey(db: Queryable, hash: Buffer): Promise<KeySubject | undefined> {
  const { rows } = await db.query<KeySubject>({ name: 'access_find_valid_key', text: FIND_VALID_KEY, values: [hash] });
  return rows[0];
}

export interface KeyRow extends KeySubject {
  label: string;
  prefix: string;
  expiresAt: Date | null;
  revokedAt: Date | null;
  createdAt: Date;
}

export interface KeyToInsert {
  id: string;
  role: Role;
  brandId: string | undefined;
  influencerId: string | undefined;
  label: string;
  prefix: string;
  hash: Buffer;
  expiresAt: Date | undefined;
}

// Inserts nothing where the brand or the influencer does not exist, so that the caller gets an answer and no foreign key error. The foreign
// keys stay the referee. Served by brands_pkey and influencers_pkey.
const INSERT_KEY = `
  insert into api_keys as k (id, role, brand_id, influencer_id, label, prefix, hash, expires_at)
  select $1, $2, $3, $4, $5, $6, $7, $8::timestamptz
  where ($3::text is null or exists (select from brands b where b.id = $3))
    and ($4::text is null or exists (select from influencers i where i.id = $4))
  returning k.id as "id", k.role as "role", k.brand_id as "brandId", k.influencer_id as "influencerId", k.label as "label",
    k.prefix as "prefix", k.expires_at as "expiresAt", k.revoked_at as "revokedAt", k.created_at as "createdAt"`;

/** @returns undefined when the brand or influencer does not exist */
export async function insertKey(tx: Tx, key: KeyToInsert): Promise<KeyRow | undefined> {
  const { rows } = await tx.query<KeyRow>(INSERT_KEY, [
    key.id,
    key.role,
    key.brandId ?? null,
    key.influencerId ?? null,
    key.label,
    key.prefix,
    key.hash,
    key.expiresAt ?? null,
  ]);
  return rows[0];
}

// Newest first, ties by id; the cursor holds the time with its microseconds. A sequential scan, because keys are few.
const LIST_KEYS = `
  select k.id as "id", k.role as "role", k.brand_id as "brandId", k.influencer_id as "influencerId", k.label as "label",
    k.prefix as "prefix", k.expires_at as "expiresAt", k.revoked_at as "revokedAt", k.created_at as "createdAt",
    to_char(k.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "cursorTime"
  from api_keys k
  where $1::timestamptz is null or (k.created_at, k.id) < ($1::timestamptz, $2::text)
  order by k.created_at desc, k.id desc
  limit $3`;

export async function listKeys(
  db: Queryable,
  page: { after: readonly [string, string] | undefined; limit: number },
): Promise<(KeyRow & { cursorTime: string })[]> {
  const { rows } = await db.query<KeyRow & { cursorTime: string }>(LIST_KEYS, [
    page.after?.[0] ?? null,
    page.after?.[1] ?? null,
    page.limit,
  ]);
  return rows;
}

// Sets the time once; "isNew" is true for the first revocation only. No row: no such key. The locked read sees a revocation that committed
// just before, so of two at once one is new. Served by api_keys_pkey.
const REVOKE_KEY = `
  with old as (select k.id, k.revoked_at from api_keys k where k.id = $1 for update)
  update api_keys k
  set revoked_at = coalesce(old.revoked_at, now())
  from old
  where k.id = old.id
  returning k.brand_id as "brandId", old.revoked_at is null as "isNew"`;

export async function revokeKeyRow(
  tx: Tx,
  id: string,
): Promise<{ brandId: string | null; isNew: boolean } | undefined> {
  const { rows } = await tx.query<{ brandId: string | null; isNew: boolean }>(REVOKE_KEY, [id]);
  return rows[0];
}
