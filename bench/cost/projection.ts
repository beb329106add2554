/** Arithmetic from the cost of one click to traffic that was not measured. */

const PEAK_PER_SECOND = 100_000;
const MONTHLY_CLICKS = 10e9;
const MONTH_SECONDS = 30 * 86_400;
const SECONDS_PER_MINUTE = 60;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

function significant(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

/** Decimal units, two significant digits or whole numbers. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${significant(bytes / 1_000 ** power)} ${UNITS[power]}`;
}

/** @param us  CPU of a click, µs, which is also core-seconds of a million */
export function cpuRow(what: string, us: number): string[] {
  return [
    what,
    `${significant(us)} µs`,
    `${significant(us)} core-s`,
    `${significant((us / 1e6) * PEAK_PER_SECOND)} cores`,
    `${significant((us / 1e6) * (MONTHLY_CLICKS / MONTH_SECONDS))} cores on average`,
  ];
}

/** @param per  what the peak column shows: what gathers in a second, or in a minute in which nobody takes it away */
export function sizeRow(what: string, bytes: number, per: 'a second' | 'a minute without workers'): string[] {
  const isGathering = per === 'a minute without workers';
  const peakBytes = bytes * PEAK_PER_SECOND * (isGathering ? SECONDS_PER_MINUTE : 1);
  return [
    what,
    formatBytes(bytes),
    formatBytes(bytes * 1e6),
    `${formatBytes(peakBytes)} ${per}`,
    isGathering ? '–' : formatBytes(bytes * MONTHLY_CLICKS),
  ];
}
