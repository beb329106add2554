import { unlink } from 'node:fs/promises';
import type { Logger } from 'pino';

import { runningMs } from '../../infra/running-time.ts';
import { codeOf } from './folder.ts';
import type { OwnFolder } from './folder.ts';
import { MAX_SPOOL_LINE_BYTES, SPOOL_HEADER_BYTES, encodeSpoolFrames } from './frame.ts';
import { createRefusalReport } from './metrics.ts';
import type { SpoolMetrics, SpoolRefusal } from './metrics.ts';
import { SegmentGoneError, appendDurably, openSegment, sealSegment, tryDisk } from './segment-file.ts';
import type { SegmentFile } from './segment-file.ts';
import type { SpoolIndex } from './spool-index.ts';

export interface SpoolLimits {
  /** Limit of all bytes that this process holds; beyond it clicks are refused. */
  maxBytes: number;
  /** A click that is not on disk within this running time counts as not kept. */
  withinMs: number;
  maxSegmentBytes: number;
  maxSegmentAgeMs: number;
  /** Pause after two failures in a row, in which clicks are refused at once: a full disk costs visitors no time. */
  restMs: number;
}

export interface SpoolWriterDeps {
  index: SpoolIndex;
  /** The folder of this process, created when there is none. */
  folder: () => Promise<OwnFolder>;
  /** Called when the folder, or a file in it, is no longer at its path. */
  onGone: () => Promise<void>;
  metrics: SpoolMetrics;
  log: Logger;
  now: () => Date;
  limits: SpoolLimits;
}

interface PendingLine {
  shard: number;
  line: string;
  bytes: number;
  /** On the clock of `runningMs`. */
  deadlineMs: number;
  /** Undefined once it was called. */
  done: ((isKept: boolean) => void) | undefined;
}

/** Limit of lines that wait: what a few click batchers hand over at once when Redis goes away. */
const MAX_WAITING = 50_000;
/** Half a megabyte for each write: a millisecond for the disk, a fraction of one for this process. */
const MAX_LINES_PER_WRITE = 4_000;
/**
 * After this running time a write is taken for hanging, and new clicks are refused at once. Shorter stalls are common on a shared disk, and
 * clicks that arrive near their end are kept in time.
 */
const HANGING_AFTER_MS = 1_000;

/**
 * Writes clicks by group commit: while one write and fdatasync are in flight, new lines gather and leave together with the next.
 * After a failure the segment is abandoned, whatever a second fdatasync would report (the kernel may have dropped the pages), and the lines
 * are tried once more in a new segment.
 */
export class SpoolWriter {
  readonly #deps: SpoolWriterDeps;
  #file: SegmentFile | undefined;
  /** Ordered by deadline, as `#waiting` is; all deadlines being written are earlier than those that wait. */
  #writing: readonly PendingLine[] = [];
  #waiting: PendingLine[] = [];
  #waitingBytes = 0;
  #isFlushPlanned = false;
  /** When the write in flight began, on the clock of `runningMs`; undefined when there is none. */
  #busySinceMs: number | undefined;
  #isSealDue = false;
  #failures = 0;
  #restUntilMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #whenIdle: (() => void)[] = [];
  #unlinking: Promise<void> | undefined;
  readonly #refuse: (reason: SpoolRefusal) => void;

  constructor(deps: SpoolWriterDeps) {
    this.#deps = deps;
    this.#refuse = createRefusalReport(deps);
  }

