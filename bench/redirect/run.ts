/** (a) The redirect against bare Fastify, bare node:http and the textbook design. */
import type { Ratio, SubjectOptions, SubjectResult } from '../subject.ts';
import { disturbanceNotes, measuredOf, runRounds } from '../support/rounds.ts';
import type { Run } from '../support/rounds.ts';
import { seedBrand } from '../support/seed.ts';
import { withServices } from '../support/services.ts';
import type { BenchServices } from '../support/services.ts';
import { median, rounded, summarise } from '../support/statistics.ts';
import { USER_AGENTS, writeVisits } from '../support/visits.ts';
import { requireWrk } from '../support/wrk.ts';
import { MAIN_LEVEL, measureSide } from './measure.ts';
import type { Durations, LevelResult, SideResult } from './measure.ts';
import { daihuoSide, programSide } from './side.ts';
import type { Side } from './side.ts';

const LINKS = 1_000;
const LEVELS = [MAIN_LEVEL, 8, 256];
const BARE = 'bare Fastify';
const TEXTBOOK = 'textbook';
const EVERYSEC = 'daihuo, everysec';
const ALWAYS = 'daihuo, always';
const PROXIED = 'daihuo, everysec, behind a proxy';

/** V8 goes on compiling for as long, beside the load, on the one core; goals are about what comes after. */
const WARM_UP_SECONDS = 8;

/** Requests a second of bare Fastify's on Node 20, one core each, click logging on (measured November 2026; README.md says how). */
const KUTT_OF_BARE_FASTIFY = 0.0079;
const YOURLS_OF_BARE_FASTIFY = 0.0139;

function makeSides(services: BenchServices, codes: readonly string[], options: SubjectOptions): Side[] {
  const ours = { services, code: codes[0] ?? '', levels: LEVELS };
  const textbookEnv = { REDIS_URL: services.redisUrl, LINKS: JSON.stringify(codes) };
  const other = options.compareWith === undefined ? undefined : { ...ours, checkout: options.compareWith };
  return [
    programSide({ name: BARE, file: 'bare-fastify.ts', levels: LEVELS }),
    daihuoSide({ ...ours, name: EVERYSEC, appendFsync: 'everysec' }),
    daihuoSide({ ...ours, name: ALWAYS, appendFsync: 'always' }),
    ...(other === undefined
      ? []
      : [
          daihuoSide({ ...other, name: 'other checkout, everysec', appendFsync: 'everysec' }),
          daihuoSide({ ...other, name: 'other checkout, always', appendFsync: 'always' }),
        ]),
    daihuoSide({
      ...ours,
      name: PROXIED,
      appendFsync: 'everysec',
      levels: [MAIN_LEVEL],
      env: { TRUST_PROXY: '127.0.0.1/32' },
    }),
    programSide({ name: TEXTBOOK, file: 'textbook.ts', levels: LEVELS, env: textbookEnv }),
    programSide({ name: 'bare node:http', file: 'node-http.ts', levels: LEVELS }),
  ];
}

function levelOf(results: readonly SideResult[], connections: number): LevelResult[] {
  return results.flatMap(({ levels }) => levels.filter((level) => level.connections === connections));
}

const COLUMNS = [
  'side',
  'connections',
  'requests/s',
  'min–max',
  '÷ bare Fastify',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'server µs',
  'Redis µs',
  'peak MB',
];

function rowOf(side: string, connections: number, results: readonly SideResult[], bare: readonly SideResult[]) {
  const levels = levelOf(results, connections);
  const rate = summarise(levels.map(({ perSecond }) => perSecond));
  const medianOf = (pick: (level: LevelResult) => number, digits: number): number =>
    rounded(median(levels.map(pick)), digits);
  const bareRate = median(levelOf(bare, connections).map(({ perSecond }) => perSecond));
  return [
    side,
    connections,
    Math.round(rate.median),
    `${Math.round(rate.min / 1e3)}–${Math.round(rate.max / 1e3)} k`,
    rounded(rate.median / bareRate, 2),
    medianOf(({ p50Ms }) => p50Ms, 2),
    medianOf(({ p99Ms }) => p99Ms, 1),
    medianOf(({ p999Ms }) => p999Ms, 1),
    medianOf(({ serverUs }) => serverUs, 1),
    medianOf(({ redisUs }) => redisUs, 1),
    Math.round(median(results.map(({ peakMb }) => peakMb))),
  ];
}

type Runs = Map<string, Run<SideResult>[]>;

