/** Instants as texts, which a batch needs by the thousand. */

const SECOND_MS = 1_000;
const MOST_SECONDS = 4_096;
/** Seconds since 1970 → `2026-11-22T15:04:05.`: the clicks of a batch are of a few seconds, and making a date's text is slow. */
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
