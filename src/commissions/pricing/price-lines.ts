/**
 * Step "price": which terms a line is paid by. They are copied onto the line when it is priced first, and used for every later refund.
 *
 * Terms are chosen by when the order was created, product, store and influencer. They are chosen again only when one of these changes and the
 * line is not released; on a released line only when a person gave it to another influencer.
 */
import assert from 'node:assert/strict';
import { payableAt } from '../../core/money/payable-at.ts';
import type { Tx } from '../../infra/db.ts';
import type { RateCard } from '../terms/rate-cards.ts';
import { loadSplits, splitKey, type SplitRow, type Splits } from '../terms/split-queries.ts';
import type { BookableAttribution, BookableLine } from './desired-line.ts';
import { listLinkProducts, type PricedLine } from './queries.ts';

/** A line that earns: paid, attributed, its product known. */
interface EarningLine extends BookableLine {
  productId: string;
  paidAt: Date;
  attribution: BookableAttribution;
}

export interface PricingInput {
  /** What stands, by line id; a line that was never priced is absent. */
  priced: ReadonlyMap<string, PricedLine>;
  /** By brand id; used for lines whose terms are chosen now. */
  rateCards: ReadonlyMap<string, RateCard>;
  /** Those that the caller has read already; what is missing is read here. */
  splits?: Splits;
  /** A person says that the copies were wrong: terms are chosen again for every line, also a released one. */
  reprice?: boolean;
}

/**
 * The terms and state of each line that earns or once earned, by line id. Writes nothing.
 *
 * @param lines  each line once; the caller holds the locks of their orders
 */
export async function priceLines(
  tx: Tx,
  lines: readonly BookableLine[],
  input: PricingInput,
): Promise<Map<string, PricedLine>> {
  const earning = await listEarning(tx, lines);
  const terms = await chooseTerms(tx, earning, input);
  const states = new Map<string, PricedLine>();
  for (const line of lines) {
    const state = stateOf(line, {
      isEarning: earning.has(line.lineId),
      terms: terms.get(line.lineId),
      before: input.priced.get(line.lineId),
    });
    if (state !== undefined) states.set(line.lineId, state);
  }
  return states;
}

/** Those of the states that differ from what stands: what is to be written. */
export function changedStates(
  states: ReadonlyMap<string, PricedLine>,
  { priced, reprice = false }: Pick<PricingInput, 'priced' | 'reprice'>,
): PricedLine[] {
  return [...states.values()].filter((state) => reprice || !isSameState(state, priced.get(state.lineId)));
}

/** The lines that earn, by id, each with the product by which it is priced: its own, or the link's where its item is not registered. */
async function listEarning(tx: Tx, lines: readonly BookableLine[]): Promise<Map<string, EarningLine>> {
  const unnamed = lines.flatMap(({ attribution, productId }) =>
    !productId && attribution ? [attribution.linkId] : [],
  );
  const products = unnamed.length === 0 ? new Map<string, string>() : await listLinkProducts(tx, unnamed);
  const earning = new Map<string, EarningLine>();
  for (const line of lines) {
    const { attribution, paidAt } = line;
    if (attribution === undefined || paidAt === undefined) continue;
    const productId = line.productId || products.get(attribution.linkId);
    assert(productId !== undefined, 'a link promotes a product');
    earning.set(line.lineId, { ...line, productId, paidAt, attribution });
  }
  return earning;
}

