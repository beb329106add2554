import { close, existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

import { repeat } from '../../infra/repeat.ts';
import { adoptFolders, claimFolder, codeOf, listSegments, segmentBeganAtMs, syncFolder } from './folder.ts';
import type { AdoptedFolder, OwnFolder } from './folder.ts';
import type { SpoolBacklog, SpoolMetrics } from './metrics.ts';
import { isDoneWith } from './publish-status.ts';
import { surveySegment } from './segment-reader.ts';
import { SpoolIndex } from './spool-index.ts';
import type { Segment } from './spool-index.ts';
import { SpoolWriter } from './writer.ts';
import type { SpoolLimits } from './writer.ts';

export interface Spool {
  /**
   * Keeps one encoded click line of a shard. Calls `done` exactly once, perhaps before this returns: true when the line is on disk (fdatasync
   * returned), false when it could not be kept (full, failing, stopped, or not within 60 ms). Never throws. After false the click may still be kept.
   */
  append(shard: number, line: string, done: (isKept: boolean) => void): void;
  /** The clicks that are kept and not drained yet. */
  backlog(): SpoolBacklog;
  /** Finishes the write in flight and seals the segment; resolves within 2 s. Another process takes over what is left. Stop the drain first. */
  stop(): Promise<void>;
}

/** A spool with what the drain needs. */
export interface DrainableSpool extends Spool {
  readonly index: SpoolIndex;
  /** Folder for bytes that are no clicks. */
  readonly damagedDir: string;
  /** The oldest segment that can be read. The one being written is sealed for it only when it is the last one and at least `sealAfterMs` old. */
  next(options: { sealAfterMs: number }): Segment | undefined;
  /** Deletes a segment whose clicks are all in the streams; the last was appended at `sentAtMs`. */
  finish(segment: Segment, sentAtMs: number): Promise<void>;
}

export interface SpoolDeps {
  /** Absolute path on a local disk that outlives the process; created when it is missing. */
  dir: string;
  maxBytes: number;
  log: Logger;
  metrics: SpoolMetrics;
  now: () => Date;
  limits?: Partial<Omit<SpoolLimits, 'maxBytes'>>;
  /** Interval of the search for folders of dead processes. */
  adoptEveryMs?: number;
}

const LIMITS = {
  withinMs: 60,
  maxSegmentBytes: 8 * 1024 * 1024,
  maxSegmentAgeMs: 10_000,
  restMs: 1_000,
} satisfies Partial<SpoolLimits>;
const UPKEEP_EVERY_MS = 1_000;
const ADOPT_EVERY_MS = 5_000;
const STOP_WITHIN_MS = 1_900;

/** Creates the folder of this process when it is needed, and again after another process took it or it was removed. */
class OwnFolderKeeper {
  readonly #deps: SpoolDeps;
  readonly #index: SpoolIndex;
  #own: OwnFolder | undefined;
  #claiming: Promise<OwnFolder> | undefined;

  constructor(deps: SpoolDeps, index: SpoolIndex) {
    this.#deps = deps;
    this.#index = index;
  }

  get current(): OwnFolder | undefined {
    return this.#own;
  }

  readonly get = async (): Promise<OwnFolder> => {
    if (this.#own !== undefined) return this.#own;
    this.#claiming ??= this.#claim();
    try {
      return await this.#claiming;
    } finally {
      this.#claiming = undefined;
    }
  };

  async #claim(): Promise<OwnFolder> {
    const own = await claimFolder(this.#deps.dir, this.#deps.now());
    this.#index.addFolder({ id: own.id, path: own.path, isAdopted: false });
    this.#own = own;
    return own;
  }

  /** Forgets the segments of a folder that is gone; the process that took it drains them. */
  readonly checkGone = async (): Promise<void> => {
    const own = this.#own;
    if (own === undefined || existsSync(own.path)) return;
    this.#own = undefined;
    const { log, metrics, now } = this.#deps;
    const lost = this.#index.folders().filter(({ path: at }) => at === own.path || path.dirname(at) === own.path);
    for (const folder of lost) {
      const gone = [...folder.segments].filter(({ fd }) => fd === undefined);
      for (const segment of gone) this.#index.removeSegment(segment);
      for (const { clicks } of gone) if (clicks > 0) metrics.damaged('vanished');
      folder.isAdopted = true;
      const nowMs = now().getTime();
      folder.sent.push({ oldestMs: nowMs, sentAtMs: nowMs });
    }
    log.error({ folder: own.path }, 'the folder of the spool is gone; creating another one');
    await own.release({ isEmpty: false });
  };
}

/** Adds the segments of an adopted folder to the index, each after it was surveyed. */
async function addAdopted(adopted: AdoptedFolder, { index, deps }: { index: SpoolIndex; deps: SpoolDeps }) {
  const folder = index.addFolder({ ...adopted, isAdopted: true });
  // The dead owner may have appended clicks to the streams until this moment.
  const nowMs = deps.now().getTime();
  folder.sent.push({ oldestMs: nowMs, sentAtMs: nowMs });
  let clicks = 0;
  for (const { path: file, bytes } of await listSegments(adopted.path)) {
    const beganAtMs = segmentBeganAtMs(file) ?? nowMs;
    const segment: Segment = {
      path: file,
      spoolId: adopted.id,
      beganAtMs,
      bytes,
      clicks: 0,
      oldestMs: Infinity,
      isSealed: true,
    };
    try {
      Object.assign(segment, await surveySegment(segment));
    } catch (error) {
      deps.log.error({ err: error, file }, 'a spool file of a dead process cannot be read yet');
      segment.oldestMs = beganAtMs;
    }
    clicks += segment.clicks;
    index.addSegment(segment);
  }
  folder.isKnown = true;
  deps.log.info({ spoolId: adopted.id, clicks }, 'took over the spool of a process that is gone');
}

function createUpkeep(parts: { deps: SpoolDeps; index: SpoolIndex; ownFolder: OwnFolderKeeper; writer: SpoolWriter }) {
  const { deps, index, ownFolder, writer } = parts;
  let adoptAtMs = -Infinity;
  let isFailing = false;
  return async (): Promise<void> => {
    await ownFolder.checkGone();
    await writer.prepare();
    const own = ownFolder.current;
    if (own === undefined || performance.now() < adoptAtMs) return;
    adoptAtMs = performance.now() + (deps.adoptEveryMs ?? ADOPT_EVERY_MS);
    try {
      for (const adopted of await adoptFolders(deps.dir, own, deps.now())) await addAdopted(adopted, { index, deps });
      isFailing = false;
    } catch (error) {
      if (!isFailing) deps.log.error({ err: error }, 'the search for spools of dead processes failed; trying again');
      isFailing = true;
    }
  };
}

/** Deletes the file of a drained segment. A missing file counts as deleted. */
async function deleteSegment(segment: Segment): Promise<void> {
  if (segment.fd !== undefined) {
    close(segment.fd);
    return;
  }
  try {
    await unlink(segment.path);
    // Without the sync a power cut could bring the file back, and its clicks would be sent again: harmless, but wasted work.
    await syncFolder(path.dirname(segment.path));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * Opens the spool, which keeps the clicks that Redis does not acknowledge in time on the local disk until Redis takes them.
 *
 * Resolves also when the directory cannot be used: this is logged, measured (`click_spool_usable` 0) and tried again each second; meanwhile
 * clicks are refused.
 */
export async function openSpool(deps: SpoolDeps): Promise<DrainableSpool> {
  const { dir, maxBytes, metrics } = deps;
  const index = new SpoolIndex();
  const ownFolder = new OwnFolderKeeper(deps, index);
  const limits: SpoolLimits = { ...LIMITS, ...deps.limits, maxBytes };
  const writer = new SpoolWriter({ ...deps, index, folder: ownFolder.get, onGone: ownFolder.checkGone, limits });
  metrics.watch(() => index.backlog(), deps.now);
  await writer.prepare();
  const stopUpkeep = repeat(
    {
      name: 'maintain_spool',
      everyMs: Math.min(UPKEEP_EVERY_MS, deps.adoptEveryMs ?? UPKEEP_EVERY_MS),
      run: createUpkeep({ deps, index, ownFolder, writer }),
    },
    deps.log,
  );
  const finishAll = async (): Promise<void> => {
    await Promise.all([stopUpkeep(), writer.stop()]);
    const isEmpty = index.folders().every(isDoneWith);
    await ownFolder.current?.release({ isEmpty });
  };
  return {
    index,
    damagedDir: path.join(dir, 'damaged'),
    append: (shard, line, done) => writer.append(shard, line, done),
    backlog: () => index.backlog(),
    next: ({ sealAfterMs }) => {
      const sealed = index.oldestSealed();
      if (sealed !== undefined || writer.activeAgeMs() < sealAfterMs) return sealed;
      writer.seal();
      return index.oldestSealed();
    },
    finish: async (segment, sentAtMs) => {
      await deleteSegment(segment);
      index.markSent(segment, sentAtMs);
    },
    stop: async () => {
      await Promise.race([finishAll(), sleep(STOP_WITHIN_MS)]);
    },
  };
}
