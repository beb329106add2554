import { brandScope, influencerScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { getRateCard } from '../../commissions/terms/terms.ts';
import { attribute } from '../../core/attribution/attribute.ts';
import type { AttributionFacts } from '../../core/attribution/facts.ts';
import { CLOCK_SKEW_MS } from '../../core/attribution/levels.ts';
import { addDays } from '../../core/calendar.ts';
import { problems } from '../../http/problem.ts';
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
import type { LineStory, Viewer } from './explain-line.ts';
import {
  findCodesOfLinks,
  findFrozenTerms,
  getOrderSource,
  listClicksConsidered,
  listEntriesOfLines,
  listSeenEvents,
} from './queries.ts';
import type { SeenEventRow } from './queries.ts';

export interface ExplanationDeps extends EvidenceDeps {
  db: Db;
}

/** How far back clicks are shown for a line that no terms cover. */
const DEFAULT_WINDOW_DAYS = 15;

/**
 * The whole story of an order the caller may see: the facts, the ladder run afresh beside what stands, the terms, the arithmetic, the
 * journal. Read in one snapshot, so the parts agree. An influencer sees its own lines and its own leg, and nobody else's clicks.
 *
 * @throws Problem not_found for an order the caller may not see
 */
export async function explainOrder(
  deps: ExplanationDeps,
  principal: Principal,
  orderId: string,
): Promise<OrderExplanation> {
  return inTransaction(deps.db, (tx) => readExplanation(tx, deps, { principal, orderId }), {
    isolation: 'repeatable read',
  });
}

async function readExplanation(
  tx: Tx,
  deps: ExplanationDeps,
  { principal, orderId }: { principal: Principal; orderId: string },
): Promise<OrderExplanation> {
  const influencerId = influencerScope(principal);
  const order = await findOrder(tx, {
    orderId,
    brandScope: brandScope(principal) ?? null,
    influencerScope: influencerId ?? null,
  });
  if (order === undefined) throw problems.notFound();
  const viewer = await viewerOf(tx, influencerId);
  const events = await listSeenEvents(tx, orderId);
  const lines = await listLinesOfOrders(tx, {
    orderIds: [orderId],
    payeeId: viewer?.payeeId ?? null,
    influencerScope: influencerId ?? null,
  });
  const facts = await factsOfLines(tx, deps, { order, lines, events });
  const stories = await readStories(tx, { order, lines, facts, viewer });
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
    lines: stories.map((story) => explainLine(story, viewer)),
  };
}

async function viewerOf(tx: Tx, influencerId: string | undefined): Promise<Viewer | undefined> {
  if (influencerId === undefined) return undefined;
  const payeeId = await findPayeeOfInfluencer(tx, influencerId);
  if (payeeId === undefined) throw new Error(`the influencer ${influencerId} of a key is not there`);
  return { influencerId, payeeId };
}

/** The same question that was asked when the line was last written, from the same events. */
async function factsOfLines(
  tx: Tx,
  deps: ExplanationDeps,
  { order, lines, events }: { order: OrderRow; lines: readonly OrderLineRow[]; events: readonly SeenEventRow[] },
): Promise<Map<string, AttributionFacts>> {
  const folded = foldStoredOrder(events)?.lines ?? [];
  const evidence = new Map(folded.map((line) => [line.externalLineId, line.evidence]));
  const orderSource = await getOrderSource(tx, order.storeId);
  const terms = await getRateCard(tx, { brandId: order.brandId });
  const questions = lines.map(({ id, externalLineId, productId }) => ({
    lineId: id,
    brandId: order.brandId,
    storeId: order.storeId,
    orderSource,
    orderCreatedAt: order.createdAt,
    evidence: evidence.get(externalLineId) ?? {},
    terms,
    ...(productId !== null && { productId }),
  }));
  return loadAttributionFacts(tx, questions, deps);
}

async function readStories(
  tx: Tx,
  input: {
    order: OrderRow;
    lines: readonly OrderLineRow[];
    facts: ReadonlyMap<string, AttributionFacts>;
    viewer: Viewer | undefined;
  },
): Promise<LineStory[]> {
  const { order, viewer } = input;
  const lineIds = input.lines.map(({ id }) => id);
  const attributions = await listAttributions(tx, lineIds);
  const frozenTerms = await findFrozenTerms(tx, lineIds);
  const decisions = Map.groupBy(await listDecisions(tx, lineIds), ({ lineId }) => lineId);
  const entries = Map.groupBy(await listEntriesOfLines(tx, lineIds, viewer?.payeeId), ({ lineId }) => lineId);
  const judged = input.lines.flatMap((line) => {
    const facts = input.facts.get(line.id);
    const attribution = attributions.get(line.id);
    // Lines of an order that was never recomputed have nothing to explain yet.
    if (facts === undefined || attribution === undefined) return [];
    const frozen = frozenTerms.get(line.id);
    const windowDays = windowDaysOf(facts, line.influencerId, frozen?.windowDays);
    const { decision: _, ...undecided } = facts;
    return [{ line, facts, attribution, frozen, windowDays, now: attribute(facts), byEvidence: attribute(undecided) }];
  });
  const clicks = await clicksOf(tx, { order, viewer, lines: judged });
  const linkIds = [...new Set(judged.flatMap(linksNamedBy))];
  const codes = await findCodesOfLinks(tx, { linkIds, brandId: order.brandId });
  return judged.map((story) =>
    Object.assign(story, {
      order,
      codes,
      decisions: decisions.get(story.line.id) ?? [],
      entries: entries.get(story.line.id) ?? [],
      clicks: clicks.get(story.line.id) ?? [],
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
  }: { order: OrderRow; viewer: Viewer | undefined; lines: readonly Pick<LineStory, 'line' | 'windowDays'>[] },
): Promise<Map<string, LineStory['clicks']>> {
  const until = new Date(order.createdAt.getTime() + CLOCK_SKEW_MS);
  const searched = lines.flatMap(({ line: { id: lineId, productId }, windowDays }) => {
    const from = addDays(order.createdAt, -(windowDays ?? DEFAULT_WINDOW_DAYS));
    return productId === null ? [] : [{ lineId, productId, from, until }];
  });
  return Map.groupBy(await listClicksConsidered(tx, searched, viewer?.influencerId), ({ lineId }) => lineId);
}

/** The window the line is judged by: that of its frozen terms, else of whoever is credited, else the widest in question. */
function windowDaysOf(
  facts: AttributionFacts,
  influencerId: string | null,
  frozenDays: number | undefined,
): number | undefined {
  const own = facts.windows.find((window) => window.influencerId === influencerId)?.windowDays;
  const widest = facts.windows.map(({ windowDays }) => windowDays).toSorted((a, b) => b - a)[0];
  return frozenDays ?? own ?? widest;
}
