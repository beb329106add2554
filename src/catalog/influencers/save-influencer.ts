import assert from 'node:assert/strict';
import type { Acting } from '../../access/principal.ts';
import { changesBetween, recordAudit } from '../../audit/record-audit.ts';
import { MAX_CODE_ATTEMPTS, newCode, newId } from '../../http/new-id.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { inRefusableTransaction } from '../../infra/refusal.ts';
import type { Outcome } from '../../infra/refusal.ts';
import { insertPayee, isAgency } from '../payees/queries.ts';
import { findInfluencer, insertInfluencer, lockInfluencer, replaceAgency, updateInfluencer } from './queries.ts';
import type { InfluencerChange, InfluencerRow, NewInfluencer } from './queries.ts';

interface AgencyShare {
  payeeId: string;
  shareBp: number;
}

export interface InfluencerInput {
  name: string;
  douyinId?: string | undefined;
  tier?: string | undefined;
  agency?: AgencyShare | undefined;
}

/** `agency: null` ends the agency's share; other values that are not given stay. */
export type InfluencerChangeInput = InfluencerChange & { agency?: AgencyShare | null | undefined };

export type InfluencerRefusal =
  | { reason: 'unknown_influencer' }
  /** There is no payee with this id, or it is no agency's. */
  | { reason: 'unknown_agency' };
export type InfluencerOutcome = Outcome<{ influencer: InfluencerRow }, InfluencerRefusal>;

/** Registers an influencer with a payee of its own and, where given, its agency's share from now on. */
export async function createInfluencer(db: Db, { actor }: Acting, input: InfluencerInput): Promise<InfluencerOutcome> {
  const { name, douyinId = null, tier = null, agency } = input;
  const id = newId('inf');
  return await inRefusableTransaction(db, async (tx) => {
    if (agency !== undefined && !(await isAgency(tx, agency.payeeId))) return { ok: false, reason: 'unknown_agency' };
    const payee = await insertPayee(tx, { id: newId('pye'), kind: 'influencer', name });
    const facts = { name, douyinId, tier, payeeId: payee.id };
    await insertWithCode(tx, { id, ...facts });
    await recordAudit(tx, { actor, action: 'influencer.registered', objectId: id, detail: facts });
    if (agency !== undefined) await beginAgency(tx, { actor, influencerId: id, before: null, after: agency });
    return { ok: true, influencer: await getInfluencer(tx, id) };
  });
}

/** Changes an influencer. An agency or share that differs begins a new version now; lines booked before keep their split. */
export async function changeInfluencer(
  db: Db,
  { actor }: Acting,
  influencerId: string,
  { agency, ...change }: InfluencerChangeInput,
): Promise<InfluencerOutcome> {
  return await inRefusableTransaction(db, async (tx) => {
    if (!(await lockInfluencer(tx, influencerId))) return { ok: false, reason: 'unknown_influencer' };
    const row = await getInfluencer(tx, influencerId);
    const { name, status, douyinId, tier } = row;
    const changes = changesBetween({ name, status, douyinId, tier }, change);
    if (changes !== undefined) {
      await updateInfluencer(tx, influencerId, change);
      await recordAudit(tx, { actor, action: 'influencer.changed', objectId: influencerId, detail: changes });
    }
    const before = agencyOf(row);
    if (agency !== undefined && !isSameAgency(before, agency)) {
      if (agency !== null && !(await isAgency(tx, agency.payeeId))) return { ok: false, reason: 'unknown_agency' };
      await beginAgency(tx, { actor, influencerId, before, after: agency });
    }
    return { ok: true, influencer: await getInfluencer(tx, influencerId) };
  });
}

async function insertWithCode(tx: Tx, influencer: Omit<NewInfluencer, 'code'>): Promise<void> {
  for (let attempt = 0; attempt < MAX_CODE_ATTEMPTS; attempt++) {
    if (await insertInfluencer(tx, { ...influencer, code: newCode() })) return;
  }
  assert.fail(`${MAX_CODE_ATTEMPTS} random influencer codes in a row were taken`);
}

async function beginAgency(
  tx: Tx,
  change: { actor: string; influencerId: string; before: AgencyShare | null; after: AgencyShare | null },
): Promise<void> {
  const { actor, influencerId, before, after } = change;
  await replaceAgency(tx, { id: newId('pol'), influencerId, agency: after, createdBy: actor });
  const detail = { before, after };
  await recordAudit(tx, { actor, action: 'influencer.agency_changed', objectId: influencerId, detail });
}

function agencyOf({ agencyPayeeId, agencyShareBp }: InfluencerRow): AgencyShare | null {
  return agencyPayeeId === null ? null : { payeeId: agencyPayeeId, shareBp: agencyShareBp ?? 0 };
}

function isSameAgency(one: AgencyShare | null, other: AgencyShare | null): boolean {
  return one?.payeeId === other?.payeeId && one?.shareBp === other?.shareBp;
}

async function getInfluencer(tx: Tx, influencerId: string): Promise<InfluencerRow> {
  const row = await findInfluencer(tx, { influencerId, scope: undefined });
  assert(row !== undefined, 'the influencer was written or locked in this transaction');
  return row;
}
