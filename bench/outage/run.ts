/** (d) Memory and waiting times of the redirect while Redis is away. */
import { BenchFault } from '../subject.ts';
import type { Ratio, SubjectOptions, SubjectResult } from '../subject.ts';
import type { OutageKind } from '../support/redis-process.ts';
import { disturbanceNotes, measuredOf, runRounds } from '../support/rounds.ts';
import { median, rounded } from '../support/statistics.ts';
import { measureOutage } from './measure.ts';
import type { OutagePlan, OutageResult } from './measure.ts';
import type { PhaseResult } from './phases.ts';

const KINDS: readonly { kind: OutageKind; name: string }[] = [
  { kind: 'hang', name: 'Redis stopped (SIGSTOP)' },
  { kind: 'kill', name: 'Redis killed (SIGKILL)' },
];
const PHASES = [
  ['before', 'before'],
  ['firstSecond', 'its first second'],
  ['outage', 'outage'],
  ['after', 'after'],
] as const;

function planFor({ quick, full = false }: SubjectOptions): OutagePlan {
  return {
    perSecond: 1_000,
    warmUpSeconds: quick ? 3 : 10,
    beforeSeconds: quick ? 5 : 10,
    outageSeconds: full ? 600 : quick ? 8 : 20,
    afterSeconds: full ? 60 : quick ? 5 : 20,
    drainLimitSeconds: 300,
  };
}

function rowsOf(name: string, results: readonly OutageResult[]): (string | number)[][] {
  return PHASES.map(([key, words]) => {
    const phases = results.map((result) => result.phases[key]);
    const medianOf = (pick: (phase: PhaseResult) => number, digits = 0): number =>
      rounded(median(phases.map(pick)), digits);
    return [
      name,
      words,
      medianOf(({ seconds }) => seconds, 1),
      medianOf(({ requests }) => requests),
      medianOf(({ p50Ms }) => p50Ms, 2),
      medianOf(({ p99Ms }) => p99Ms, 1),
      medianOf(({ maxMs }) => maxMs, 1),
      medianOf(({ untracked }) => untracked),
      medianOf(({ failed }) => failed),
      medianOf(({ residentMb }) => residentMb),
    ];
  });
}

/** The worst round counts for what must never happen; medians for what is a matter of time. */
function ratiosOf(name: string, results: readonly OutageResult[]): Ratio[] {
  const worst = (pick: (result: OutageResult) => number): number => Math.max(...results.map(pick));
  const middle = (pick: (result: OutageResult) => number, digits: number): number =>
    rounded(median(results.map(pick)), digits);
  const lower = { betterIs: 'lower' } as const;
  return [
    { name: `${name}: clicks lost`, value: worst(({ stored }) => stored.missing), must: 0, ...lower },
    { name: `${name}: clicks stored twice`, value: worst(({ stored }) => stored.twice), must: 0, ...lower },
    { name: `${name}: visitors without a click id`, value: worst(({ untracked }) => untracked), must: 0, ...lower },
    { name: `${name}: visitors not redirected`, value: worst(({ failed }) => failed), must: 0, ...lower },
    {
      name: `${name}: p99 during ÷ before`,
      value: middle(({ phases }) => phases.outage.p99Ms / phases.before.p99Ms, 2),
      must: 2,
      ...lower,
    },
    { name: `${name}: memory growth MB`, value: middle(({ growthMb }) => growthMb, 0), must: 64, ...lower },
    { name: `${name}: drained s after`, value: middle(({ drainedSeconds }) => drainedSeconds, 1), must: 300, ...lower },
  ];
}

function notesOf(plan: OutagePlan, rounds: number, results: readonly OutageResult[]): string[] {
  const handedOut = results.reduce((sum, { stored }) => sum + stored.handedOut, 0);
  return [
    `${rounds} round(s) of ${plan.perSecond} requests/s at a steady pace: ${plan.warmUpSeconds} s unmeasured, ${plan.beforeSeconds} s before, Redis away for ${plan.outageSeconds} s, ${plan.afterSeconds} s after. AOF always; spool on; a worker beside it. Medians of the rounds; of what must not happen, the worst round.`,
    'Waiting counts from the moment a request was due, so a stall counts for all who would have come. Memory is the resident set of the serve process; growth is its peak after Redis went away less its peak before.',
    `${handedOut} click ids were handed out; each was looked up in Postgres afterwards, and the rollups added up to the rows.`,
  ];
}

export async function run(given: SubjectOptions): Promise<SubjectResult> {
  const plan = planFor(given);
  const options = given.full === true ? { ...given, rounds: 1 } : given;
  const runs = await runRounds({
    options,
    variants: KINDS.map(({ kind, name }) => ({ name, measure: async () => measureOutage(kind, plan) })),
  });
  const of = KINDS.map(({ name }) => ({ name, results: measuredOf(runs, name) }));
  const all = of.flatMap(({ results }) => results);
  if (all.some(({ stored }) => !stored.isRolledUp)) throw new BenchFault('the rollups do not add up to the clicks');
  return {
    subject: 'outage',
    title: `Redis away for ${plan.outageSeconds} s at ${plan.perSecond} redirects/s`,
    columns: ['outage', 'phase', 's', 'requests', 'p50 ms', 'p99 ms', 'max ms', 'no click id', 'failed', 'resident MB'],
    rows: of.flatMap(({ name, results }) => rowsOf(name, results)),
    ratios: of.flatMap(({ name, results }) => ratiosOf(name, results)),
    notes: [...notesOf(plan, options.rounds, all), ...disturbanceNotes(runs)],
  };
}