function makeRatios(runs: Runs): Ratio[] {
  const at = (side: string, pick: (level: LevelResult) => number): number =>
    median(levelOf(measuredOf(runs, side), MAIN_LEVEL).map(pick));
  const rate = (side: string): number => at(side, ({ perSecond }) => perSecond);
  const ratio = (pick: (level: LevelResult) => number): number => rounded(at(EVERYSEC, pick) / at(BARE, pick), 2);
  const toBare = (side: string): number => rate(side) / rate(BARE);
  const higher = { betterIs: 'higher' } as const;
  const lower = { betterIs: 'lower' } as const;
  return [
    { name: 'everysec ÷ bare Fastify', value: rounded(toBare(EVERYSEC), 3), must: 0.65, aim: 0.8, ...higher },
    {
      name: 'everysec, behind a proxy, 10 000 visitors ÷ bare Fastify',
      value: rounded(toBare(PROXIED), 3),
      must: 0.65,
      aim: 0.8,
      ...higher,
    },
    { name: 'always ÷ bare Fastify', value: rounded(toBare(ALWAYS), 3), must: 0.52, aim: 0.65, ...higher },
    { name: 'everysec ÷ textbook', value: rounded(rate(EVERYSEC) / rate(TEXTBOOK), 2), must: 1.6, aim: 1.9, ...higher },
    { name: 'p99 ÷ bare Fastify', value: ratio(({ p99Ms }) => p99Ms), must: 1, aim: 0.7, ...lower },
    { name: 'p99.9 ÷ bare Fastify', value: ratio(({ p999Ms }) => p999Ms), must: 0.5, aim: 0.25, ...lower },
    {
      name: '÷ Kutt on Postgres (derived)',
      value: Math.round(toBare(EVERYSEC) / KUTT_OF_BARE_FASTIFY),
      must: 75,
      aim: 100,
      ...higher,
    },
    {
      name: '÷ YOURLS (derived)',
      value: Math.round(toBare(EVERYSEC) / YOURLS_OF_BARE_FASTIFY),
      must: 45,
      aim: 55,
      ...higher,
    },
    { name: 'server CPU a request ÷ bare Fastify', value: ratio(({ serverUs }) => serverUs), ...lower },
  ];
}

function makeNotes(runs: Runs, durations: Durations, rounds: number): string[] {
  const checks = [...runs.values()]
    .flat()
    .flatMap(({ measured }) => (measured.check === undefined ? [] : [measured.check]));
  const sum = (pick: 'answered' | 'untracked' | 'stored'): number =>
    checks.reduce((total, each) => total + each[pick], 0);
  return [
    `${rounds} interleaved round(s), medians; ratios at ${MAIN_LEVEL} connections. wrk, one thread, ${durations.mainSeconds} s at ${MAIN_LEVEL} connections and ${durations.otherSeconds} s at the others after ${durations.warmUpSeconds} s of warm-up; each side started anew each round.`,
    `Every side gets the same requests: GET /<code>/<tag> over ${LINKS} links, 10 000 visitors with an X-Forwarded-For each, ${USER_AGENTS} user agents (5 % machines), the headers of a browser.`,
    'daihuo is `./daihuo serve` with everything on and LOG_LEVEL=warn. Only behind a proxy (TRUST_PROXY=127.0.0.1/32) does it see 10 000 addresses; else all visitors come from one, with their user agents.',
    `Clicks checked after each run of daihuo: ${sum('answered')} answers, ${sum('untracked')} of them without a click id, ${sum('stored')} distinct clicks in the streams; never fewer than answers with an id, never more than those the load had not read.`,
    'Derived: ours ÷ bare Fastify here, divided by what Kutt 3.2.3 (0.0079) and YOURLS 1.10.5 (0.0139) reached of bare Fastify on Node 20, one core each, clicks logged. It supposes that they gain as much from a newer runtime as Fastify does.',
    ...disturbanceNotes(runs),
  ];
}

export async function run(options: SubjectOptions): Promise<SubjectResult> {
  requireWrk();
  const durations = options.quick
    ? { warmUpSeconds: 2, mainSeconds: 2, otherSeconds: 1 }
    : { warmUpSeconds: WARM_UP_SECONDS, mainSeconds: 6, otherSeconds: 3 };
  return withServices(async (services) => {
    const { codes } = await seedBrand(services.db, LINKS);
    // No worker runs here, so the streams grow as they never do, and Redis would fork to rewrite its file in the midst of a measurement.
    await services.redis.config('SET', 'auto-aof-rewrite-percentage', 0);
    const visitsFile = await writeVisits({ codes });
    const sides = makeSides(services, codes, options);
    const runs = await runRounds({
      options,
      variants: sides.map((side) => ({
        name: side.name,
        measure: async () => measureSide(side, { services, visitsFile, durations }),
      })),
      ownPids: [services.redisPid, services.postgresPid],
    });
    const bare = measuredOf(runs, BARE);
    return {
      subject: 'redirect',
      title: 'Redirect: one server process on one core',
      columns: COLUMNS,
      rows: sides.flatMap(({ name, levels }) =>
        levels.map((connections) => rowOf(name, connections, measuredOf(runs, name), bare)),
      ),
      ratios: makeRatios(runs),
      notes: makeNotes(runs, durations, options.rounds),
    };
  });
}
