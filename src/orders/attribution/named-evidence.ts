import type { DecisionFact, LinkFact, SlotLease } from '../../core/attribution/facts.ts';
import type { ClickIdReading } from '../../core/clicks/click-id.ts';
import { canonicalCoupon } from '../../core/attribution/coupon.ts';
import type { LineEvidence } from '../../core/orders/order-event.ts';
import type { Queryable } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import { listClickRows } from './click-evidence-queries.ts';
import { findDrainedTo, listCouponLeases, listLinks, listLinksOfCodes, listSlotLeases } from './evidence-queries.ts';
import type { SlotName } from './evidence-queries.ts';

/** A line as far as its evidence names something. */
export interface NamedLine {
  storeId: string;
  evidence: LineEvidence;
}

export interface ReadingDeps {
  readClickId: (text: string) => ClickIdReading;
}

/** What one round trip answers about the evidence of lines. */
export interface EvidenceAnswers {
  /** By click id as it stands in the evidence. */
  readings: ReadonlyMap<string, ClickIdReading>;
  slots: Awaited<ReturnType<typeof listSlotLeases>>;
  coupons: Awaited<ReturnType<typeof listCouponLeases>>;
  linkOfCode: ReadonlyMap<string, string>;
  clickRows: Awaited<ReturnType<typeof listClickRows>>;
  /** Numbers of the links that authentic click ids name. */
  numbers: readonly number[];
  /** These links, where nothing else in the evidence names any; else the links are read once all of them can be named. */
  clickedLinks: readonly LinkFact[] | undefined;
  drainedTo: Date | undefined;
}

/** The same with every link that any of it names. */
export interface NamedEvidence extends EvidenceAnswers {
  links: readonly LinkFact[];
}

/** What the click ids in the lines' evidence say, by click id. */
export function readClickIds(
  lines: readonly Pick<NamedLine, 'evidence'>[],
  { readClickId }: ReadingDeps,
): EvidenceAnswers['readings'] {
  return new Map(
    lines.flatMap(({ evidence: { clickId } }) => (clickId === undefined ? [] : [[clickId, readClickId(clickId)]])),
  );
}

/** Looks up what the lines' evidence names, in one round trip. Lookups of nothing are left out. */
export async function lookUpEvidence(
  db: Queryable,
  lines: readonly NamedLine[],
  readings: EvidenceAnswers['readings'],
): Promise<EvidenceAnswers> {
  const authentic = [...readings].flatMap(([clickId, reading]) => (reading.ok ? [{ clickId, ...reading }] : []));
  const numbers = [...new Set(authentic.map(({ linkNumber }) => linkNumber))];
  const slotNames = uniqueBy(lines.flatMap(slotNamesOf), (slot) => `${slot.storeId} ${slot.kind} ${slot.externalId}`);
  const couponNames = uniqueBy(lines.flatMap(couponNameOf), (coupon) => `${coupon.storeId} ${coupon.code}`);
  const codes = [...new Set(lines.flatMap(({ evidence }) => evidence.noteCodes ?? []))];
  const namesOnlyClicks = slotNames.length + couponNames.length + codes.length === 0;
  const found = await pipelined(db, () => ({
    drainedTo: findDrainedTo(db),
    slots: listSlotLeases(db, slotNames),
    coupons: listCouponLeases(db, couponNames),
    linkOfCode: listLinksOfCodes(db, codes),
    clickRows: listClickRows(db, authentic),
    clickedLinks: namesOnlyClicks ? listLinks(db, { numbers, linkIds: [], pairs: [] }) : undefined,
  }));
  return { readings, numbers, ...found };
}

/**
 * Adds every link that click ids, codes, slots and coupons name, and those that people assigned. No round trip where `lookUpEvidence` knew
 * them all.
 *
 * @param decisions  the standing decisions about the lines
 */
export async function completeLinks(
  db: Queryable,
  lines: readonly (Pick<NamedLine, 'storeId'> & { productId?: string | undefined })[],
  answers: EvidenceAnswers,
  decisions: readonly DecisionFact[],
): Promise<NamedEvidence> {
  const assigned = decisions.flatMap(({ linkId }) => linkId ?? []);
  if (answers.clickedLinks !== undefined && assigned.length === 0) return { ...answers, links: answers.clickedLinks };
  const linkIds = [...new Set([...assigned, ...answers.linkOfCode.values()])];
  const links = await listLinks(db, { numbers: answers.numbers, linkIds, pairs: pairsOf(lines, answers) });
  return { ...answers, links };
}

/** The influencers that slots and coupons of a line's store name, each with the line's product. */
function pairsOf(
  lines: readonly (Pick<NamedLine, 'storeId'> & { productId?: string | undefined })[],
  { slots, coupons }: Pick<EvidenceAnswers, 'slots' | 'coupons'>,
) {
  const ownersOf = Map.groupBy([...slots, ...coupons], ({ storeId }) => storeId);
  const pairs = lines.flatMap(({ storeId, productId }) =>
    productId === undefined
      ? []
      : (ownersOf.get(storeId) ?? []).map(({ influencerId }) => ({ influencerId, productId })),
  );
  return uniqueBy(pairs, ({ influencerId, productId }) => `${influencerId} ${productId}`);
}

/** The tracking slots that a line's evidence names. */
export function slotNamesOf({ storeId, evidence }: NamedLine): SlotName[] {
  const named: [SlotLease['kind'], string | undefined][] = [
    ['adzone', evidence.adzoneId],
    ['relation', evidence.relationId],
    ['relation', evidence.specialId],
    ['sls', evidence.sls],
  ];
  return named.flatMap(([kind, externalId]) => (externalId === undefined ? [] : [{ storeId, kind, externalId }]));
}

/** None where what stands in the order cannot be a registered coupon. */
export function couponNameOf({ storeId, evidence }: NamedLine): { storeId: string; code: string }[] {
  const code = evidence.couponCode === undefined ? undefined : canonicalCoupon(evidence.couponCode);
  return code === undefined ? [] : [{ storeId, code }];
}

/** The items, of those with one key the last. */
export function uniqueBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}
