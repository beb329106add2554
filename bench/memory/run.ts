/** What a redirect process holds in memory with many links cached, under full load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchFault } from '../subject.ts';
import type { SubjectOptions, SubjectResult } from '../subject.ts';
import { memoryOf } from '../support/cpu.ts';
import { compileDaihuo, startDaihuo } from '../support/daihuo.ts';
import { startPacedLoad } from '../support/paced-answers.ts';
import { disturbanceNotes, measuredOf, runRounds } from '../support/rounds.ts';
import { seedBrand } from '../support/seed.ts';
import { withServices } from '../support/services.ts';
import type { BenchServices } from '../support/services.ts';
import { median } from '../support/statistics.ts';
import { writeVisits } from '../support/visits.ts';
import { requireWrk, runWrk } from '../support/wrk.ts';

const LINKS = 100_000;
const FILL_PER_SECOND = 5_000;
const CONNECTIONS = 256;
/** The whole server, and what serves visitors only. */
const COMMANDS = ['serve', 'redirect'] as const;
const IDLE_MS = 3_000;

interface MemoryResult {
  startedMb: number;
  filledMb: number;
  loadedMb: number;
  peakMb: number;
  perSecond: number;
  afterMb: number;
}

interface MemoryOptions {
  services: BenchServices;
  visitsFile: string;
  seconds: number;
  command: (typeof COMMANDS)[number];
}

async function measureMemory({ services, visitsFile, seconds, command }: MemoryOptions): Promise<MemoryResult> {
  await services.emptyRedis();
  await compileDaihuo(command);
  const daihuo = await startDaihuo({
    command,
    databaseUrl: services.databaseUrl,
    redisUrl: services.redisUrl,
    core: 'server',
  });
  try {
    const startedMb = memoryOf(daihuo.pid).residentMb;
    const fill = { origin: daihuo.origin, visitsFile, perSecond: FILL_PER_SECOND, total: LINKS, connections: 64 };
    const answers = await (await startPacedLoad(fill)).answers();
    const missed = answers.filter(({ outcome }) => outcome === 'refused' || outcome === 'failed').length;
    if (missed > 0) throw new BenchFault(`${missed} of ${LINKS} links did not redirect`);
    const filledMb = memoryOf(daihuo.pid).residentMb;
    const load = await runWrk({ origin: daihuo.origin, visitsFile, connections: CONNECTIONS, seconds });
    if (load.badStatus > 0) throw new BenchFault(`${load.badStatus} bad answers`);
    const { residentMb: loadedMb } = memoryOf(daihuo.pid);
    await sleep(IDLE_MS);
    const { residentMb: afterMb, peakMb } = memoryOf(daihuo.pid);
    return { startedMb, filledMb, loadedMb, peakMb, afterMb, perSecond: load.perSecond };
  } finally {
    await daihuo.stop();
  }
}

export async function run(options: SubjectOptions): Promise<SubjectResult> {
  requireWrk();
  const seconds = options.quick ? 4 : 15;
  return withServices(async (services) => {
    const { codes } = await seedBrand(services.db, LINKS);
    const visitsFile = await writeVisits({ codes, visitors: LINKS, isInTurn: true });
    const nameOf = (command: MemoryOptions['command']): string => `daihuo ${command}`;
    const runs = await runRounds({
      options,
      variants: COMMANDS.map((command) => ({
        name: nameOf(command),
        measure: async () => measureMemory({ services, visitsFile, seconds, command }),
      })),
      ownPids: [services.redisPid, services.postgresPid],
    });
    const medianOf = (command: MemoryOptions['command'], pick: (result: MemoryResult) => number): number =>
      Math.round(median(measuredOf(runs, nameOf(command)).map(pick)));
    return {
      subject: 'memory',
      title: 'Memory of a redirect process, 100 000 links',
      columns: [
        'process',
        'started MB',
        'links cached MB',
        'after the load MB',
        'idle again MB',
        'peak MB',
        'requests/s',
      ],
      rows: COMMANDS.map((command) => [
        nameOf(command),
        medianOf(command, ({ startedMb }) => startedMb),
        medianOf(command, ({ filledMb }) => filledMb),
        medianOf(command, ({ loadedMb }) => loadedMb),
        medianOf(command, ({ afterMb }) => afterMb),
        medianOf(command, ({ peakMb }) => peakMb),
        medianOf(command, ({ perSecond }) => perSecond),
      ]),
      ratios: COMMANDS.map((command) => ({
        name: `peak resident MB, 100 000 links, ${nameOf(command)}`,
        value: medianOf(command, ({ peakMb }) => peakMb),
        must: 200,
        betterIs: 'lower',
      })),
      notes: [
        `Every link is visited once at ${FILL_PER_SECOND}/s, then all of them in turn for ${seconds} s as fast as ${CONNECTIONS} connections can (wrk). Resident memory (VmRSS) and its highest value (VmHWM).`,
        'The 100 links of a product share its address. Compiled before, as every start but the first after an update is; that one takes 10 to 20 MB more.',
        'A cache smaller than the links, visited in turn, would miss every time: requests/s far below the redirect figures say that.',
        ...disturbanceNotes(runs),
      ],
    };
  });
}
