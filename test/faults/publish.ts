import { appendFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { processEnvironment } from '../../src/infra/config.ts';
import type { RedisProgram } from '../../src/local/debian-redis.ts';
import { runCommand } from '../../src/local/processes.ts';
import { redisEnvironment } from '../../src/local/redis-program.ts';
import { CHECKOUT } from '../support/child-program.ts';
import type { Ground } from './ground.ts';
import { tableText, verdictText } from './report.ts';
import type { Outcome } from './scenario.ts';

async function firstLine(file: string, args: string[]): Promise<string> {
  const env = { PATH: processEnvironment()['PATH'] ?? '/usr/bin:/bin', HOME: os.homedir() };
  const { code, stdout } = await runCommand(file, args, { env, timeoutMs: 10_000, cwd: CHECKOUT });
  return code === 0 ? (stdout.trim().split('\n')[0] ?? '') : '';
}

async function redisVersion(program: RedisProgram): Promise<string> {
  const { stdout } = await runCommand(program.executable, ['--version'], {
    env: redisEnvironment(program),
    timeoutMs: 10_000,
    // Debian's program is told by its name which of Redis' programs it is.
    argv0: 'redis-server',
  });
  return /\bv=(\S+)/.exec(stdout)?.[1] ?? 'of unknown version';
}

/** The commit, and whether what ran differs from it. */
async function commitText(): Promise<string> {
  const commit = await firstLine('git', ['rev-parse', '--short', 'HEAD']);
  if (commit === '') return 'no commit';
  return (await firstLine('git', ['status', '--porcelain', 'src', 'migrations'])) === ''
    ? commit
    : `${commit}, changed`;
}

/** Adds what one part of the long tier found to docs/reliability.md. */
export async function publish(
  part: number,
  run: { seed: number; outcomes: readonly Outcome[]; ground: Ground; tookMs: number },
): Promise<void> {
  const { bin, redisProgram } = run.ground;
  const postgres = await firstLine(path.join(bin, 'postgres'), ['--version']);
  const versions = `Node ${process.versions.node}, ${postgres}, Redis ${await redisVersion(redisProgram)}`;
  const machine = `${os.availableParallelism()} cores, ${os.type()} ${os.release()}`;
  const section = [
    '',
    `### Part ${part}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    `Seed ${run.seed}, commit ${await commitText()}, ${versions}, ${machine}, ${Math.round(run.tookMs / 60_000)} min. ${verdictText(run.outcomes)}.`,
    '',
    tableText(run.outcomes),
    '',
  ];
  const document = path.join(CHECKOUT, 'docs', 'reliability.md');
  await appendFile(document, section.join('\n'));
  // As every document is formatted; without the formatter it is still right.
  await firstLine(path.join(CHECKOUT, 'node_modules', '.bin', 'oxfmt'), [document]);
}
