/**
 * Days, months and local times of the business: Asia/Shanghai, which has been +08:00 without summer time since 1991.
 *
 * A fixed offset keeps this pure: the result does not depend on the machine's time-zone data. Days are texts (`2026-11-22`), instants are Dates.
 */

const SHANGHAI_OFFSET_MS = 8 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const LOCAL_TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MONTH = /^\d{4}-\d{2}$/;

/** The instant of an ISO text without zone, read as Shanghai time; undefined unless the text is a real date and time. */
function instantOf(isoText: string): Date | undefined {
  const asIfUtc = new Date(`${isoText}Z`);
  if (Number.isNaN(asIfUtc.getTime())) return undefined;
  // Date turns 30 February and 24:00:00 into other times; a text that does not come back unchanged is not a real time.
  if (!asIfUtc.toISOString().startsWith(isoText)) return undefined;
  return new Date(asIfUtc.getTime() - SHANGHAI_OFFSET_MS);
}

/** Reads "yyyy-MM-dd HH:mm:ss", as platforms send times (Shanghai time, no zone). Undefined for any other text. */
export function parseShanghaiTime(text: string): Date | undefined {
  const match = LOCAL_TIME.exec(text);
  return match === null ? undefined : instantOf(`${match[1]}T${match[2]}`);
}

/** Whether a text is a real calendar day, `2026-11-22`. */
export function isDay(text: string): boolean {
  return DAY.test(text) && instantOf(`${text}T00:00:00`) !== undefined;
}

/** Whether a text is a real month, `2026-11`. */
export function isMonth(text: string): boolean {
  return MONTH.test(text) && isDay(`${text}-01`);
}

/**
 * The instant at which a Shanghai day begins (00:00 +08:00).
 *
 * @throws RangeError when the text is not a day; check user input with `isDay` first
 */
export function dayToInstant(day: string): Date {
  const instant = isDay(day) ? instantOf(`${day}T00:00:00`) : undefined;
  if (instant === undefined) throw new RangeError('not a calendar day');
  return instant;
}

/** The Shanghai day of an instant, `2026-11-22`. @throws RangeError on an invalid Date or a year outside 0-9999 */
export function shanghaiDay(instant: Date): string {
  const text = new Date(instant.getTime() + SHANGHAI_OFFSET_MS).toISOString();
  if (text.length !== 24) throw new RangeError('the instant has no four-digit year');
  return text.slice(0, 10);
}

/** The Shanghai month of an instant, `2026-11`. @throws RangeError as `shanghaiDay` */
export function shanghaiMonth(instant: Date): string {
  return shanghaiDay(instant).slice(0, 7);
}

/** The instant `days` × 24 hours later, or earlier for a negative number; in Shanghai that is the same time of day. */
export function addDays(instant: Date, days: number): Date {
  return new Date(instant.getTime() + days * DAY_MS);
}
