import { setTimeout as sleep } from 'node:timers/promises';
import type { SubjectOptions } from '../subject.ts';
import { watchForeignCpu } from './cpu.ts';
import { withMachineLock } from './machine-lock.ts';

export interface Variant<M> {
  name: string;
  /** One measurement, from an equal start; everything it starts it stops. Rounds count from 1. */
  measure(round: number): Promise<M>;
}

export interface Run<M> {
  round: number;
  measured: M;
  /** Cores that others used meanwhile. */
  foreignCpu: number;
  /** Foreign CPU stayed above the limit also at the second try: shown in the tables, and judged by CPU per request. */
  isDisturbed: boolean;
}

export interface RoundsOptions<M> {
  options: SubjectOptions;
  variants: readonly Variant<M>[];
  /** Our processes that are not descendants of this one. */
  ownPids?: readonly number[];
}

/** How the notes about such runs begin. */
export const DISTURBED = 'Disturbed:';

/** A tenth of one core. */
const MAX_FOREIGN_CPU = 0.1;
const QUIET_SAMPLE_MS = 500;
const QUIET_WAIT_MS = 20_000;

/** Waits a while for others to finish what they do; a measurement beside them would have to be repeated anyway. */
async function waitForQuiet(ownPids: readonly number[] = []): Promise<void> {
  const deadlineMs = performance.now() + QUIET_WAIT_MS;
  for (let foreignCpu = Infinity; foreignCpu > MAX_FOREIGN_CPU && performance.now() < deadlineMs;) {
    const foreignCpuOf = watchForeignCpu(ownPids);
    await sleep(QUIET_SAMPLE_MS);
    foreignCpu = foreignCpuOf();
  }
}

async function runOnce<M>(variant: Variant<M>, round: number, context: RoundsOptions<M>): Promise<Run<M>> {
  return withMachineLock(context.options.lockFile, async () => {
    await waitForQuiet(context.ownPids);
    const foreignCpuOf = watchForeignCpu(context.ownPids);
    const measured = await variant.measure(round);
    const foreignCpu = foreignCpuOf();
    return { round, measured, foreignCpu, isDisturbed: foreignCpu > MAX_FOREIGN_CPU };
  });
}

/**
 * Measures all variants in turn, then all again, so that what drifts on the machine hits every side alike. Each waits up to 20 s for a quiet
 * machine. A run during which others used more than a tenth of a core is repeated once; a second disturbed one is kept and marked.
 *
 * @returns per variant its runs, one a round
 */
export async function runRounds<M>(context: RoundsOptions<M>): Promise<Map<string, Run<M>[]>> {
  const { options, variants } = context;
  const runs = new Map<string, Run<M>[]>(variants.map(({ name }) => [name, []]));
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const variant of variants) {
      const first = await runOnce(variant, round, context);
      const run = first.isDisturbed && !options.quick ? await runOnce(variant, round, context) : first;
      runs.get(variant.name)?.push(run);
      const mark = run.isDisturbed ? `, disturbed: others used ${run.foreignCpu.toFixed(2)} of a core` : '';
      console.error(`  round ${round}/${options.rounds}: ${variant.name}${mark}`);
    }
  }
  return runs;
}

/** The measurements of one variant, in the order of the rounds. */
export function measuredOf<M>(runs: ReadonlyMap<string, readonly Run<M>[]>, variant: string): M[] {
  return (runs.get(variant) ?? []).map(({ measured }) => measured);
}

/** Sentences about runs that others disturbed, for the notes of a result; none where all was quiet. */
export function disturbanceNotes<M>(runs: ReadonlyMap<string, readonly Run<M>[]>): string[] {
  return [...runs].flatMap(([variant, each]) =>
    each
      .filter(({ isDisturbed }) => isDisturbed)
      .map(
        ({ round, foreignCpu }) =>
          `${DISTURBED} ${variant}, round ${round} (others used ${foreignCpu.toFixed(2)} of a core).`,
      ),
  );
}
