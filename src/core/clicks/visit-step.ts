/** The steps of a visitor on the middle page, as the page reports them. */
import { isClickIdText } from './click-id.ts';

export const STEPS = ['view', 'copy', 'open', 'continue'] as const;
export type Step = (typeof STEPS)[number];

/** A step belongs to its click for a day: a later return to the page is not part of that visit. */
export const STEP_WINDOW_MS = 24 * 60 * 60 * 1000;
/** The process that made the click id may have a clock that is ahead. */
const CLOCK_SKEW_MS = 120_000;

/** Reads a report, `<click id> <step>`; undefined for another text. The id may be forged. */
export function parseStepReport(text: string): { clickId: string; step: Step } | undefined {
  const [clickId = '', name, ...others] = text.split(' ', 3);
  const step = STEPS.find((known) => known === name);
  return step !== undefined && others.length === 0 && isClickIdText(clickId) ? { clickId, step } : undefined;
}

/** Whether a step at `steppedAt` belongs to a click at `clickedAt`. */
export function isStepInTime({ clickedAt, steppedAt }: { clickedAt: Date; steppedAt: Date }): boolean {
  const ageMs = steppedAt.getTime() - clickedAt.getTime();
  return ageMs <= STEP_WINDOW_MS && ageMs >= -CLOCK_SKEW_MS;
}
