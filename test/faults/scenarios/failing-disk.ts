import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { runCommand } from '../../../src/local/processes.ts';
import { isSoWithin, readAppMetric } from '../checks/spool.ts';
import type { Run, Scenario } from '../scenario.ts';

const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin' };
const WELL_WITHIN_MS = 6_000;
/** Each is what `strace -e inject=` takes. Of all that an app does, only its spool uses these calls. */
const INJECTIONS = ['fdatasync:error=EIO', 'pwrite64:error=ENOSPC:when=1+3', 'fdatasync:error=EIO:when=2+2'];

/** Why system calls cannot be made to fail here; undefined where they can. */
export async function straceObstacle(): Promise<string | undefined> {
  const tried = await runCommand('strace', ['-e', 'inject=fdatasync:error=EIO', 'true'], {
    env: ENV,
    timeoutMs: 10_000,
  });
  return tried.code === 0 ? undefined : `strace cannot be used (${tried.stderr.trim().split('\n')[0]})`;
}

/** Makes a system call of a running process fail, or wait, for as long as `work` takes. */
export async function withInjection(pid: number, injection: string, work: () => Promise<void>): Promise<void> {
  const [call = ''] = injection.split(':');
  const args = ['-f', '-q', '-e', `trace=${call}`, '-e', `inject=${injection}`, '-e', 'signal=none', '-o', '/dev/null'];
  const strace = spawn('strace', [...args, '-p', String(pid)], { env: ENV, stdio: 'ignore' });
  const ended = once(strace, 'exit');
  try {
    await work();
  } finally {
    strace.kill('SIGTERM');
    await ended;
  }
}

async function failOnce(run: Run, injection: string): Promise<void> {
  const { site, visits, expect, sleep, log } = run;
  const pid = site.apps[0]?.process.pid;
  if (pid === undefined) throw new Error('the app does not run');
  await site.redis.process.kill();
  log.write('failing', { injection });
  await withInjection(pid, injection, async () => sleep(1_500));
  const tracked = visits.counts.tracked;
  const isWell = await isSoWithin(run, WELL_WITHIN_MS, () => visits.counts.tracked > tracked + 50);
  expect(isWell, `F18: after ${injection} clicks are still not kept`);
  await site.redis.start();
  await sleep(800);
}

/** F18: Redis is away and the disk of the spool fails. Once an fdatasync failed, nothing more is trusted to that file. */
export function failingDisk({ rounds }: { rounds: number }): Scenario {
  return {
    fault: 'F18',
    name: `fdatasync and write of the spool fail ×${rounds}`,
    limitMs: 120_000 + rounds * 15_000,
    obstacle: straceObstacle,
    steps: async (run) => {
      for (let round = 0; round < rounds; round += 1) {
        await failOnce(run, INJECTIONS[round % INJECTIONS.length] ?? '');
      }
      run.expect(run.visits.counts.lost === 0, `F18: ${run.visits.counts.lost} visits failed`);
      Object.assign(run.figures, {
        rounds,
        'refused by the spool': await readAppMetric(run.site, 'click_spool_refused_total'),
      });
    },
  };
}
