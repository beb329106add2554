import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { runProgram } from '../../support/child-program.ts';
import type { Program } from '../../support/child-program.ts';
import { filesIn, idsOnDisk, makeDir, removeDir, scanFile } from './spool-rig.ts';

/**
 * A disk that takes a part of a write and then refuses, as a full one does, made with the limit a process has on the size of a file: that
 * needs no rights and no tools but the shell and prlimit. The full disk itself (a small tmpfs) is a case of the fault harness.
 */
const PROGRAM = path.join(import.meta.dirname, 'run-spool.ts');
const dirs: string[] = [];
const programs: Program[] = [];
afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  for (const dir of dirs.splice(0)) removeDir(dir);
});

/** A process that keeps clicks without pause, and may write files of so many blocks of 512 bytes. */
function startLimited(fileBlocks: number): { program: Program; dir: string } {
  const dir = makeDir();
  dirs.push(dir);
  const script = `ulimit -S -f ${fileBlocks} && exec "$@"`;
  const args = ['-c', script, 'sh', process.execPath, PROGRAM, dir, 'append'];
  const [file = '', ...rest] = args;
  const program = runProgram(file, rest, { PATH: process.env['PATH'] ?? '' }, { node: '/bin/sh' });
  programs.push(program);
  return { program, dir };
}

const said = (program: Program): string[] => program.stdout().split('\n').slice(0, -1);
const promisedBy = (program: Program): string[] => said(program).filter((line) => /^[\w-]{38}$/.test(line));

describe('F17: writes that the system cuts short and then refuses', () => {
  it('are answered only when they are whole in another segment', async () => {
    // Some 20 clicks a file.
    const { program, dir } = startLimited(6);
    await vi.waitFor(() => expect(promisedBy(program).length).toBeGreaterThan(300), { timeout: 20_000 });
    program.child.kill('SIGKILL');
    await program.ended;
    const onDisk = new Set(await idsOnDisk(dir));
    expect(promisedBy(program).filter((id) => !onDisk.has(id))).toEqual([]);
    expect(said(program).filter((line) => line === 'refused')).toEqual([]);
    const scans = await Promise.all(filesIn(dir, '.spool').map(scanFile));
    const gaps = scans.flatMap((scan) => scan.gaps);
    expect(gaps.length).toBeGreaterThan(5);
    expect(gaps.filter(({ isTorn }) => !isTorn)).toEqual([]);
  });

  it('altogether end in refusals that cost no time and leave no files behind; it goes on by itself when the disk does', async () => {
    const { program, dir } = startLimited(0);
    await program.line(/^ready$/);
    await program.line(/^refused$/);
    await sleep(1_500);
    expect(promisedBy(program)).toEqual([]);
    // Four callers that wait 5 ms after each refusal.
    expect(said(program).length).toBeGreaterThan(300);
    expect(filesIn(dir, '.spool').length).toBeLessThanOrEqual(1);
    execFileSync('prlimit', ['--pid', String(program.child.pid), '--fsize=unlimited']);
    await vi.waitFor(() => expect(promisedBy(program).length).toBeGreaterThan(100), { timeout: 5_000 });
    program.child.kill('SIGKILL');
    await program.ended;
    const onDisk = new Set(await idsOnDisk(dir));
    expect(promisedBy(program).filter((id) => !onDisk.has(id))).toEqual([]);
  });
});
