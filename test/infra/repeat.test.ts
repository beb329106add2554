import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import type { MetricsRegistry } from '../../src/http/metrics.ts';
import { createJobMetrics, repeat } from '../../src/infra/repeat.ts';
import type { RepeatedJob } from '../../src/infra/repeat.ts';

const log = pino({ level: 'silent' });
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

function start(...jobs: RepeatedJob[]): MetricsRegistry {
  const registry = createMetricsRegistry();
  const metrics = createJobMetrics(registry);
  for (const job of jobs) stops.push(repeat(job, log, metrics));
  return registry;
}

/** The value of a sample as `/metrics` shows it; undefined where there is none. */
async function sampleOf(registry: MetricsRegistry, name: string, job: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split('\n').find((each) => each.startsWith(`${name}{job="${job}"} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}

describe('the metrics of jobs', () => {
  // Without them an operator notices a job that fails or hangs by its consequences only.
  it('show a working job by its last success, and a failing one by its failures and no success', async () => {
    const beganAt = Date.now() / 1_000;
    const registry = start(
      { name: 'work', everyMs: 5, run: async () => new Promise((resolve) => setTimeout(resolve, 30)) },
      {
        name: 'fail',
        everyMs: 5,
        run: async () => {
          throw new Error('no');
        },
      },
    );
    await expect.poll(() => sampleOf(registry, 'job_failures_total', 'fail')).toBeGreaterThanOrEqual(3);
    await expect.poll(() => sampleOf(registry, 'job_last_success_timestamp_seconds', 'work')).toBeGreaterThan(beganAt);
    expect(await sampleOf(registry, 'job_last_success_timestamp_seconds', 'fail')).toBeUndefined();
    expect(await sampleOf(registry, 'job_failures_total', 'work')).toBe(0);
    expect(await sampleOf(registry, 'job_duration_seconds', 'work')).toBeGreaterThan(0.02);
    expect(await sampleOf(registry, 'job_duration_seconds', 'fail')).toBeLessThan(0.02);
  });

  it('show that a job that works again works', async () => {
    let runs = 0;
    const registry = start({
      name: 'recover',
      everyMs: 1,
      run: async () => {
        runs += 1;
        if (runs <= 2) throw new Error('not yet');
      },
    });
    await expect
      .poll(() => sampleOf(registry, 'job_last_success_timestamp_seconds', 'recover'))
      .toBeGreaterThan(1_000_000_000);
    expect(await sampleOf(registry, 'job_failures_total', 'recover')).toBe(2);
  });

  it('show the backlog, which is read once in 15 s, also of a job that fails; a backlog that cannot be read harms nothing', async () => {
    const reads = { full: 0, broken: 0 };
    let runs = 0;
    const registry = start(
      {
        name: 'full',
        everyMs: 1,
        run: async () => {
          throw new Error('no');
        },
        readBacklog: async () => {
          reads.full += 1;
          return 42;
        },
      },
      {
        name: 'broken',
        everyMs: 1,
        run: async () => {
          runs += 1;
        },
        readBacklog: async () => {
          reads.broken += 1;
          throw new Error('no');
        },
      },
    );
    await expect.poll(() => sampleOf(registry, 'job_backlog', 'full')).toBe(42);
    await expect.poll(() => runs).toBeGreaterThan(10);
    expect(reads).toEqual({ full: 1, broken: 1 });
    expect(await sampleOf(registry, 'job_backlog', 'broken')).toBeUndefined();
  });
});

it('a stopped job ends its run and begins no other', async () => {
  let running = 0;
  let runs = 0;
  const stop = repeat(
    {
      name: 'long',
      everyMs: 1,
      run: async (signal) => {
        running += 1;
        runs += 1;
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        running -= 1;
      },
    },
    log,
  );
  await stop();
  expect([running, runs]).toEqual([0, 1]);
});
