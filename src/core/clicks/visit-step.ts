/** What a visitor does on the middle page, as it is reported and counted. */
import { STEPS, type Step } from '../vocabulary.ts';
import { isClickIdText } from './click-id.ts';

/** A step belongs to its click for a day: whoever comes back to a page later is no part of that visit. */
export const STEP_WINDOW_MS = 24 * 60 * 60 * 1000;
/** A click id may have been made by a process whose clock is ahead. */
const CLOCK_SKEW_MS = 120_000;

/** Reads a report, `<click id> <step>`; undefined where it is none. Says nothing about who made the id. */
export function parseStepReport(text: string): { clickId: string; step: Step } | undefined {
  const [clickId = '', name, ...others] = text.split(' ', 3);
  const step = STEPS.find((known) => known === name);
  return step !== undefined && others.length === 0 && isClickIdText(clickId) ? { clickId, step } : undefined;
}

/** Whether a step at that moment still belongs to a click of that moment. */
export function isStepInTime({ clickedAt, steppedAt }: { clickedAt: Date; steppedAt: Date }): boolean {
  const ageMs = steppedAt.getTime() - clickedAt.getTime();
  return ageMs <= STEP_WINDOW_MS && ageMs >= -CLOCK_SKEW_MS;
}
