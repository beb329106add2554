/** Texts of instants, days and visits. A batch needs thousands of them. */
import { shanghaiDay } from '../../core/calendar.ts';

const SECOND_MS = 1_000;
const MOST_SECONDS = 4_096;
/** Seconds since 1970 → `2026-11-22T15:04:05.`: the clicks of a batch fall into a few seconds, and formatting a date is slow. */
const secondTexts = new Map<number, string>();
const millisecondTexts = Array.from({ length: SECOND_MS }, (_, ms) => `${String(ms).padStart(3, '0')}Z`);

/** As `Date.toISOString`: `2026-11-22T15:04:05.678Z`. @param atMs  a whole number, of a year of four digits */
export function instantText(atMs: number): string {
  const second = Math.floor(atMs / SECOND_MS);
  let text = secondTexts.get(second);
  if (text === undefined) {
    if (secondTexts.size >= MOST_SECONDS) secondTexts.clear();
    text = new Date(second * SECOND_MS).toISOString().slice(0, -'000Z'.length);
    secondTexts.set(second, text);
  }
  return `${text}${millisecondTexts[atMs - second * SECOND_MS] ?? ''}`;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Shanghai is eight whole hours ahead of UTC all year. */
const SHANGHAI_OFFSET_MS = 8 * HOUR_MS;

const dayTexts = new Map<number, string>();
const MOST_DAYS = 200;

/** The Shanghai day of an instant, `2026-11-22`; computed once a day and not once a click. */
export function dayOf(ms: number): string {
  const number = Math.floor((ms + SHANGHAI_OFFSET_MS) / DAY_MS);
  const known = dayTexts.get(number);
  if (known !== undefined) return known;
  if (dayTexts.size >= MOST_DAYS) dayTexts.clear();
  const text = shanghaiDay(new Date(ms));
  dayTexts.set(number, text);
  return text;
}

const LOW_HALF = 2 ** 32;
/** Odd, so that different links give different numbers also for the small visitor numbers of tests. */
const MIX_HIGH = 0x9e37_79b1;
const MIX_LOW = 0x85eb_ca6b;
const halves = new Int32Array(2);
const whole = new BigInt64Array(halves.buffer);

/**
 * 64 bits of visitor and link, as the text of a Postgres bigint. The visitor is a keyed hash, so two visits collide as rarely as two visitors.
 * The result is the same on every little-endian machine, which all machines that run Node are.
 *
 * @param visitor 16 hex characters
 */
export function visitOf(visitor: string, linkNumber: number): string {
  const [high, low] = [Math.floor(linkNumber / LOW_HALF), linkNumber | 0];
  halves[0] = parseInt(visitor.slice(8), 16) ^ Math.imul(low, MIX_LOW);
  halves[1] = parseInt(visitor.slice(0, 8), 16) ^ Math.imul(low, MIX_HIGH) ^ Math.imul(high, MIX_LOW);
  return String(whole[0]);
}
