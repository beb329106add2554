import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createMetricsRegistry } from '../src/http/metrics.ts';
import { countDueDestinations, countDueLines, countLinesToSweep, countUnsealedEntries } from '../src/job-queries.ts';
import { startJobs, timedJobs } from '../src/jobs.ts';
import type { JobDeps } from '../src/jobs.ts';
import { createTestDatabase } from './support/database.ts';
import type { TestDatabase } from './support/database.ts';

let database: TestDatabase;
let deps: JobDeps;

beforeAll(async () => {
  database = await createTestDatabase();
  deps = {
    db: database.db,
    log: pino({ level: 'silent' }),
    now: () => new Date(),
    readClickId: () => ({ ok: false, reason: 'malformed' }),
    inferenceDelaySeconds: 0,
    registry: createMetricsRegistry(),
    outgoing: { fetch: async ({ url }) => ({ ok: false, visited: [url], reason: 'unreachable' }) },
  };
});
afterAll(async () => {
  await database.drop();
});

it('every timed job has an identifier of its own that operators find explained, succeeds on an empty database, and shows it', async () => {
  const names = timedJobs({ ...deps, registry: createMetricsRegistry() }).map(({ name }) => name);
  const operations = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
  expect(names.filter((name) => !operations.includes(`\`${name}\``))).toEqual([]);
  expect(names.filter((name) => !/^[a-z]+(_[a-z]+)+$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
  const jobs = startJobs(deps);
  try {
    const succeeded = async (): Promise<string[]> =>
      [...(await deps.registry.metrics()).matchAll(/^job_last_success_timestamp_seconds\{job="([a-z_]+)"\}/gm)].map(
        (match) => match[1] ?? '',
      );
    await expect.poll(async () => (await succeeded()).toSorted(), { timeout: 10_000 }).toEqual(names.toSorted());
    const text = await deps.registry.metrics();
    for (const job of ['seal_entries', 'release_due_lines', 'sweep_unmatched_lines', 'check_destinations'])
      expect(text).toContain(`job_backlog{job="${job}"} 0`);
    expect(text).not.toMatch(/job_failures_total\{job="[a-z_]+"\} [1-9]/);
  } finally {
    await jobs.stop();
  }
});

it('the backlogs are counts', async () => {
  for (const count of [countUnsealedEntries, countDueLines, countLinesToSweep, countDueDestinations])
    expect(await count(database.db)).toBe(0);
});