/** The terms of each line that earns: its copy, or a new one where none stands or what it was chosen by has changed. */
async function chooseTerms(
  tx: Tx,
  earning: ReadonlyMap<string, EarningLine>,
  { priced, rateCards, splits = new Map(), reprice = false }: PricingInput,
): Promise<Map<string, PricedLine>> {
  const terms = new Map<string, PricedLine>();
  const open: EarningLine[] = [];
  for (const line of earning.values()) {
    const before = priced.get(line.lineId);
    if (before !== undefined && !reprice && keepsTerms(line, before)) terms.set(line.lineId, before);
    else open.push(line);
  }
  const missing = open.map(shareOf).filter((share) => !splits.has(splitKey(share)));
  const read = await loadSplits(tx, missing);
  for (const line of open) {
    const key = splitKey(shareOf(line));
    const split = splits.get(key) ?? read.get(key);
    const rateCard = rateCards.get(line.brandId);
    assert(split !== undefined && rateCard !== undefined, 'the influencer exists and the terms of the brand were read');
    const before = priced.get(line.lineId);
    // Where no terms cover what the line has become, it keeps those it has; those of another influencer never price it.
    const kept = before?.influencerId === line.attribution.influencerId ? before : undefined;
    const chosen = copyTerms(line, { rateCard, split, before }) ?? kept;
    if (chosen !== undefined) terms.set(line.lineId, chosen);
  }
  return terms;
}

function shareOf(line: EarningLine): { influencerId: string; at: Date } {
  return { influencerId: line.attribution.influencerId, at: line.orderCreatedAt };
}

function keepsTerms(line: EarningLine, before: PricedLine): boolean {
  if (before.influencerId !== line.attribution.influencerId) return false;
  if (before.releasedAt !== null) return true;
  return before.productId === line.productId && before.orderCreatedAt.getTime() === line.orderCreatedAt.getTime();
}

function copyTerms(
  line: EarningLine,
  { rateCard, split, before }: { rateCard: RateCard; split: SplitRow; before: PricedLine | undefined },
): PricedLine | undefined {
  const { influencerId } = line.attribution;
  const { orderCreatedAt, productId, storeId } = line;
  const chosen = rateCard.termsFor({ createdAt: orderCreatedAt, productId, storeId, influencerId });
  if (chosen === undefined) return undefined;
  return {
    lineId: line.lineId,
    brandId: line.brandId,
    termsId: chosen.termsId,
    productId,
    influencerId,
    orderCreatedAt,
    basis: chosen.basis,
    rateBp: chosen.rate.kind === 'rate' ? chosen.rate.rateBp : null,
    flatFen: chosen.rate.kind === 'flat' ? chosen.rate.flatFen : null,
    windowDays: chosen.windowDays,
    holdDays: chosen.holdDays,
    platformFeeBp: rateCard.policyAt(orderCreatedAt).platformFeeBp,
    agencyPayeeId: split.agencyPayeeId,
    agencyShareBp: split.agencyShareBp ?? 0,
    influencerPayeeId: split.payeeId,
    payableAt: null,
    releasedAt: before?.releasedAt ?? null,
    holdNote: before?.holdNote ?? null,
    holdBy: before?.holdBy ?? null,
  };
}

/** What priced_lines should say of a line; undefined where it has never earned anything. */
function stateOf(
  line: BookableLine,
  { isEarning, terms, before }: { isEarning: boolean; terms: PricedLine | undefined; before: PricedLine | undefined },
): PricedLine | undefined {
  if (!isEarning || terms === undefined) {
    // Nothing is payable any more, so nothing is released: should the line earn again, it waits for its hold again.
    return before === undefined ? undefined : { ...before, payableAt: null, releasedAt: null };
  }
  if (terms.releasedAt !== null) return { ...terms, payableAt: before?.payableAt ?? null };
  const { receivedAt, receivedSeenAt } = line;
  const dueAt = receivedAt && payableAt({ receivedAt, receivedSeenAt, holdDays: terms.holdDays });
  return { ...terms, payableAt: dueAt ?? null };
}

function isSameState(state: PricedLine, before: PricedLine | undefined): boolean {
  return (
    before !== undefined &&
    before.termsId === state.termsId &&
    before.influencerId === state.influencerId &&
    before.productId === state.productId &&
    before.orderCreatedAt.getTime() === state.orderCreatedAt.getTime() &&
    before.payableAt?.getTime() === state.payableAt?.getTime() &&
    before.releasedAt?.getTime() === state.releasedAt?.getTime()
  );
}
