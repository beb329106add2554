import type { TermsBook } from '../commissions/terms.ts';
import { dependsOnClicks } from '../core/attribution.ts';
import type { AttributionFacts, LinkFact, SlotLease } from '../core/attribution-facts.ts';
import { ARRIVAL_AFTER_CLICK_MS, ARRIVAL_BEFORE_CLICK_MS } from '../core/attribution-levels.ts';
import type { ClickIdReading } from '../core/click-id.ts';
import { canonicalCoupon } from '../core/coupon.ts';
import type { LineEvidence } from '../core/order-event.ts';
import type { Queryable } from '../infra/db.ts';
import { findClickRows, listClicksNear, listLatestClicks } from './click-evidence-queries.ts';
import {
  findDrainedTo,
  findLinksOfCodes,
  findSettledLines,
  listCouponLeases,
  listLinks,
  listSlotLeases,
  listStatusChanges,
} from './evidence-queries.ts';
import type { SettledLine, SlotName } from './evidence-queries.ts';

/** One order line as the ladder needs it. */
export interface LineToAttribute {
  lineId: string;
  brandId: string;
  storeId: string;
  orderSource: 'youzan' | 'shop' | 'tbk';
  orderCreatedAt: Date;
  productId?: string;
  evidence: LineEvidence;
  /** Of the line's brand. */
  terms: TermsBook;
}

export interface EvidenceDeps {
  readClickId: (text: string) => ClickIdReading;
  inferenceDelaySeconds: number;
}

/** What was read for all lines together, before it is dealt out to them. */
interface Found {
  settled: ReadonlyMap<string, SettledLine>;
  slots: Awaited<ReturnType<typeof listSlotLeases>>;
  coupons: Awaited<ReturnType<typeof listCouponLeases>>;
  linkOfCode: Map<string, string>;
  clickRows: Awaited<ReturnType<typeof findClickRows>>;
  links: LinkFact[];
  drainedTo: Date | undefined;
}

/**
 * Everything the ladder may ask about these lines, read with a fixed number of queries (at most ten) however many lines there are.
 *
 * Lines that stronger evidence decides are spared the search for clicks. The facts of one moment: the caller holds the orders' locks
 * where the answer is to be written.
 *
 * @returns the facts of every line given, by line id
 */
export async function loadAttributionFacts(
  db: Queryable,
  lines: readonly LineToAttribute[],
  deps: EvidenceDeps,
): Promise<Map<string, AttributionFacts>> {
  if (lines.length === 0) return new Map();
  const readings = new Map(
    lines.flatMap(({ evidence: { clickId } }) => (clickId === undefined ? [] : [[clickId, deps.readClickId(clickId)]])),
  );
  const found = await findNamed(db, lines, readings);
  const facts = new Map(lines.map((line) => [line.lineId, factsOf(line, { found, readings, deps })]));
  await addStatusChanges(db, facts);
  await addClicks(db, { lines, facts, settled: found.settled });
  return facts;
}

/** Reads what the lines' evidence names. Queries with nothing to ask are left out. */
async function findNamed(
  db: Queryable,
  lines: readonly LineToAttribute[],
  readings: ReadonlyMap<string, ClickIdReading>,
): Promise<Found> {
  const slotNames = uniqueBy(lines.flatMap(slotNamesOf), (slot) => `${slot.storeId} ${slot.kind} ${slot.externalId}`);
  const couponNames = uniqueBy(lines.flatMap(couponNameOf), (coupon) => `${coupon.storeId} ${coupon.code}`);
  const codes = [...new Set(lines.flatMap(({ evidence }) => evidence.noteCodes ?? []))];
  const authentic = [...readings].flatMap(([clickId, reading]) => (reading.ok ? [{ clickId, ...reading }] : []));

  const drainedTo = await findDrainedTo(db);
  const settled = await findSettledLines(
    db,
    lines.map(({ lineId }) => lineId),
  );
  const slots = slotNames.length === 0 ? [] : await listSlotLeases(db, slotNames);
  const coupons = couponNames.length === 0 ? [] : await listCouponLeases(db, couponNames);
  const linkOfCode = codes.length === 0 ? new Map<string, string>() : await findLinksOfCodes(db, codes);
  const clickRows = authentic.length === 0 ? new Map() : await findClickRows(db, authentic);

  const numbers = [...new Set(authentic.map(({ linkNumber }) => linkNumber))];
  const assigned = [...settled.values()].flatMap(({ decision }) => decision?.linkId ?? []);
  const linkIds = [...new Set([...assigned, ...linkOfCode.values()])];
  const pairs = pairsOf(lines, { slots, coupons });
  const isNamed = numbers.length + linkIds.length + pairs.length > 0;
  const links = isNamed ? await listLinks(db, { numbers, linkIds, pairs }) : [];
  return { drainedTo, settled, slots, coupons, linkOfCode, clickRows, links };
}

