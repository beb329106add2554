// The fault harness: breaks a whole installation in many ways and proves that nothing is lost. `--help` says how to run it.
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { HELP, readArguments } from './arguments.ts';
import type { Options } from './arguments.ts';
import { openEventLog } from './event-log.ts';
import { prepareGround } from './ground.ts';
import { clearProgress, readProgress, writeProgress } from './progress.ts';
import { publish } from './publish.ts';
import { outcomeText, tableText, verdictText } from './report.ts';
import { runScenario } from './run-scenario.ts';
import type { Outcome } from './scenario.ts';
import { PARTS, PUSH } from './tiers.ts';

/** Far enough apart that no two scenarios draw the same numbers. */
const SEEDS_APART = 1_000;

async function run(options: Options): Promise<number> {
  const { part } = options;
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  const earlier = options.resume && part !== undefined ? await readProgress(part) : undefined;
  const seed = earlier?.seed ?? options.seed;
  const outcomes: Outcome[] = [...(earlier?.outcomes ?? [])];
  const isWhole = options.only.length === 0;
  const scenarios = part === undefined ? PUSH : (PARTS[part] ?? []);
  console.log(`seed ${seed}`);
  for (const outcome of outcomes) console.log(outcomeText(outcome));
  const startedAtMs = performance.now();
  const logFile = path.join(os.tmpdir(), `daihuo-faults-${seed}.ndjson`);
  const log = openEventLog(logFile);
  const ground = await prepareGround({ print: console.log, signal: stopping.signal });
  try {
    for (const [index, scenario] of scenarios.entries()) {
      if (stopping.signal.aborted) break;
      if (index < (earlier?.outcomes.length ?? 0) || !(isWhole || options.only.includes(scenario.fault))) continue;
      const tools = { ground, log, seed: seed + index * SEEDS_APART, signal: stopping.signal };
      const outcome = await runScenario(scenario, tools);
      if (stopping.signal.aborted) break;
      outcomes.push(outcome);
      console.log(outcomeText(outcome));
      if (part !== undefined && isWhole) await writeProgress(part, { seed, outcomes });
    }
    if (part !== undefined && isWhole && outcomes.length === scenarios.length) {
      await publish(part, { seed, outcomes, ground, tookMs: performance.now() - startedAtMs });
      await clearProgress(part);
    }
  } finally {
    if (options.keep) console.log(`kept ${ground.folder}`);
    else await ground.remove();
    await log.close();
  }
  const isGood = !stopping.signal.aborted && outcomes.every(({ result }) => result !== 'failed');
  console.log(`\n${tableText(outcomes)}\n`);
  if (isGood && !options.keep) await rm(logFile);
  else console.log(`events: ${logFile}`);
  console.log(stopping.signal.aborted ? `stopped; ${verdictText(outcomes)}` : verdictText(outcomes));
  console.log(`seed ${seed}`);
  return isGood ? 0 : 1;
}

const read = readArguments(process.argv.slice(2), Object.keys(PARTS).map(Number));
if (!read.ok) console.error(read.sentence);
else if (read.options.help) console.log(HELP);
// Nothing that is still open may keep a run alive that is over.
process.exit(read.ok ? (read.options.help ? 0 : await run(read.options)) : 2);
