/**
 * A process that spools, for tests that end it in unkind ways: arguments are the directory and what to do.
 *
 * `append`: appends from four callers without pause and prints the id of each click when it was answered as kept, and `refused` otherwise.
 * `hold <count>`: keeps so many clicks, prints their ids and then `held`, and lives on until it is stopped by SIGTERM.
 * `measure <callers>`: keeps clicks from so many callers for three seconds and prints one line of JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { keep, keepMany, newLine, openRig } from './spool-rig.ts';

const [dir = '', task = '', count = '0'] = process.argv.slice(2);
const MEASURE_MS = 3_000;
const rig = await openRig({ dir, adoptEveryMs: 60_000, maxBytes: 1024 ** 3 });
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function appendForEver(): Promise<void> {
  for (;;) {
    const { clickId, line } = newLine();
    if (await keep(rig.spool, line)) say(clickId);
    else {
      say('refused');
      await sleep(5);
    }
  }
}

async function measure(callers: number): Promise<void> {
  const tookMs: number[] = [];
  let refused = 0;
  const caller = async (): Promise<void> => {
    const untilMs = performance.now() + MEASURE_MS;
    for (let startedAtMs = performance.now(); startedAtMs < untilMs; startedAtMs = performance.now()) {
      if (!(await keep(rig.spool, newLine().line))) refused += 1;
      tookMs.push(performance.now() - startedAtMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => Math.round((tookMs[Math.floor(tookMs.length * share)] ?? 0) * 1_000) / 1_000;
  const clicksPerSecond = Math.round(tookMs.length / (MEASURE_MS / 1_000));
  const bytesPerClick = Math.round(rig.spool.backlog().bytes / tookMs.length);
  const figures = {
    callers,
    clicksPerSecond,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    refused,
    bytesPerClick,
  };
  say(JSON.stringify(figures));
  await rig.spool.stop();
}

if (task === 'append') {
  say('ready');
  await Promise.all(Array.from({ length: 4 }, appendForEver));
} else if (task === 'measure') {
  await measure(Number(count));
} else {
  for (const id of await keepMany(rig.spool, Number(count))) say(id);
  say('held');
  process.once('SIGTERM', () => {
    void rig.spool.stop().then(() => process.exit(0));
  });
}
