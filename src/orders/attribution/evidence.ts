import type { OrderSource } from '../../core/vocabulary.ts';
import type { RateCard } from '../../commissions/terms/rate-cards.ts';
import { dependsOnClicks } from '../../core/attribution/attribute.ts';
import type { AttributionFacts, LinkFact } from '../../core/attribution/facts.ts';
import { ARRIVAL_AFTER_CLICK_MS, ARRIVAL_BEFORE_CLICK_MS } from '../../core/attribution/click-levels.ts';
import type { Queryable } from '../../infra/db.ts';
import { listClicksNear, listLatestClicks } from './click-evidence-queries.ts';
import { listSettledLines, listStatusChanges } from './evidence-queries.ts';
import type { SettledLine } from './evidence-queries.ts';
import { completeLinks, couponNameOf, lookUpEvidence, readClickIds, slotNamesOf, uniqueBy } from './named-evidence.ts';
import type { NamedEvidence, NamedLine, ReadingDeps } from './named-evidence.ts';

/** One order line as the ladder needs it. */
export interface LineToAttribute extends NamedLine {
  lineId: string;
  productId?: string | undefined;
  brandId: string;
  orderSource: OrderSource;
  orderCreatedAt: Date;
  /** Of the line's brand. */
  terms: RateCard;
}

export interface EvidenceDeps extends ReadingDeps {
  inferenceDelaySeconds: number;
}

/**
 * Everything the ladder needs about these lines, read with a fixed number of queries (at most ten) however many lines there are.
 *
 * Lines that stronger evidence decides are spared the search for clicks. The facts of one moment: the caller holds the orders' locks
 * where the answer is to be written.
 *
 * @param known  what the caller has read already: what the evidence names, and what is settled by line id
 * @returns the facts of every line given, by line id
 */
export async function loadAttributionFacts(
  db: Queryable,
  lines: readonly LineToAttribute[],
  deps: EvidenceDeps,
  known?: KnownEvidence,
): Promise<Map<string, AttributionFacts>> {
  if (lines.length === 0) return new Map();
  const found = known ?? (await findEvidence(db, lines, deps));
  const facts = new Map(lines.map((line) => [line.lineId, factsOf(line, { found, deps })]));
  await addStatusChanges(db, facts);
  await addClicks(db, { lines, facts, settled: found.settled });
  return facts;
}

export interface KnownEvidence {
  named: NamedEvidence;
  settled: ReadonlyMap<string, SettledLine>;
}

async function findEvidence(
  db: Queryable,
  lines: readonly LineToAttribute[],
  deps: ReadingDeps,
): Promise<KnownEvidence> {
  const settled = await listSettledLines(
    db,
    lines.map(({ lineId }) => lineId),
  );
  const answers = await lookUpEvidence(db, lines, readClickIds(lines, deps));
  const decisions = [...settled.values()].flatMap(({ decision }) => decision ?? []);
  return { named: await completeLinks(db, lines, answers, decisions), settled };
}

/** The facts of one line, still without status history and clicks. */
function factsOf(
  line: LineToAttribute,
  { found: { named, settled }, deps }: { found: KnownEvidence; deps: EvidenceDeps },
): AttributionFacts {
  const { storeId, productId, evidence } = line;
  const names = new Set(slotNamesOf(line).map(({ kind, externalId }) => `${kind} ${externalId}`));
  const slots = named.slots.filter((slot) => slot.storeId === storeId && names.has(`${slot.kind} ${slot.externalId}`));
  const [coupon] = couponNameOf(line);
  const coupons = named.coupons.filter((lease) => lease.storeId === storeId && lease.code === coupon?.code);
  const noteLinks = (evidence.noteCodes ?? []).flatMap((code) => {
    const linkId = named.linkOfCode.get(code);
    return linkId === undefined ? [] : [{ code, linkId }];
  });
  const reading = evidence.clickId === undefined ? undefined : named.readings.get(evidence.clickId);
  const clickRow = evidence.clickId === undefined ? undefined : named.clickRows.get(evidence.clickId);
  const { decision, priced } = settled.get(line.lineId) ?? {};

  const linkIds = new Set([...noteLinks.map(({ linkId }) => linkId), decision?.linkId]);
  const owners = new Set([...slots, ...coupons].map(({ influencerId }) => influencerId));
  const isNamed = (link: LinkFact): boolean =>
    linkIds.has(link.linkId) ||
    (reading?.ok === true && reading.linkNumber === link.linkNumber) ||
    (link.productId === productId && owners.has(link.influencerId));
  const links = named.links.filter(isNamed);
  return {
    brandId: line.brandId,
    storeId,
    orderSource: line.orderSource,
    createdAt: line.orderCreatedAt,
    ...(productId !== undefined && { productId }),
    evidence,
    policy: line.terms.policyAt(line.orderCreatedAt),
    ...(decision !== undefined && { decision }),
    ...(reading !== undefined && { clickIdReading: reading }),
    ...(clickRow !== undefined && { clickRow }),
    links,
    slots,
    coupons,
    noteLinks,
    clicks: [],
    statusChanges: [],
    windows: windowsOf(line, links, priced),
    ...(named.drainedTo !== undefined && { drainedTo: named.drainedTo }),
    inferenceDelaySeconds: deps.inferenceDelaySeconds,
  };
}

