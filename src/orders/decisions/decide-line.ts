import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { canonicalCode } from '../../core/links/link-code.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import type { AttributionAnswer, DecisionAnswer } from '../reading/attribution-answer.ts';
import { lockOrderOfLine } from '../locks.ts';
import { recomputeOrders, type RecomputeDeps } from '../intake/recompute-orders.ts';
import {
  findLinkOfCode,
  getStateOfLine,
  insertDecision,
  listAttributions,
  listDecisions,
  undoStandingDecision,
} from './queries.ts';
import type { LineState } from './queries.ts';

export interface DecisionDeps extends RecomputeDeps {
  db: Db;
}

export interface DecidedLine {
  lineId: string;
  orderId: string;
  /** The one that stands now. */
  decision: DecisionAnswer | null;
  attribution: AttributionAnswer;
}

export type Decision = { lineId: string; note: string } & ({ kind: 'assign'; linkCode: string } | { kind: 'reject' });

/**
 * `not_found`: no line that the caller may see, or no decision of that kind to undo. `payable`: a brand may not decide the line any more.
 * `unknown_link`: the code names no link of the brand. Nothing was written then.
 */
export type DecisionOutcome =
  | { decided: true; line: DecidedLine }
  | { decided: false; reason: 'not_found' | 'payable' | 'unknown_link' };

/**
 * Records a person's decision about a line, in place of the one that stands, and brings the line's attribution and money to it.
 *
 * One transaction under the order's lock: decision, attribution, journal and audit entry are written together or not at all.
 */
export async function decideLine(
  deps: DecisionDeps,
  principal: Principal,
  decision: Decision,
): Promise<DecisionOutcome> {
  const { lineId, kind, note } = decision;
  return inTransaction(deps.db, async (tx): Promise<DecisionOutcome> => {
    const found = await lockLine(tx, principal, lineId);
    if ('reason' in found) return found;
    const { orderId, brandId, state } = found;
    const linkId =
      decision.kind === 'assign' ? await findLink(tx, { linkCode: decision.linkCode, brandId }) : undefined;
    if (kind === 'assign' && linkId === undefined) return { decided: false, reason: 'unknown_link' };
    const actor = actorOf(principal);
    const replaced = await undoStandingDecision(tx, { lineId, actor });
    await insertDecision(tx, { lineId, brandId, kind, linkId, overruledLinkId: linkByEvidence(state), note, actor });
    await recomputeOrders(tx, [orderId], deps);
    const by = { actor, brandId, objectId: lineId };
    if (linkId === undefined) await recordAudit(tx, { ...by, action: 'line.rejected', detail: { note, replaced } });
    else await recordAudit(tx, { ...by, action: 'line.assigned', detail: { note, linkId, replaced } });
    return { decided: true, line: await readDecided(tx, { lineId, orderId }) };
  });
}

/** Undoes the standing decision of that kind; evidence decides again. */
export async function undoDecision(
  deps: DecisionDeps,
  principal: Principal,
  { lineId, kind }: { lineId: string; kind: 'assign' | 'reject' },
): Promise<DecisionOutcome> {
  return inTransaction(deps.db, async (tx): Promise<DecisionOutcome> => {
    const found = await lockLine(tx, principal, lineId);
    if ('reason' in found) return found;
    const { orderId, brandId } = found;
    const actor = actorOf(principal);
    const undone = await undoStandingDecision(tx, { lineId, kind, actor });
    if (undone === undefined) return { decided: false, reason: 'not_found' };
    await recomputeOrders(tx, [orderId], deps);
    const action = kind === 'assign' ? 'line.assignment_undone' : 'line.rejection_undone';
    await recordAudit(tx, { actor, action, brandId, objectId: lineId, detail: { undone } });
    return { decided: true, line: await readDecided(tx, { lineId, orderId }) };
  });
}

/** Locks the line's order for a caller who may decide it. */
async function lockLine(
  tx: Tx,
  principal: Principal,
  lineId: string,
): Promise<
  { orderId: string; brandId: string; state: LineState } | { decided: false; reason: 'not_found' | 'payable' }
> {
  const order = await lockOrderOfLine(tx, { lineId, brandScope: brandScope(principal) });
  if (order === undefined) return { decided: false, reason: 'not_found' };
  const state = await getStateOfLine(tx, lineId);
  // Payable money is owed to a payee; from here on the brand that owes it cannot move it alone.
  if (principal.role === 'brand' && state.isReleased) return { decided: false, reason: 'payable' };
  return { ...order, state };
}

async function findLink(
  tx: Tx,
  { linkCode, brandId }: { linkCode: string; brandId: string },
): Promise<string | undefined> {
  const code = canonicalCode(linkCode);
  return code === undefined ? undefined : findLinkOfCode(tx, { code, brandId });
}

/** The link that evidence names, as the person sees it when deciding. */
function linkByEvidence(state: LineState): string | undefined {
  const byEvidence = state.method === 'manual' ? null : state.linkId;
  return state.disputedLinkId ?? byEvidence ?? state.overruledLinkId ?? undefined;
}

async function readDecided(tx: Tx, { lineId, orderId }: { lineId: string; orderId: string }): Promise<DecidedLine> {
  const attribution = (await listAttributions(tx, [lineId])).get(lineId);
  if (attribution === undefined) throw new Error(`line ${lineId} has no attribution after it was recomputed`);
  const decisions = await listDecisions(tx, [lineId]);
  const standing = decisions.find(({ undoneAt }) => undoneAt === null);
  return { lineId, orderId, decision: standing ?? null, attribution };
}
