import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { sleep } from '../../infra/retry.ts';
import { removeFolder } from './folder.ts';
import { deleteStoredSpools, findStoredBefore, upsertSpool } from './queries.ts';
import type { IndexedFolder, SpoolIndex } from './spool-index.ts';

/** Interval of the comparison in memory; Postgres is written to when something has changed. */
const COMPARE_EVERY_MS = 200;
/** An unchanged row is written again after this time, so that an operator sees that its process lives. */
const REFRESH_MS = 5_000;
const CONFIRM_EVERY_MS = 1_000;
const CLEAN_UP_EVERY_MS = 60_000;
/** Interval while Postgres is away. */
const RETRY_MS = 1_000;

export interface PublishDeps {
  index: SpoolIndex;
  db: Db;
  log: Logger;
  now: () => Date;
}

/** The row that a folder should have; undefined when it needs none. */
function rowOf(folder: IndexedFolder, now: Date): { oldestMs: number; sentAtMs: number | undefined } | undefined {
  const kept = [...folder.segments].map(({ oldestMs }) => oldestMs).filter(Number.isFinite);
  const sent = folder.sent.map(({ oldestMs }) => oldestMs);
  const oldestMs = [...kept, ...sent].reduce((oldest, each) => Math.min(oldest, each), Infinity);
  if (kept.length > 0) return { oldestMs, sentAtMs: undefined };
  const { published } = folder;
  if (sent.length > 0) {
    return { oldestMs, sentAtMs: folder.sent.reduce((latest, { sentAtMs }) => Math.max(latest, sentAtMs), 0) };
  }
  // Nothing is left, but the published row says otherwise; for an adopted folder the dead owner may have written one.
  const isOpen = published === undefined ? folder.isAdopted : published.sentAtMs === undefined;
  const nowMs = now.getTime();
  return isOpen && folder.segments.size === 0 ? { oldestMs: nowMs, sentAtMs: nowMs } : undefined;
}

/** Whether nothing on disk and no row in Postgres depends on this folder any more. */
export function isDoneWith(folder: IndexedFolder): boolean {
  if (!folder.isKnown || folder.segments.size > 0) return false;
  const { published, sent } = folder;
  if (published === undefined) return !folder.isAdopted && sent.length === 0;
  const settledMs = published.sentAtMs;
  return settledMs !== undefined && sent.every(({ sentAtMs }) => sentAtMs <= settledMs);
}

async function publishFolder(folder: IndexedFolder, { db, now }: PublishDeps): Promise<void> {
  if (!folder.isKnown) return;
  const row = rowOf(folder, now());
  const { published } = folder;
  if (row === undefined) {
    if (!folder.isAdopted) folder.published = undefined;
    return;
  }
  const isSame = published?.oldestMs === row.oldestMs && published.sentAtMs === row.sentAtMs;
  const isFresh = published !== undefined && performance.now() - published.atMs < REFRESH_MS;
  if (isSame && (isFresh || row.sentAtMs !== undefined)) return;
  const sentAt = row.sentAtMs === undefined ? null : new Date(row.sentAtMs);
  await upsertSpool(db, { spoolId: folder.id, oldestAt: new Date(row.oldestMs), sentAt }, folder);
  folder.published = { ...row, atMs: performance.now() };
}

/** Returns the function that forgets sent clicks once they are stored, and deletes rows that hold nothing back any more. */
function createConfirmation({ db, index }: PublishDeps): () => Promise<void> {
  let confirmAtMs = -Infinity;
  let cleanUpAtMs = -Infinity;
  return async () => {
    const nowMs = performance.now();
    const isWaiting = index.folders().some(({ sent }) => sent.length > 0);
    if (isWaiting && nowMs >= confirmAtMs) {
      confirmAtMs = nowMs + CONFIRM_EVERY_MS;
      const before = index.folders().reduce((sum, { sent }) => sum + sent.length, 0);
      const storedBefore = await findStoredBefore(db);
      if (storedBefore !== undefined) index.confirm(storedBefore.getTime());
      if (index.folders().reduce((sum, { sent }) => sum + sent.length, 0) < before) cleanUpAtMs = -Infinity;
    }
    if (nowMs >= cleanUpAtMs) {
      await deleteStoredSpools(db);
      cleanUpAtMs = nowMs + CLEAN_UP_EVERY_MS;
    }
  };
}

async function publishAll(deps: PublishDeps, confirm: () => Promise<void>): Promise<void> {
  for (const folder of deps.index.folders()) {
    await publishFolder(folder, deps);
    if (folder.isAdopted && isDoneWith(folder)) {
      deps.index.removeFolder(folder.id);
      await removeFolder(folder.path);
    }
  }
  await confirm();
}

/**
 * Publishes to Postgres what the spools of this process hold, so that attribution waits for late clicks. When Postgres does not answer it
 * tries again; clicks are kept all the same.
 *
 * `stop` publishes once more and resolves within the time limits of the pool.
 */
export function startPublishing(deps: PublishDeps): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const confirm = createConfirmation(deps);
  let isFailing = false;
  const publish = async (): Promise<void> => {
    try {
      await publishAll(deps, confirm);
      isFailing = false;
    } catch (error) {
      if (!isFailing) deps.log.warn({ err: error }, 'the status of the spool cannot be published; trying again');
      isFailing = true;
    }
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await publish();
      await sleep(isFailing ? RETRY_MS : COMPARE_EVERY_MS, stopped.signal);
    }
    await publish();
  };
  const running = run();
  return {
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}
