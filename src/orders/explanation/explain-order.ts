import { brandScope, influencerScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { getRateCard } from '../../commissions/terms/rate-cards.ts';
import { attribute } from '../../core/attribution/attribute.ts';
import type { AttributionFacts } from '../../core/attribution/facts.ts';
import { CLOCK_SKEW_MS } from '../../core/attribution/click-levels.ts';
import { addDays } from '../../core/calendar.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { listAttributions, listDecisions } from '../decisions/queries.ts';
import { loadAttributionFacts } from '../attribution/evidence.ts';
import type { EvidenceDeps } from '../attribution/evidence.ts';
import { foldStoredOrder } from '../intake/fold-orders.ts';
import { findOrder, findPayeeOfInfluencer, listLinesOfOrders } from '../reading/queries.ts';
import type { OrderLineRow, OrderRow } from '../reading/queries.ts';
import type { OrderExplanation } from './answer.ts';
import { explainLine, linksNamedBy } from './explain-line.ts';
import type { LineRecord, Viewer } from './explain-line.ts';
import {
  listCodesByLink,
  listPricedTermsByLine,
  getOrderSource,
  listClicksConsidered,
  listPostingsOfLines,
  listSeenEvents,
} from './queries.ts';
import type { SeenEventRow } from './queries.ts';

export interface ExplanationDeps extends EvidenceDeps {
  db: Db;
}

/** How far back clicks are shown for a line that no terms cover. */
const DEFAULT_WINDOW_DAYS = 15;

/**
 * The explanation of an order: the facts, the ladder run afresh beside what stands, the terms, the arithmetic, the journal. Read in one
 * snapshot, so the parts agree. An influencer sees its own lines, its own leg and its own clicks.
 *
 * @returns undefined for an order that the caller may not see
 */
export async function explainOrder(
  deps: ExplanationDeps,
  principal: Principal,
  orderId: string,
): Promise<OrderExplanation | undefined> {
  return inTransaction(deps.db, (tx) => readExplanation(tx, deps, { principal, orderId }), {
    isolation: 'repeatable read',
  });
}

async function readExplanation(
  tx: Tx,
  deps: ExplanationDeps,
  { principal, orderId }: { principal: Principal; orderId: string },
): Promise<OrderExplanation | undefined> {
  const influencerId = influencerScope(principal);
  const order = await findOrder(tx, {
    orderId,
    brandScope: brandScope(principal) ?? null,
    influencerScope: influencerId ?? null,
  });
  if (order === undefined) return undefined;
  const viewer = await viewerOf(tx, influencerId);
  const events = await listSeenEvents(tx, orderId);
  const lines = await listLinesOfOrders(tx, {
    orderIds: [orderId],
    payeeId: viewer?.payeeId ?? null,
    influencerScope: influencerId ?? null,
  });
  const facts = await factsOfLines(tx, deps, { order, lines, events });
  const records = await readRecords(tx, { order, lines, facts, viewer });
  const { brandId, storeId, externalOrderId, status, createdAt, paidAt } = order;
  return {
    orderId,
    brandId,
    storeId,
    externalOrderId,
    status,
    createdAt,
    paidAt,
    events: events.map(({ type, source, version, occurredAt, recordedAt, makesFacts }) => {
      return { type, source, version: version.toString(), occurredAt, recordedAt, makesFacts };
    }),
    lines: records.map((record) => explainLine(record, viewer)),
  };
}

async function viewerOf(tx: Tx, influencerId: string | undefined): Promise<Viewer | undefined> {
  if (influencerId === undefined) return undefined;
  const payeeId = await findPayeeOfInfluencer(tx, influencerId);
  if (payeeId === undefined) throw new Error(`the influencer ${influencerId} of a key is not there`);
  return { influencerId, payeeId };
}

/** The facts by which the lines were attributed when they were written last, from the same events. */
async function factsOfLines(
  tx: Tx,
  deps: ExplanationDeps,
  { order, lines, events }: { order: OrderRow; lines: readonly OrderLineRow[]; events: readonly SeenEventRow[] },
): Promise<Map<string, AttributionFacts>> {
  const folded = foldStoredOrder(events)?.lines ?? [];
  const evidence = new Map(folded.map((line) => [line.externalLineId, line.evidence]));
  const orderSource = await getOrderSource(tx, order.storeId);
  const terms = await getRateCard(tx, { brandId: order.brandId });
  const lookups = lines.map(({ id, externalLineId, productId }) => ({
    lineId: id,
    brandId: order.brandId,
    storeId: order.storeId,
    orderSource,
    orderCreatedAt: order.createdAt,
    evidence: evidence.get(externalLineId) ?? {},
    terms,
    ...(productId !== null && { productId }),
  }));
  return loadAttributionFacts(tx, lookups, deps);
}

async function readRecords(
  tx: Tx,
  input: {
    order: OrderRow;
    lines: readonly OrderLineRow[];
    facts: ReadonlyMap<string, AttributionFacts>;
    viewer: Viewer | undefined;
  },
): Promise<LineRecord[]> {
  const { order, viewer } = input;
  const lineIds = input.lines.map(({ id }) => id);
  const attributions = await listAttributions(tx, lineIds);
  const pricedTerms = await listPricedTermsByLine(tx, lineIds);
  const decisions = Map.groupBy(await listDecisions(tx, lineIds), ({ lineId }) => lineId);
  const postings = Map.groupBy(await listPostingsOfLines(tx, lineIds, viewer?.payeeId), ({ lineId }) => lineId);
  const explained = input.lines.flatMap((line) => {
    const facts = input.facts.get(line.id);
    const attribution = attributions.get(line.id);
    // Lines of an order that was never recomputed have nothing to explain yet.
    if (facts === undefined || attribution === undefined) return [];
    const priced = pricedTerms.get(line.id);
    const windowDays = windowDaysOf(facts, line.influencerId, priced?.windowDays);
    const { decision: _, ...undecided } = facts;
    return [{ line, facts, attribution, priced, windowDays, now: attribute(facts), byEvidence: attribute(undecided) }];
  });
  const clicks = await clicksOf(tx, { order, viewer, lines: explained });
  const linkIds = [...new Set(explained.flatMap(linksNamedBy))];
  const codes = await listCodesByLink(tx, { linkIds, brandId: order.brandId });
  return explained.map((record) =>
    Object.assign(record, {
      order,
      codes,
      decisions: decisions.get(record.line.id) ?? [],
      postings: postings.get(record.line.id) ?? [],
      clicks: clicks.get(record.line.id) ?? [],
    }),
  );
}

/** The clicks on each line's product that its window admits, the skew of level 1 included. */
async function clicksOf(
  tx: Tx,
  {
    order,
    viewer,
    lines,
  }: { order: OrderRow; viewer: Viewer | undefined; lines: readonly Pick<LineRecord, 'line' | 'windowDays'>[] },
): Promise<Map<string, LineRecord['clicks']>> {
  const until = new Date(order.createdAt.getTime() + CLOCK_SKEW_MS);
  const searched = lines.flatMap(({ line: { id: lineId, productId }, windowDays }) => {
    const from = addDays(order.createdAt, -(windowDays ?? DEFAULT_WINDOW_DAYS));
    return productId === null ? [] : [{ lineId, productId, from, until }];
  });
  return Map.groupBy(await listClicksConsidered(tx, searched, viewer?.influencerId), ({ lineId }) => lineId);
}

/** The window of a line: that of the terms copied onto it, else that of the credited influencer, else the widest of the candidates. */
function windowDaysOf(
  facts: AttributionFacts,
  influencerId: string | null,
  pricedDays: number | undefined,
): number | undefined {
  const own = facts.windows.find((window) => window.influencerId === influencerId)?.windowDays;
  const widest = facts.windows.map(({ windowDays }) => windowDays).toSorted((a, b) => b - a)[0];
  return pricedDays ?? own ?? widest;
}
