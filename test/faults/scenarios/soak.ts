import { terminateConnections } from '../checks/queries.ts';
import type { Run, Scenario } from '../scenario.ts';

const EVERY_MS = 20_000;
const SAMPLE_EVERY_MS = 5_000;
const MOST_DRIFT_MB = 32;
const MOST_FURTHER_FILES = 30;
const WINDOW_MS = 300_000;
/** Of the first five minutes; faults fall into both windows, so this is no fine measure. */
const MOST_SLOWER = 2;

/** Small faults, each over within a few seconds. */
const FAULTS: Readonly<Record<string, (run: Run) => Promise<unknown>>> = {
  'kill app': async ({ site, random }) => {
    const app = site.apps[random(site.apps.length)];
    await app?.process.kill();
    await app?.process.start();
  },
  'kill worker': async ({ site, random }) => {
    const worker = site.workers[random(site.workers.length)];
    await worker?.process.kill();
    await worker?.process.start();
  },
  'kill redis': async ({ site }) => {
    await site.redis.process.kill();
    await site.redis.start();
  },
  'kill postgres': async ({ site }) => {
    await site.postgres.process.kill('all');
    await site.postgres.start();
  },
  'end connections': async ({ site }) => terminateConnections(site.db),
  'hang redis': async ({ site, sleep, random }) => {
    site.redis.process.pause();
    await sleep(500 + random(4_000));
    site.redis.process.resume();
  },
  'hang postgres': async ({ site, sleep, random }) => {
    site.postgres.process.pause();
    await sleep(500 + random(3_000));
    site.postgres.process.resume();
  },
  'dark link': async ({ site, sleep, random }) => {
    const links = Object.values(site.links);
    const link = links[random(links.length)];
    await link?.set({ kind: 'dark' });
    await sleep(1_000 + random(5_000));
    await link?.heal();
  },
  restart: async ({ site, random }) => {
    const each = [...site.apps, ...site.workers];
    const one = each[random(each.length)];
    await one?.process.terminate();
    await one?.process.start();
  },
};

interface Sample {
  rssMb: number;
  files: number;
}

function sampleOf({ site }: Run): Sample {
  const processes = [...site.apps, ...site.workers].map(({ process }) => process);
  const most = (values: readonly (number | undefined)[]): number => Math.max(0, ...values.map((value) => value ?? 0));
  return {
    rssMb: Math.round(most(processes.map((process) => process.rssBytes())) / 1_048_576),
    files: most(processes.map((process) => process.openFiles())),
  };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

/** Nothing grows with time: the last fifth of the samples against the second. */
function expectFlat({ expect, figures }: Run, samples: readonly Sample[]): void {
  const fifth = Math.floor(samples.length / 5);
  const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)];
  const rss = [early, late].map((part) => medianOf(part.map(({ rssMb }) => rssMb)));
  const files = [early, late].map((part) => medianOf(part.map((sample) => sample.files)));
  const [rssEarly = 0, rssLate = 0] = rss;
  const [filesEarly = 0, filesLate = 0] = files;
  expect(rssLate <= rssEarly + MOST_DRIFT_MB, `soak: resident memory rose from ${rssEarly} to ${rssLate} MB`);
  expect(filesLate <= filesEarly + MOST_FURTHER_FILES, `soak: open files rose from ${filesEarly} to ${filesLate}`);
  Object.assign(figures, {
    'resident MB early, late': `${rssEarly}, ${rssLate}`,
    'open files early, late': `${filesEarly}, ${filesLate}`,
  });
}

/** The soak: a long load with a small fault every twenty seconds. */
export function soak({ minutes, visitsPerSecond }: { minutes: number; visitsPerSecond: number }): Scenario {
  return {
    fault: 'SOAK',
    name: `${minutes} min at ${visitsPerSecond} visits a second, a fault every 20 s`,
    limitMs: (minutes + 8) * 60_000,
    site: { apps: 2, workers: 2 },
    load: { visitsPerSecond, messagesPerSecond: 10, orders: minutes * 60 },
    steps: async (run) => {
      const { visits, random, sleep, expect, figures, log } = run;
      const samples: Sample[] = [];
      const sampling = setInterval(() => samples.push(sampleOf(run)), SAMPLE_EVERY_MS);
      const startedAtMs = performance.now();
      const endsAtMs = startedAtMs + minutes * 60_000;
      const names = Object.keys(FAULTS);
      let faults = 0;
      try {
        while (performance.now() + EVERY_MS < endsAtMs) {
          const next = sleep(EVERY_MS);
          const name = names[random(names.length)] ?? '';
          log.write('fault', { name });
          await FAULTS[name]?.(run);
          faults += 1;
          await next;
        }
      } finally {
        clearInterval(sampling);
      }
      const first = visits.quantileMs(0.99, { fromMs: startedAtMs, toMs: startedAtMs + WINDOW_MS });
      const last = visits.quantileMs(0.99, { fromMs: endsAtMs - WINDOW_MS, toMs: endsAtMs });
      expect(last <= first * MOST_SLOWER, `soak: p99 rose from ${first} to ${last} ms`);
      expectFlat(run, samples);
      Object.assign(figures, { faults, 'p99 first, last 5 min ms': `${first}, ${last}` });
    },
  };
}
