import type { DecisionKind } from '../../core/vocabulary.ts';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { canonicalCode } from '../../core/links/link-code.ts';
import { problems } from '../../http/problem.ts';
import { writeAudit } from '../../audit/queries.ts';
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

/**
 * Records a person's decision about a line, in place of the one that stands, and brings the line's attribution and money to it.
 *
 * One transaction under the order's lock: decision, attribution, journal and audit entry stand or fall together.
 *
 * @throws Problem not_found for a line the caller may not see, forbidden for a brand once the line is payable, validation_failed for a
 *   link code that is none of the brand's
 */
export async function decideLine(
  deps: DecisionDeps,
  principal: Principal,
  asked: { lineId: string; note: string } & ({ kind: 'assign'; linkCode: string } | { kind: 'reject' }),
): Promise<DecidedLine> {
  const { lineId, kind, note } = asked;
  return inTransaction(deps.db, async (tx) => {
    const { orderId, brandId, state } = await claimLine(tx, principal, lineId);
    const linkId = asked.kind === 'assign' ? await linkOf(tx, { linkCode: asked.linkCode, brandId }) : undefined;
    const actor = actorOf(principal);
    const replaced = await undoStandingDecision(tx, { lineId, actor });
    await insertDecision(tx, { lineId, brandId, kind, linkId, overruledLinkId: evidenceOf(state), note, actor });
    await recomputeOrders(tx, [orderId], deps);
    const detail = { note, ...(linkId !== undefined && { linkId }), ...(replaced !== undefined && { replaced }) };
    await writeAudit(tx, { actor, action: `order_line.${kind}`, brandId, subject: lineId, detail });
    return readDecided(tx, { lineId, orderId });
  });
}

/**
 * Undoes the standing decision of that kind; evidence decides again.
 *
 * @throws Problem not_found also where no such decision stands, forbidden as `decideLine`
 */
export async function undoDecision(
  deps: DecisionDeps,
  principal: Principal,
  { lineId, kind }: { lineId: string; kind: DecisionKind },
): Promise<DecidedLine> {
  return inTransaction(deps.db, async (tx) => {
    const { orderId, brandId } = await claimLine(tx, principal, lineId);
    const actor = actorOf(principal);
    const undone = await undoStandingDecision(tx, { lineId, kind, actor });
    if (undone === undefined) throw problems.notFound();
    await recomputeOrders(tx, [orderId], deps);
    await writeAudit(tx, { actor, action: `order_line.undo_${kind}`, brandId, subject: lineId, detail: { undone } });
    return readDecided(tx, { lineId, orderId });
  });
}

/** Locks the line's order for a caller who may decide it. */
async function claimLine(
  tx: Tx,
  principal: Principal,
  lineId: string,
): Promise<{ orderId: string; brandId: string; state: LineState }> {
  const order = await lockOrderOfLine(tx, { lineId, brandScope: brandScope(principal) });
  if (order === undefined) throw problems.notFound();
  const state = await getStateOfLine(tx, lineId);
  // Payable money is owed to somebody; from here on the brand that owes it cannot move it alone.
  if (principal.role === 'brand' && state.isReleased) {
    throw problems.forbidden('The commission of this line is payable; only finance may decide it now.');
  }
  return { ...order, state };
}

async function linkOf(tx: Tx, { linkCode, brandId }: { linkCode: string; brandId: string }): Promise<string> {
  const code = canonicalCode(linkCode);
  const linkId = code === undefined ? undefined : await findLinkOfCode(tx, { code, brandId });
  if (linkId !== undefined) return linkId;
  throw problems.validationFailed([{ path: 'linkCode', message: 'names no link of the brand' }]);
}

/** The link that evidence speaks for, as the person sees it when deciding. */
function evidenceOf(state: LineState): string | undefined {
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
