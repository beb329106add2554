import type { Answer } from '../support/paced-answers.ts';
import { percentile } from '../support/statistics.ts';

export interface MemorySample {
  atMs: number;
  residentMb: number;
}

/** Half-open, milliseconds since 1970. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export interface PhaseResult {
  seconds: number;
  requests: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Sent on without a click id. */
  untracked: number;
  /** Another status than 302, or no answer. */
  failed: number;
  /** The most memory seen. */
  residentMb: number;
}

/** What visitors met whose requests were due in a span, and what the server held meanwhile. */
export function phaseOf(span: Span, answers: readonly Answer[], memory: readonly MemorySample[]): PhaseResult {
  const isIn = (ms: number): boolean => ms >= span.fromMs && ms < span.toMs;
  const own = answers.filter(({ dueMs }) => isIn(dueMs));
  const latencies = own.map(({ latencyMs }) => latencyMs);
  return {
    seconds: (span.toMs - span.fromMs) / 1_000,
    requests: own.length,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    untracked: own.filter(({ outcome }) => outcome === 'untracked').length,
    failed: own.filter(({ outcome }) => outcome === 'refused' || outcome === 'failed').length,
    residentMb: memory.reduce((most, { atMs, residentMb }) => (isIn(atMs) ? Math.max(most, residentMb) : most), 0),
  };
}
