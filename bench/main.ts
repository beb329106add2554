/** `npm run bench -- [subject…] [options]`: measures, prints the tables, and writes RESULTS.md. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Ratio, RunSubject, SubjectOptions, SubjectResult } from './subject.ts';
import { undoAll } from './support/cleanup.ts';
import { describeEnvironment, serverVersions } from './support/environment.ts';
import { writeReport } from './support/report.ts';
import { DISTURBED } from './support/rounds.ts';
import { withServices } from './support/services.ts';
import { formatResult, formatTable, RATIO_COLUMNS, ratioRows } from './support/table.ts';

/** In the order in which they run. */
const SUBJECTS = ['redirect', 'ingest', 'orders', 'memory', 'endurance', 'outage', 'cost'];

const USAGE = `npm run bench -- [subject…] [options]

Subjects: ${SUBJECTS.join(', ')}; without one, all of them.

  --rounds N      interleaved rounds, 3 unless said (1 with --quick)
  --quick         a look within minutes; figures not to publish, RESULTS.md stays as it is
  --full          the lengths the goals ask for (an outage of 10 minutes, 10,000,000 clicks)
  --daihuo DIR    measure another checkout of daihuo beside this one (redirect)
  --lock FILE     hold FILE by flock during each measurement, on a machine that others use
  --help`;

interface CommandLine {
  subjects: string[];
  options: SubjectOptions;
}

function parse(argv: string[]) {
  return parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      daihuo: { type: 'string' },
      lock: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

/** A text to print where there is nothing to run. */
function readCommandLine(argv: string[]): CommandLine | string {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`;
  }
  const { values, positionals } = parsed;
  const unknown = positionals.filter((name) => !SUBJECTS.includes(name));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (values.help) return USAGE;
  if (unknown.length > 0) return `There is no subject ${unknown.join(', ')}.\n\n${USAGE}`;
  if (!Number.isInteger(rounds) || rounds < 1) return '--rounds must be a whole number from 1.';
  if (values.daihuo !== undefined && !existsSync(path.join(values.daihuo, 'daihuo')))
    return `${values.daihuo} is no checkout of daihuo.`;
  return {
    subjects: positionals.length === 0 ? SUBJECTS : positionals,
    options: {
      rounds,
      quick: values.quick,
      full: values.full,
      ...(values.daihuo === undefined ? {} : { compareWith: path.resolve(values.daihuo) }),
      ...(values.lock === undefined ? {} : { lockFile: path.resolve(values.lock) }),
    },
  };
}

async function runSubject(subject: string, options: SubjectOptions): Promise<SubjectResult> {
  const { run } = (await import(`./${subject}/run.ts`)) as { run: RunSubject };
  return run(options);
}

async function main(): Promise<number> {
  const read = readCommandLine(process.argv.slice(2));
  if (typeof read === 'string') {
    console[read === USAGE ? 'log' : 'error'](read);
    return read === USAGE ? 0 : 2;
  }
  const environment = describeEnvironment(await withServices(serverVersions));
  const ratios: Ratio[] = [];
  let failed = 0;
  for (const subject of read.subjects) {
    console.error(`${subject}:`);
    try {
      const result = await runSubject(subject, read.options);
      console.log(formatResult(result));
      // A goal that was met or missed while others used the machine says little; the table of goals must show it.
      const mark = result.notes.some((note) => note.startsWith(DISTURBED)) ? ' (disturbed)' : '';
      ratios.push(...result.ratios.map((ratio) => ({ ...ratio, name: `${subject}: ${ratio.name}${mark}` })));
      if (!read.options.quick) await writeReport(result, environment);
    } catch (error) {
      console.error(`${subject} could not be measured:`, error);
      failed += 1;
    }
  }
  if (ratios.length > 0) console.log(`\nGoals\n\n${formatTable(RATIO_COLUMNS, ratioRows(ratios))}`);
  return failed === 0 ? 0 : 1;
}

const exitCode = await main();
await undoAll();
process.exit(exitCode);
