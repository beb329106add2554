import type { Queryable, Tx } from '../../infra/db.ts';

export type InfluencerStatus = 'active' | 'paused';

export interface InfluencerRow {
  id: string;
  name: string;
  code: string;
  douyinId: string | null;
  tier: string | null;
  payeeId: string;
  status: InfluencerStatus;
  createdAt: Date;
  /** The agency of the current version; null where there is none. */
  agencyPayeeId: string | null;
  agencyShareBp: number | null;
}

export interface NewInfluencer {
  id: string;
  name: string;
  code: string;
  douyinId: string | null;
  tier: string | null;
  payeeId: string;
}

// Inserts nothing where the code is taken, and the caller tries another one.
const INSERT_INFLUENCER = `
insert into influencers (id, name, code, douyin_id, tier, payee_id)
values ($1, $2, $3, $4, $5, $6)
on conflict on constraint influencers_code_key do nothing
returning influencers.id`;

/** @returns false when the code is taken: nothing was written */
export async function insertInfluencer(tx: Tx, row: NewInfluencer): Promise<boolean> {
  const values = [row.id, row.name, row.code, row.douyinId, row.tier, row.payeeId];
  const { rows } = await tx.query({ name: 'insert_influencer', text: INSERT_INFLUENCER, values });
  return rows.length === 1;
}

// One statement, so that the old version ends at the same microsecond at which the new one begins. $3 null: no agency from now on, so nothing is
// inserted. The caller holds the influencer's row lock. Served by influencer_agencies_no_overlap.
const REPLACE_AGENCY = `
with closed as (
  update influencer_agencies ia
  set valid_to = greatest(clock_timestamp(), ia.valid_from + interval '1 microsecond')
  where ia.influencer_id = $2 and ia.valid_to is null
  returning ia.valid_to
)
insert into influencer_agencies (id, influencer_id, agency_payee_id, share_bp, valid_from, created_by)
select $1, $2, $3, $4, coalesce((select closed.valid_to from closed), clock_timestamp()), $5
where $3::text is not null`;

export interface NewAgencyVersion {
  id: string;
  influencerId: string;
  agency: { payeeId: string; shareBp: number } | null;
  createdBy: string;
}

/** Ends the influencer's open agency version now, and begins the new one (if any) in the same instant. */
export async function replaceAgency(tx: Tx, version: NewAgencyVersion): Promise<void> {
  const { agency } = version;
  const values = [
    version.id,
    version.influencerId,
    agency?.payeeId ?? null,
    agency?.shareBp ?? null,
    version.createdBy,
  ];
  await tx.query({ name: 'replace_agency', text: REPLACE_AGENCY, values });
}

// Served by influencers_pkey.
const LOCK_INFLUENCER = `
select i.id from influencers i where i.id = $1 for update`;

/** Locks the influencer's row until the end of the transaction; false when there is none. */
export async function lockInfluencer(tx: Tx, influencerId: string): Promise<boolean> {
  const { rows } = await tx.query({ name: 'lock_influencer', text: LOCK_INFLUENCER, values: [influencerId] });
  return rows.length === 1;
}

// Null keeps a name or a status. The optional texts can also be taken away, so a flag ($4, $6) says whether each was given. Served by
// influencers_pkey.
const UPDATE_INFLUENCER = `
update influencers
set name = coalesce($2, influencers.name),
  status = coalesce($3, influencers.status),
  douyin_id = case when $4 then $5 else influencers.douyin_id end,
  tier = case when $6 then $7 else influencers.tier end
where influencers.id = $1`;

export interface InfluencerChange {
  name?: string | undefined;
  status?: InfluencerStatus | undefined;
  /** null takes it away. */
  douyinId?: string | null | undefined;
  tier?: string | null | undefined;
}

export async function updateInfluencer(tx: Tx, influencerId: string, change: InfluencerChange): Promise<void> {
  const { name, status, douyinId, tier } = change;
  const given = (value: unknown): boolean => value !== undefined;
  const values = [
    influencerId,
    name ?? null,
    status ?? null,
    given(douyinId),
    douyinId ?? null,
    given(tier),
    tier ?? null,
  ];
  await tx.query({ name: 'update_influencer', text: UPDATE_INFLUENCER, values });
}

// $2 is the influencer that the caller is confined to, null for none. Served by influencers_pkey and influencer_agencies_no_overlap.
const FIND_INFLUENCER = `
select i.id, i.name, i.code, i.douyin_id as "douyinId", i.tier, i.payee_id as "payeeId", i.status, i.created_at as "createdAt",
  ia.agency_payee_id as "agencyPayeeId", ia.share_bp as "agencyShareBp"
from influencers i
left join influencer_agencies ia on ia.influencer_id = i.id and ia.valid_to is null
where i.id = $1 and ($2::text is null or i.id = $2)`;

/** An influencer with the current agency; undefined when there is none, or it is not the caller. */
export async function findInfluencer(
  db: Queryable,
  { influencerId, scope }: { influencerId: string; scope: string | undefined },
): Promise<InfluencerRow | undefined> {
  const values = [influencerId, scope ?? null];
  const { rows } = await db.query<InfluencerRow>({ name: 'find_influencer', text: FIND_INFLUENCER, values });
  return rows[0];
}

// In order of id, after $1. Served by influencers_pkey.
const LIST_INFLUENCERS = `
select i.id, i.name, i.code, i.douyin_id as "douyinId", i.tier, i.payee_id as "payeeId", i.status, i.created_at as "createdAt",
  ia.agency_payee_id as "agencyPayeeId", ia.share_bp as "agencyShareBp"
from influencers i
left join influencer_agencies ia on ia.influencer_id = i.id and ia.valid_to is null
where ($1::text is null or i.id > $1)
order by i.id
limit $2`;

export async function listInfluencers(
  db: Queryable,
  page: { afterId: string | undefined; limit: number },
): Promise<InfluencerRow[]> {
  const values = [page.afterId ?? null, page.limit];
  const { rows } = await db.query<InfluencerRow>({ name: 'list_influencers', text: LIST_INFLUENCERS, values });
  return rows;
}