  append(shard: number, line: string, done: (isKept: boolean) => void): void {
    const nowMs = runningMs();
    const bytes = Buffer.byteLength(line) + SPOOL_HEADER_BYTES;
    const refusal = this.#refusal(nowMs, bytes);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      this.#call(done, false);
      return;
    }
    const { withinMs } = this.#deps.limits;
    this.#waiting.push({ shard, line, bytes, deadlineMs: nowMs + withinMs, done });
    this.#waitingBytes += bytes;
    this.#timer ??= setTimeout(this.#onTimer, withinMs);
    this.#planFlush();
  }

  /** Opens a segment when none is open, so that the first click of an outage does not wait for it; after failures, tests the disk. */
  async prepare(): Promise<void> {
    if (this.#isStopped || this.#busySinceMs !== undefined || this.#isFlushPlanned) return;
    if (performance.now() < this.#restUntilMs) return;
    if (this.#file !== undefined && this.#failures === 0) return;
    await this.#busy(async () => {
      if (this.#failures > 0) await tryDisk(await this.#deps.folder());
      await this.#fileForWriting();
    });
  }

  /** Makes the open segment readable as soon as its write has ended. An empty one stays open. */
  seal(): void {
    if (this.#busySinceMs !== undefined) this.#isSealDue = true;
    else if ((this.#file?.segment.clicks ?? 0) > 0) this.#endSegment();
  }

  /** Age of the first click in the open segment, ms; 0 when it holds none. */
  activeAgeMs(): number {
    const firstAtMs = this.#file?.segment.clicks === 0 ? undefined : this.#file?.firstWriteAtMs;
    return firstAtMs === undefined ? 0 : performance.now() - firstAtMs;
  }

  /** Refuses from now on; resolves when `done` of every line was called and the segment is closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    while (this.#busySinceMs !== undefined || this.#isFlushPlanned || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle.push(resolve);
      });
    }
    clearTimeout(this.#timer);
    this.#endSegment();
    await this.#unlinking;
  }

  #refusal(nowMs: number, bytes: number): SpoolRefusal | undefined {
    const { index, limits } = this.#deps;
    if (this.#isStopped) return 'stopped';
    if (performance.now() < this.#restUntilMs || bytes >= MAX_SPOOL_LINE_BYTES) return 'failing';
    if (this.#busySinceMs !== undefined && nowMs - this.#busySinceMs > HANGING_AFTER_MS) return 'late';
    if (this.#waiting.length >= MAX_WAITING) return 'busy';
    return index.bytes + this.#waitingBytes + bytes > limits.maxBytes ? 'full' : undefined;
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#busySinceMs !== undefined) return;
    this.#isFlushPlanned = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushPlanned = false;
    if (this.#waiting.length === 0) this.#becomeIdle();
    else void this.#busy(async () => this.#writeNext());
  };

  /** Runs one operation on the disk and counts its failure. Never rejects. */
  async #busy(work: () => Promise<void>): Promise<void> {
    this.#busySinceMs = runningMs();
    try {
      await work();
      this.#failures = 0;
      this.#deps.metrics.usable(true);
    } catch (error) {
      await this.#fail(error);
    }
    this.#writing = [];
    this.#busySinceMs = undefined;
    if (this.#isSealDue) {
      this.#isSealDue = false;
      this.seal();
    }
    if (this.#waiting.length > 0) this.#planFlush();
    else this.#becomeIdle();
  }

  async #writeNext(): Promise<void> {
    const { index, metrics, now } = this.#deps;
    const file = await this.#fileForWriting();
    const lines = this.#waiting;
    this.#setWaiting(lines.length > MAX_LINES_PER_WRITE ? lines.splice(MAX_LINES_PER_WRITE) : []);
    this.#writing = lines;
    // All lines may have expired while the segment was opened.
    if (lines.length === 0) return;
    const { bytes, oldestMs } = encodeSpoolFrames(lines, now().getTime());
    await appendDurably(file, bytes);
    index.grow(file.segment, { clicks: lines.length, bytes: bytes.length, oldestMs });
    metrics.spooled(lines.length);
    for (const pending of lines) this.#settle(pending, true);
  }

  async #fileForWriting(): Promise<SegmentFile> {
    const { index, limits, now } = this.#deps;
    const current = this.#file;
    if (current !== undefined) {
      const isOld = this.activeAgeMs() > limits.maxSegmentAgeMs;
      if (!isOld && current.segment.bytes < limits.maxSegmentBytes) return current;
      this.#endSegment();
    }
    const file = await openSegment(await this.#deps.folder(), now());
    index.addSegment(file.segment);
    this.#file = file;
    return file;
  }

  /** Ends the open segment for good. A reader takes every frame whose checksum is right. */
  #endSegment(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const { index } = this.#deps;
    const { segment } = file;
    const fate = sealSegment(file);
    if (fate === 'taken' || segment.clicks === 0) index.removeSegment(segment);
    // No visitor was answered for what it may hold, so it is deleted: a disk that fails all night leaves no heap of files.
    if (fate === 'in_place' && segment.clicks === 0) this.#unlinking = unlink(segment.path).catch(() => undefined);
  }

  #setWaiting(waiting: PendingLine[]): void {
    this.#waiting = waiting;
    this.#waitingBytes = waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async #fail(error: unknown): Promise<void> {
    const { log, limits, metrics, onGone } = this.#deps;
    this.#failures += 1;
    this.#endSegment();
    const isGone = error instanceof SegmentGoneError || codeOf(error) === 'ENOENT';
    if (isGone) await onGone();
    log[isGone ? 'warn' : 'error']({ err: error, failures: this.#failures }, 'the spool could not write');
    const unsettled = this.#writing.filter(({ done }) => done !== undefined);
    this.#setWaiting([...unsettled, ...this.#waiting]);
    if (this.#failures === 1) return;
    metrics.usable(false);
    this.#restUntilMs = performance.now() + limits.restMs;
    const waiting = this.#waiting;
    this.#setWaiting([]);
    for (const pending of waiting) this.#settle(pending, false, 'failing');
  }

  #settle(pending: PendingLine, isKept: boolean, reason: SpoolRefusal = 'late'): void {
    const { done } = pending;
    if (done === undefined) return;
    pending.done = undefined;
    if (!isKept) this.#refuse(reason);
    this.#call(done, isKept);
  }

  #call(done: (isKept: boolean) => void, isKept: boolean): void {
    try {
      done(isKept);
    } catch (error) {
      // The visitors of the other clicks in the write still wait for their answers.
      this.#deps.log.error({ err: error }, 'the callback of a spooled click failed');
    }
  }

  #becomeIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Polls once before clicks are given up: the end of a write may lie unread after a stop of this process. */
  readonly #onTimer = (): void => {
    setImmediate(this.#expire);
  };

  /** Calls `done` with false for the lines whose time is over. Lines being written may still reach the disk, and are then drained like any other. */
  readonly #expire = (): void => {
    this.#timer = undefined;
    const nowMs = runningMs();
    for (const list of [this.#writing, this.#waiting]) {
      for (const pending of list) {
        if (pending.deadlineMs > nowMs) break;
        this.#settle(pending, false);
      }
    }
    this.#setWaiting(this.#waiting.filter(({ done }) => done !== undefined));
    const next = this.#writing.find(({ done }) => done !== undefined) ?? this.#waiting[0];
    if (next !== undefined) this.#timer = setTimeout(this.#onTimer, Math.max(1, next.deadlineMs - nowMs));
  };
}
