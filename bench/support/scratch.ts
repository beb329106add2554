/** Folders of one run of the bench, named by its process: what a killed run left is told from what another run is using. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { removeHome } from '../../src/local/local-services.ts';
import { isRunning } from '../../src/local/processes.ts';
import { onEnd } from './cleanup.ts';

/** `services`: the home of a private Postgres and Redis, which are stopped before it is removed. */
export type ScratchKind = 'services' | 'home' | 'visits' | 'answers';

export interface ScratchFolder {
  folder: string;
  remove: () => Promise<void>;
}

const NAME = /^daihuo-bench-(\d+)-([a-z]+)-/;

async function removeFolder(kind: string, folder: string): Promise<void> {
  await (kind === 'services' ? removeHome(folder) : rm(folder, { recursive: true, force: true }));
}

/** A new folder. It is removed at the end of the bench at the latest. */
export async function makeScratch(kind: ScratchKind): Promise<ScratchFolder> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `daihuo-bench-${process.pid}-${kind}-`));
  return { folder, remove: onEnd(async () => removeFolder(kind, folder)) };
}

/** Removes what runs left whose process is gone. */
export async function sweepScratch(): Promise<void> {
  for (const name of await readdir(os.tmpdir())) {
    const [, pid, kind = ''] = NAME.exec(name) ?? [];
    if (pid !== undefined && !isRunning(Number(pid))) await removeFolder(kind, path.join(os.tmpdir(), name));
  }
}
