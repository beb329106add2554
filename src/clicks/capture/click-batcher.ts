import type { Logger } from 'pino';

import { MAX_CLICKS_PER_ENTRY, joinClickLines } from '../click-batch.ts';
import type { RedisClient } from '../../infra/redis.ts';
import { runningMs } from '../../infra/running-time.ts';
import type { ClickMetrics, UnackedReason } from '../metrics.ts';
import { CLICK_FIELD, streamKey } from '../click-batch.ts';

/** Where clicks go that Redis does not take; calls back once: true when the click is on disk. */
export interface ClickSpool {
  append(shard: number, line: string, done: (isKept: boolean) => void): void;
}

export interface LaneDeps {
  /** A connection of role `commands`. */
  redis: RedisClient;
  spool: ClickSpool;
  metrics: ClickMetrics;
  log: Logger;
}

/** Told of every click that Redis did not acknowledge, and whether the spool kept it. */
export type ReportUnacked = (report: { reason: UnackedReason; isKept: boolean; error?: unknown }) => void;

/** The visitor waits no longer than this for Redis; the spool has 60 ms more. */
const ACK_WAIT_MS = 80;
/** Clicks that may wait for their entry, per stream: 5 MB. */
const MAX_WAITING = 20_000;
/** After Redis was late or refused, clicks go straight to the spool, and one of them in as long tries Redis as well. */
const PROBE_EVERY_MS = 250;
/** A Redis slower than this would be late again at once. */
const PROBE_ACK_MS = ACK_WAIT_MS / 2;

interface PendingClick {
  line: string;
  deadlineMs: number;
  /** Taken away when it was called, or when the spool got the click. */
  done: ((isKept: boolean) => void) | undefined;
}

/**
 * One stream, by group commit: while an XADD is on its way, the clicks that come gather and leave together as the next entry. Under load
 * the entries grow by themselves (some 30 clicks at 64 connections), which is what makes an acknowledged click cheap; a single click leaves
 * at the end of its tick.
 *
 * Every click is called back for once: true when Redis acknowledged it or the spool has it on disk, false when neither did. Whatever was
 * handed to the spool may be in Redis too: the click id absorbs it.
 */
