/**
 * The eligibility of a store for promotion: a rating of at least 4 of 5 stars, on any scale, and at least 90 days of experience by default.
 *
 * Ratings are compared as exact fractions, because 4.0 of 5 must pass and 3.9999 of 5 must not, on every scale.
 */
import assert from 'node:assert/strict';
import { dayToInstant, isDay } from '../calendar.ts';

export interface StoreRecord {
  /** Decimal text, as Postgres returns a numeric: `4.8`. Null where no rating is known. */
  score: string | null;
  /** The best score possible, decimal text: `5`, `100`. */
  scale: string | null;
  /** The day the store opened, `yyyy-mm-dd`. Null where it is unknown. */
  openedOn: string | null;
}

export interface EligibilityRule {
  /** The lowest `score / scale` allowed, as decimal texts: `{ score: '4', scale: '5' }`. */
  minStars: { score: string; scale: string };
  minAgeDays: number;
}

export interface IneligibilityReason {
  code: 'no_rating' | 'invalid_rating' | 'score_too_low' | 'no_opening_day' | 'invalid_opening_day' | 'too_new';
  /** One sentence for a person. */
  detail: string;
}

export interface Eligibility {
  eligible: boolean;
  /** Every reason against the store, the rating first; empty if it is eligible. */
  reasons: IneligibilityReason[];
}

export const DEFAULT_ELIGIBILITY_RULE: EligibilityRule = { minStars: { score: '4', scale: '5' }, minAgeDays: 90 };

const DAY_MS = 86_400_000;

/**
 * Checks a store's recorded rating and opening day against the rule.
 *
 * @param today the Shanghai day of the decision, `yyyy-mm-dd`; a store that opened exactly `minAgeDays` earlier is old enough
 * @throws AssertionError on a malformed rule or day: a bug, because the configuration is checked when it is read
 */
export function checkEligibility(store: StoreRecord, rule: EligibilityRule, today: string): Eligibility {
  const reasons = [checkRating(store, rule), checkAge(store, rule, today)].filter((reason) => reason !== undefined);
  return { eligible: reasons.length === 0, reasons };
}

function checkRating({ score, scale }: StoreRecord, { minStars }: EligibilityRule): IneligibilityReason | undefined {
  const minScore = parseDecimal(minStars.score);
  const minScale = parseDecimal(minStars.scale);
  assert(minScore !== undefined && minScale !== undefined && minScale.units > 0n, 'the least rating is a fraction');
  if (score === null || scale === null) return { code: 'no_rating', detail: 'The store has no rating.' };

  const given = parseDecimal(score);
  const best = parseDecimal(scale);
  if (given === undefined || best === undefined || best.units === 0n || compareProducts([given], [best]) > 0) {
    return { code: 'invalid_rating', detail: `The rating ${score} of ${scale} is not possible.` };
  }
  // given/best >= minScore/minScale, without a division.
  if (compareProducts([given, minScale], [minScore, best]) >= 0) return undefined;
  const wanted = `${minStars.score} of ${minStars.scale}`;
  return { code: 'score_too_low', detail: `The store's rating is ${score} of ${scale}; at least ${wanted} is needed.` };
}

function checkAge(
  { openedOn }: StoreRecord,
  { minAgeDays }: EligibilityRule,
  today: string,
): IneligibilityReason | undefined {
  assert(isDay(today), 'today is a day of the calendar');
  assert(Number.isInteger(minAgeDays) && minAgeDays >= 0, 'the least age is a number of days');
  if (openedOn === null) return { code: 'no_opening_day', detail: 'The day the store opened is not known.' };

  if (!isDay(openedOn)) {
    return { code: 'invalid_opening_day', detail: `The opening day ${openedOn} is not a day of the calendar.` };
  }
  const ageDays = (dayToInstant(today).getTime() - dayToInstant(openedOn).getTime()) / DAY_MS;
  if (ageDays >= minAgeDays) return undefined;
  const age = ageDays < 0 ? 'in the future' : `${ageDays} days ago`;
  return {
    code: 'too_new',
    detail: `The store opened ${age}, on ${openedOn}; at least ${minAgeDays} days of experience are needed.`,
  };
}

/** `units / 10^places` */
interface Decimal {
  units: bigint;
  places: number;
}

function parseDecimal(text: string): Decimal | undefined {
  const [, whole, fraction = ''] = /^(\d{1,15})(?:\.(\d{1,15}))?$/.exec(text) ?? [];
  return whole === undefined ? undefined : { units: BigInt(whole + fraction), places: fraction.length };
}

/** The sign of (product of the left) − (product of the right). */
function compareProducts(left: Decimal[], right: Decimal[]): number {
  const places = (factors: Decimal[]): number => factors.reduce((sum, factor) => sum + factor.places, 0);
  const units = (factors: Decimal[]): bigint => factors.reduce((product, factor) => product * factor.units, 1n);
  const difference = units(left) * 10n ** BigInt(places(right)) - units(right) * 10n ** BigInt(places(left));
  if (difference === 0n) return 0;
  return difference > 0n ? 1 : -1;
}
