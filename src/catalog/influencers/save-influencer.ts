import assert from 'node:assert/strict';
import { actorOf } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import { writeAudit } from '../../audit/queries.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { MAX_CODE_ATTEMPTS, newCode } from '../../http/new-code.ts';
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

/**
 * Registers an influencer with a payee of its own and, where given, its agency's share from now on.
 *
 * @throws Problem not_found when the agency is no agency's payee
 */
export async function createInfluencer(db: Db, principal: Principal, input: InfluencerInput): Promise<InfluencerRow> {
  const { name, douyinId = null, tier = null, agency } = input;
  const id = newId('inf');
  return await inTransaction(db, async (tx) => {
    const payee = await insertPayee(tx, { id: newId('pye'), kind: 'influencer', name });
    await insertWithCode(tx, { id, name, douyinId, tier, payeeId: payee.id });
    if (agency !== undefined) await beginAgency(tx, principal, { influencerId: id, agency });
    return await getInfluencer(tx, id);
  });
}

/** `agency: null` ends the agency's share; other values not given stay. */
export type InfluencerChangeInput = InfluencerChange & { agency?: AgencyShare | null | undefined };

/**
 * Changes an influencer. An agency or share that differs begins a new version now; lines booked before keep their split.
 *
 * @throws Problem not_found when there is no such influencer, or the agency is no agency's payee
 */
export async function changeInfluencer(
  db: Db,
  principal: Principal,
  influencerId: string,
  { agency, ...change }: InfluencerChangeInput,
): Promise<InfluencerRow> {
  return await inTransaction(db, async (tx) => {
    if (!(await lockInfluencer(tx, influencerId))) throw problems.notFound();
    const before = await getInfluencer(tx, influencerId);
    await updateInfluencer(tx, influencerId, change);
    if (agency !== undefined && !isSameAgency(before, agency))
      await beginAgency(tx, principal, { influencerId, agency });
    return await getInfluencer(tx, influencerId);
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
  principal: Principal,
  { influencerId, agency }: { influencerId: string; agency: AgencyShare | null },
): Promise<void> {
  if (agency !== null && !(await isAgency(tx, agency.payeeId))) throw problems.notFound();
  const actor = actorOf(principal);
  await replaceAgency(tx, { id: newId('pol'), influencerId, agency, createdBy: actor });
  await writeAudit(tx, { actor, action: 'influencer.change_agency', subject: influencerId, detail: { agency } });
}

function isSameAgency(before: InfluencerRow, agency: AgencyShare | null): boolean {
  return before.agencyPayeeId === (agency?.payeeId ?? null) && before.agencyShareBp === (agency?.shareBp ?? null);
}

async function getInfluencer(tx: Tx, influencerId: string): Promise<InfluencerRow> {
  const row = await findInfluencer(tx, { influencerId, scope: undefined });
  assert(row !== undefined, 'the influencer was written or locked in this transaction');
  return row;
}
