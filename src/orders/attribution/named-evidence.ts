import type { LinkFact, SlotLease } from '../../core/attribution/facts.ts';
import type { ClickIdReading } from '../../core/clicks/click-id.ts';
import { canonicalCoupon } from '../../core/attribution/coupon.ts';
import type { LineEvidence } from '../../core/orders/order-event.ts';
import type { Queryable } from '../../infra/db.ts';
import { together } from '../../infra/together.ts';
import { findClickRows } from './click-evidence-queries.ts';
import {
  findDrainedTo,
  findLinksOfCodes,
  findSettledLines,
  listCouponLeases,
  listLinks,
  listSlotLeases,
} from './evidence-queries.ts';
import type { SettledLine, SlotName } from './evidence-queries.ts';

/** What is asked about a line before its product and its terms are known. */
export interface NamedLine {
  lineId: string;
  storeId: string;
  evidence: LineEvidence;
}

export interface ReadingDeps {
  readClickId: (text: string) => ClickIdReading;
}

/** What the evidence of lines names, read for all of them together, before it is dealt out to them. */
export interface NamedEvidence {
  /** By click id as it stands in the evidence. */
  readings: ReadonlyMap<string, ClickIdReading>;
  settled: ReadonlyMap<string, SettledLine>;
  slots: Awaited<ReturnType<typeof listSlotLeases>>;
  coupons: Awaited<ReturnType<typeof listCouponLeases>>;
  linkOfCode: ReadonlyMap<string, string>;
  clickRows: Awaited<ReturnType<typeof findClickRows>>;
  links: readonly LinkFact[];
  drainedTo: Date | undefined;
}

/** What one round trip answers of it: the links may be missing still. */
export interface AskedEvidence extends Omit<NamedEvidence, 'links'> {
  /** Numbers of links that authentic click ids name. */
  numbers: readonly number[];
  /** Undefined where others than click ids may name links, so that they are not known yet. */
  links: readonly LinkFact[] | undefined;
}

/** Reads what the lines' evidence names: `askEvidence`, then `completeLinks`. */
export async function findNamedEvidence(
  db: Queryable,
  lines: readonly (NamedLine & { productId?: string })[],
  deps: ReadingDeps,
): Promise<NamedEvidence> {
  const storedLineIds = lines.map(({ lineId }) => lineId);
  return completeLinks(db, lines, await askEvidence(db, lines, { ...deps, storedLineIds }));
}

/**
 * Reads what the lines' evidence names, in one round trip. Queries with nothing to ask are left out.
 *
 * @param deps.storedLineIds  the lines that were stored before; of the others nothing can be settled
 * @param deps.readings  those of `readClickIds` where the caller has them
 */
export async function askEvidence(
  db: Queryable,
  lines: readonly NamedLine[],
  deps: ReadingDeps & { storedLineIds: readonly string[]; readings?: AskedEvidence['readings'] },
): Promise<AskedEvidence> {
  const { readings = readClickIds(lines, deps) } = deps;
  const authentic = [...readings].flatMap(([clickId, reading]) => (reading.ok ? [{ clickId, ...reading }] : []));
  const numbers = [...new Set(authentic.map(({ linkNumber }) => linkNumber))];
  const slotNames = uniqueBy(lines.flatMap(slotNamesOf), (slot) => `${slot.storeId} ${slot.kind} ${slot.externalId}`);
  const couponNames = uniqueBy(lines.flatMap(couponNameOf), (coupon) => `${coupon.storeId} ${coupon.code}`);
  const codes = [...new Set(lines.flatMap(({ evidence }) => evidence.noteCodes ?? []))];
  const onlyClicks = slotNames.length + couponNames.length + codes.length + deps.storedLineIds.length === 0;
  const [drainedTo, settled, slots, coupons, linkOfCode, clickRows, links] = await together(db, () => [
    findDrainedTo(db),
    findSettledLines(db, deps.storedLineIds),
    listSlotLeases(db, slotNames),
    listCouponLeases(db, couponNames),
    findLinksOfCodes(db, codes),
    findClickRows(db, authentic),
    listLinks(db, { numbers: onlyClicks ? numbers : [], linkIds: [], pairs: [] }),
  ]);
  const found = { readings, numbers, drainedTo, settled, slots, coupons, linkOfCode, clickRows };
  return { ...found, links: onlyClicks ? links : undefined };
}

/** What the click ids in the lines' evidence say, by click id. */
export function readClickIds(lines: readonly NamedLine[], { readClickId }: ReadingDeps): AskedEvidence['readings'] {
  return new Map(
    lines.flatMap(({ evidence: { clickId } }) => (clickId === undefined ? [] : [[clickId, readClickId(clickId)]])),
  );
}

/** Reads the links that the evidence names, where `askEvidence` could not know them all. */
export async function completeLinks(
  db: Queryable,
  lines: readonly (NamedLine & { productId?: string })[],
  asked: AskedEvidence,
): Promise<NamedEvidence> {
  if (asked.links !== undefined) return { ...asked, links: asked.links };
  const assigned = [...asked.settled.values()].flatMap(({ decision }) => decision?.linkId ?? []);
  const linkIds = [...new Set([...assigned, ...asked.linkOfCode.values()])];
  const links = await listLinks(db, { numbers: asked.numbers, linkIds, pairs: pairsOf(lines, asked) });
  return { ...asked, links };
}

/** Whom slots and coupons of a line's store name, with the line's product. */
function pairsOf(
  lines: readonly (NamedLine & { productId?: string })[],
  { slots, coupons }: Pick<NamedEvidence, 'slots' | 'coupons'>,
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
