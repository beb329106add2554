import type { Run } from '../scenario.ts';
import type { Site } from '../site.ts';
import { readMetrics, sumOf } from './metrics.ts';

/** A metric of all apps, summed; 0 where none has it. */
export async function readAppMetric(site: Site, name: string): Promise<number> {
  const texts = await Promise.all(site.apps.map(({ metricsPort }) => readMetrics(metricsPort)));
  return texts.reduce((sum, text) => sum + (sumOf(text ?? '', name) ?? 0), 0);
}

export interface Span {
  fromMs: number;
  toMs: number;
}

/** Does `work` and says when that was, on the clock of the visits. */
export async function timed(work: () => Promise<void>): Promise<Span> {
  const fromMs = performance.now();
  await work();
  return { fromMs, toMs: performance.now() };
}

/** A disk may be late for a moment too, and then the visitor goes on; more than that is a spool that does not work. */
const MOST_UNTRACKED_SHARE = 0.01;

/** In the span the spool keeps what Redis does not take. */
export function expectTracked({ visits, expect }: Run, span: Span, what: string): void {
  const { answered, untracked } = visits.countWithin(span);
  const words = `${untracked} of ${answered} visitors were sent on untracked, although the spool could keep their clicks`;
  expect(untracked <= answered * MOST_UNTRACKED_SHARE, `${what}: ${words}`);
}

/** Of what was asked for in the span, 99 of 100 are answered within the time. @returns the time, ms */
export function expectFast({ visits, expect }: Run, span: Span, limit: { p99Ms: number; what: string }): number {
  const tookMs = visits.quantileMs(0.99, span);
  expect(tookMs <= limit.p99Ms, `${limit.what}: p99 of visits is ${tookMs} ms, more than ${limit.p99Ms}`);
  return tookMs;
}

const POLL_MS = 50;

/** Waits until it is so. @returns whether it came to be in time */
export async function isSoWithin(run: Pick<Run, 'sleep'>, withinMs: number, isSo: () => boolean): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > deadlineMs) return false;
    await run.sleep(POLL_MS);
  }
  return true;
}