export class Lane {
  readonly #shard: number;
  readonly #key: string;
  readonly #deps: LaneDeps;
  readonly #report: ReportUnacked;
  /** In the order of their deadlines, like the two lists themselves: those on their way come before those that wait. */
  #onTheirWay: readonly PendingClick[] = [];
  #waiting: PendingClick[] = [];
  /** Clicks the spool has not called back for. */
  #spooling = 0;
  #isFlushPlanned = false;
  #timer: NodeJS.Timeout | undefined;
  /** Redis was late or refused: when it is tried again; undefined while it works. */
  #probeAtMs: number | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(shard: number, deps: LaneDeps, report: ReportUnacked) {
    this.#shard = shard;
    this.#key = streamKey(shard);
    this.#deps = deps;
    this.#report = report;
  }

  append(line: string, done: (isKept: boolean) => void): void {
    const click: PendingClick = { line, deadlineMs: runningMs() + ACK_WAIT_MS, done };
    const refusal = this.#refusal(click);
    if (refusal !== undefined) {
      this.#toSpool(click, refusal);
      return;
    }
    this.#waiting.push(click);
    this.#timer ??= setTimeout(this.#onTimer, ACK_WAIT_MS);
    if (this.#isFlushPlanned || this.#onTheirWay.length > 0) return;
    this.#isFlushPlanned = true;
    setImmediate(this.#flush);
  }

  /** Resolves when every click was called back for. */
  async idle(): Promise<void> {
    while (this.#isBusy()) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    clearTimeout(this.#timer);
  }

  #isBusy(): boolean {
    return this.#isFlushPlanned || this.#spooling > 0 || this.#onTheirWay.length > 0 || this.#waiting.length > 0;
  }

  #refusal(click: PendingClick): UnackedReason | undefined {
    if (this.#deps.redis.status !== 'ready') return 'away';
    if (this.#probeAtMs !== undefined) {
      if (click.deadlineMs - ACK_WAIT_MS >= this.#probeAtMs) void this.#probe(click.line);
      return 'resting';
    }
    return this.#waiting.length >= MAX_WAITING ? 'full' : undefined;
  }

  readonly #flush = (): void => {
    this.#isFlushPlanned = false;
    if (this.#waiting.length === 0) {
      if (!this.#isBusy()) this.#whenIdle?.();
      return;
    }
    const batch = this.#waiting;
    // Nearly always everything fits: then the list itself is the batch, and nothing is copied.
    this.#waiting = batch.length > MAX_CLICKS_PER_ENTRY ? batch.splice(MAX_CLICKS_PER_ENTRY) : [];
    this.#onTheirWay = batch;
    this.#deps.metrics.waiting(this.#waiting.length);
    void this.#send(batch);
  };

  /** Never rejects. */
  async #send(batch: readonly PendingClick[]): Promise<void> {
    const { redis, metrics } = this.#deps;
    const startedAtMs = performance.now();
    try {
      await redis.xadd(this.#key, '*', CLICK_FIELD, joinClickLines(batch.map(({ line }) => line)));
      metrics.appended({ clicks: batch.length, seconds: (performance.now() - startedAtMs) / 1_000 });
      for (const click of batch) this.#settle(click, true);
    } catch (error) {
      const isReady = redis.status === 'ready';
      if (isReady) this.#rest();
      for (const click of batch) this.#toSpool(click, isReady ? 'refused' : 'away', error);
    }
    this.#onTheirWay = [];
    // Those that gathered meanwhile wait no longer for a Redis that is not there.
    if (redis.status !== 'ready') this.#giveUpWaiting('away');
    this.#flush();
  }

  /** Sends one click that the spool has as well, to see whether Redis takes clicks again. Never rejects. */
  async #probe(line: string): Promise<void> {
    this.#rest();
    const startedAtMs = runningMs();
    try {
      await this.#deps.redis.xadd(this.#key, '*', CLICK_FIELD, joinClickLines([line]));
      if (runningMs() - startedAtMs <= PROBE_ACK_MS) this.#probeAtMs = undefined;
    } catch {
      // It rests on; the clicks themselves are reported.
    }
  }

  #rest(): void {
    this.#probeAtMs = runningMs() + PROBE_EVERY_MS;
  }

  /** Calls back, where that was not done before. */
  #settle(click: PendingClick, isKept: boolean): void {
    const { done } = click;
    if (done === undefined) return;
    click.done = undefined;
    this.#call(done, isKept);
  }

  #call(done: (isKept: boolean) => void, isKept: boolean): void {
    try {
      done(isKept);
    } catch (error) {
      // The other clicks of the entry have visitors of their own who wait.
      this.#deps.log.error({ err: error }, 'a click could not be called back for');
    }
  }

  /** Gives a click to the spool, where nobody was called back for it yet. */
  #toSpool(click: PendingClick, reason: UnackedReason, error?: unknown): void {
    const { done, line } = click;
    if (done === undefined) return;
    click.done = undefined;
    this.#spooling += 1;
    this.#deps.spool.append(this.#shard, line, (isKept) => {
      this.#spooling -= 1;
      this.#report({ reason, isKept, error });
      this.#call(done, isKept);
      if (!this.#isBusy()) this.#whenIdle?.();
    });
  }

  #giveUpWaiting(reason: UnackedReason): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const click of waiting) this.#toSpool(click, reason);
  }

  /** After a moment in which this process itself was stuck, acknowledgements may lie unread: they are read before anybody is given up. */
  readonly #onTimer = (): void => {
    setImmediate(this.#expire);
  };

  /** Gives to the spool what Redis did not acknowledge in time, and all that waits behind it. */
  readonly #expire = (): void => {
    this.#timer = undefined;
    const nowMs = runningMs();
    let isLate = false;
    for (const list of [this.#onTheirWay, this.#waiting]) {
      for (const click of list) {
        if (click.deadlineMs > nowMs) break;
        isLate ||= click.done !== undefined;
        this.#toSpool(click, 'late');
      }
    }
    if (isLate) {
      this.#rest();
      this.#giveUpWaiting('late');
    }
    const oldest = this.#onTheirWay.find(({ done }) => done !== undefined) ?? this.#waiting[0];
    if (oldest !== undefined) this.#timer = setTimeout(this.#onTimer, Math.max(1, oldest.deadlineMs - nowMs));
  };
}