/**
 * The windows by the terms of the product sold; of the link's where the sold one is not registered. A line that is booked keeps the window
 * of the terms it is priced by, as it keeps their rate, whatever versions are added later.
 */
function windowsOf(
  line: LineToAttribute,
  links: readonly LinkFact[],
  priced: SettledLine['priced'],
): AttributionFacts['windows'] {
  const isPriced = (sale: { influencerId: string; productId: string }): boolean =>
    priced?.influencerId === sale.influencerId &&
    priced.productId === sale.productId &&
    priced.orderCreatedAt.getTime() === line.orderCreatedAt.getTime();
  const sales = uniqueBy(
    links.map((link) => ({ influencerId: link.influencerId, productId: line.productId ?? link.productId })),
    ({ influencerId, productId }) => `${influencerId} ${productId}`,
  );
  return sales.flatMap((sale) => {
    if (priced !== undefined && isPriced(sale)) return [{ ...sale, windowDays: priced.windowDays }];
    const terms = line.terms.termsFor({ createdAt: line.orderCreatedAt, storeId: line.storeId, ...sale });
    return terms === undefined ? [] : [{ ...sale, windowDays: terms.windowDays }];
  });
}

/** Whether links, products and influencers that levels 2–4 may credit were active, at the order and at the platform's click. */
async function addStatusChanges(db: Queryable, facts: ReadonlyMap<string, AttributionFacts>): Promise<void> {
  const asked = [...facts.values()].filter((of) => of.slots.length + of.coupons.length + of.noteLinks.length > 0);
  const questions = asked.flatMap((of) =>
    of.links.flatMap((link) =>
      [link.linkId, link.productId, link.influencerId].flatMap((subjectId) =>
        [of.createdAt, of.evidence.clickedAt].flatMap((at) => (at === undefined ? [] : [{ subjectId, at }])),
      ),
    ),
  );
  if (questions.length === 0) return;
  const unique = uniqueBy(questions, ({ subjectId, at }) => `${subjectId} ${at.getTime()}`);
  // What another line asked about the same subject is true of this one as well, so nothing has to be taken apart.
  const changesOf = Map.groupBy(await listStatusChanges(db, unique), ({ subjectId }) => subjectId);
  for (const of of asked) {
    const subjects = new Set(of.links.flatMap((link) => [link.linkId, link.productId, link.influencerId]));
    of.statusChanges = [...subjects].flatMap((subjectId) => changesOf.get(subjectId) ?? []);
  }
}

async function addClicks(
  db: Queryable,
  {
    lines,
    facts,
    settled,
  }: {
    lines: readonly LineToAttribute[];
    facts: ReadonlyMap<string, AttributionFacts>;
    settled: ReadonlyMap<string, SettledLine>;
  },
): Promise<void> {
  const open = lines.flatMap((line) => {
    const of = facts.get(line.lineId);
    return of?.productId !== undefined && dependsOnClicks(of) ? [{ line, of, productId: of.productId }] : [];
  });
  if (open.length === 0) return;
  const latest = await listLatestClicks(
    db,
    open.map(({ line: { lineId }, of, productId }) => {
      const influencerId = of.slots.find(({ kind }) => kind === 'sls')?.influencerId;
      return { lineId, productId, createdAt: of.createdAt, ...(influencerId !== undefined && { influencerId }) };
    }),
  );
  const arrivals = open.flatMap(({ line: { lineId }, of: { createdAt, evidence }, productId }) => {
    const arrivedAt = evidence.clickedAt;
    if (arrivedAt === undefined) return [];
    const from = new Date(arrivedAt.getTime() - ARRIVAL_AFTER_CLICK_MS);
    const until = new Date(arrivedAt.getTime() + ARRIVAL_BEFORE_CLICK_MS);
    return [{ lineId, productId, createdAt, arrivedAt, from, until }];
  });
  const near = arrivals.length === 0 ? [] : await listClicksNear(db, arrivals);
  // Those near go last: of one click the last fact is kept, and theirs may tell of a step.
  const clicksOf = Map.groupBy([...latest, ...near], ({ lineId }) => lineId);
  for (const { line, of } of open) {
    const clicks = uniqueBy(clicksOf.get(line.lineId) ?? [], ({ clickId }) => clickId);
    of.clicks = clicks;
    of.links = uniqueBy([...of.links, ...clicks.map(({ link }) => link)], ({ linkId }) => linkId);
    of.windows = windowsOf(line, of.links, settled.get(line.lineId)?.priced);
  }
}