/** Whom slots and coupons of a line's store name, with the line's product. */
function pairsOf(lines: readonly LineToAttribute[], { slots, coupons }: Pick<Found, 'slots' | 'coupons'>) {
  const ownersOf = Map.groupBy([...slots, ...coupons], ({ storeId }) => storeId);
  const pairs = lines.flatMap(({ storeId, productId }) =>
    productId === undefined
      ? []
      : (ownersOf.get(storeId) ?? []).map(({ influencerId }) => ({ influencerId, productId })),
  );
  return uniqueBy(pairs, ({ influencerId, productId }) => `${influencerId} ${productId}`);
}

/** The facts of one line, still without status history and clicks. */
function factsOf(
  line: LineToAttribute,
  { found, readings, deps }: { found: Found; readings: ReadonlyMap<string, ClickIdReading>; deps: EvidenceDeps },
): AttributionFacts {
  const { storeId, productId, evidence } = line;
  const names = new Set(slotNamesOf(line).map(({ kind, externalId }) => `${kind} ${externalId}`));
  const slots = found.slots.filter((slot) => slot.storeId === storeId && names.has(`${slot.kind} ${slot.externalId}`));
  const [coupon] = couponNameOf(line);
  const coupons = found.coupons.filter((lease) => lease.storeId === storeId && lease.code === coupon?.code);
  const noteLinks = (evidence.noteCodes ?? []).flatMap((code) => {
    const linkId = found.linkOfCode.get(code);
    return linkId === undefined ? [] : [{ code, linkId }];
  });
  const reading = evidence.clickId === undefined ? undefined : readings.get(evidence.clickId);
  const clickRow = evidence.clickId === undefined ? undefined : found.clickRows.get(evidence.clickId);
  const { decision, frozen } = found.settled.get(line.lineId) ?? {};

  const linkIds = new Set([...noteLinks.map(({ linkId }) => linkId), decision?.linkId]);
  const owners = new Set([...slots, ...coupons].map(({ influencerId }) => influencerId));
  const isNamed = (link: LinkFact): boolean =>
    linkIds.has(link.linkId) ||
    (reading?.ok === true && reading.linkNumber === link.linkNumber) ||
    (link.productId === productId && owners.has(link.influencerId));
  const links = found.links.filter(isNamed);
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
    windows: windowsOf(line, links, frozen),
    ...(found.drainedTo !== undefined && { drainedTo: found.drainedTo }),
    inferenceDelaySeconds: deps.inferenceDelaySeconds,
  };
}

/**
 * The windows by the terms of the product sold; of the link's where the sold one is not registered. A line that is booked keeps the window
 * of its frozen terms as it keeps their rate, whatever versions are added later.
 */
function windowsOf(
  line: LineToAttribute,
  links: readonly LinkFact[],
  frozen: SettledLine['frozen'],
): AttributionFacts['windows'] {
  const isFrozen = (sale: { influencerId: string; productId: string }): boolean =>
    frozen?.influencerId === sale.influencerId &&
    frozen.productId === sale.productId &&
    frozen.orderCreatedAt.getTime() === line.orderCreatedAt.getTime();
  const sales = uniqueBy(
    links.map((link) => ({ influencerId: link.influencerId, productId: line.productId ?? link.productId })),
    ({ influencerId, productId }) => `${influencerId} ${productId}`,
  );
  return sales.flatMap((sale) => {
    if (frozen !== undefined && isFrozen(sale)) return [{ ...sale, windowDays: frozen.windowDays }];
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
  const clicksOf = Map.groupBy([...latest, ...near], ({ lineId }) => lineId);
  for (const { line, of } of open) {
    const clicks = uniqueBy(clicksOf.get(line.lineId) ?? [], ({ clickId }) => clickId);
    of.clicks = clicks;
    of.links = uniqueBy([...of.links, ...clicks.map(({ link }) => link)], ({ linkId }) => linkId);
    of.windows = windowsOf(line, of.links, settled.get(line.lineId)?.frozen);
  }
}

function slotNamesOf({ storeId, evidence }: LineToAttribute): SlotName[] {
  const named: [SlotLease['kind'], string | undefined][] = [
    ['adzone', evidence.adzoneId],
    ['relation', evidence.relationId],
    ['relation', evidence.specialId],
    ['sls', evidence.sls],
  ];
  return named.flatMap(([kind, externalId]) => (externalId === undefined ? [] : [{ storeId, kind, externalId }]));
}

/** None where what stands in the order cannot be a registered coupon. */
function couponNameOf({ storeId, evidence }: LineToAttribute): { storeId: string; code: string }[] {
  const code = evidence.couponCode === undefined ? undefined : canonicalCoupon(evidence.couponCode);
  return code === undefined ? [] : [{ storeId, code }];
}

function uniqueBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}
