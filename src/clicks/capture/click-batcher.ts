import type { Logger } from 'pino';

import type { RedisClient } from '../../infra/redis.ts';
import { runningMs } from '../../infra/running-time.ts';
import { CLICK_FIELD, MAX_CLICKS_PER_ENTRY, joinClickLines, streamKey } from '../click-batch.ts';
import type { ClickMetrics, UnackedReason } from '../metrics.ts';

/** Keeps clicks that Redis did not acknowledge. Calls `done` once: true when the click is on disk. */
export interface ClickSpool {
  append(shard: number, line: string, done: (isKept: boolean) => void): void;
}

export interface BatcherDeps {
  /** A connection of role `commands`. */
  redis: RedisClient;
  spool: ClickSpool;
  metrics: ClickMetrics;
  log: Logger;
}

/** Called for every click that Redis did not acknowledge, with whether the spool kept it. */
export type ReportUnacked = (report: { reason: UnackedReason; isKept: boolean; error?: unknown }) => void;

/** How long a visitor waits for Redis, in running time; the spool has 60 ms more. */
const ACK_WAIT_MS = 80;
/** Limit of clicks that wait for their entry, per stream: 5 MB. */
const MAX_WAITING = 20_000;
/** After Redis was late or refused, clicks go straight to the spool, and one of them in each such interval is sent to Redis too. */
const PROBE_EVERY_MS = 250;
/** A probe that took longer does not end the rest: Redis would be late again at once. */
const PROBE_ACK_MS = ACK_WAIT_MS / 2;

interface PendingClick {
  line: string;
  /** On the clock of `runningMs`. */
  deadlineMs: number;
  /** Undefined once it was called or the spool has the click. */
  done: ((isKept: boolean) => void) | undefined;
}

/**
 * Appends the clicks of one shard to its stream by group commit: while an XADD is in flight, new clicks gather and leave together as the next
 * entry. Under load the entries grow by themselves (about 30 clicks at 64 connections), so that an acknowledged click costs a thirtieth of a
 * command; a single click leaves at the end of its event-loop turn.
 *
 * `done` of every click is called once: true when Redis acknowledged it or the spool has it on disk, false when neither did. A click that was
 * handed to the spool may also be in Redis: the click id removes the duplicate.
 */
export class ClickBatcher {
  readonly #shard: number;
  readonly #key: string;
  readonly #deps: BatcherDeps;
  readonly #report: ReportUnacked;
  /** Ordered by deadline, as `#waiting` is; all deadlines in flight are earlier than those that wait. */
  #inFlight: readonly PendingClick[] = [];
  #waiting: PendingClick[] = [];
  /** Clicks for which the spool has not called back. */
  #spooling = 0;
  #isFlushPlanned = false;
  #timer: NodeJS.Timeout | undefined;
  /** When Redis is tried again after it was late or refused, on the clock of `runningMs`; undefined while it works. */
  #probeAtMs: number | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(shard: number, deps: BatcherDeps, report: ReportUnacked) {
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
    if (this.#isFlushPlanned || this.#inFlight.length > 0) return;
    this.#isFlushPlanned = true;
    setImmediate(this.#flush);
  }

  /** Resolves when `done` of every click was called. */
  async idle(): Promise<void> {
    while (this.#isBusy()) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    clearTimeout(this.#timer);
  }

  #isBusy(): boolean {
    return this.#isFlushPlanned || this.#spooling > 0 || this.#inFlight.length > 0 || this.#waiting.length > 0;
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
    // Nearly always all clicks fit: then the list itself is the batch, and nothing is copied.
    this.#waiting = batch.length > MAX_CLICKS_PER_ENTRY ? batch.splice(MAX_CLICKS_PER_ENTRY) : [];
    this.#inFlight = batch;
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
    this.#inFlight = [];
    // The clicks that gathered meanwhile do not wait for a Redis without a connection.
    if (redis.status !== 'ready') this.#giveUpWaiting('away');
    this.#flush();
  }

  /** Sends one click, which also goes to the spool, to learn whether Redis takes clicks again. Never rejects. */
  async #probe(line: string): Promise<void> {
    this.#rest();
    const startedAtMs = runningMs();
    try {
      await this.#deps.redis.xadd(this.#key, '*', CLICK_FIELD, joinClickLines([line]));
      if (runningMs() - startedAtMs <= PROBE_ACK_MS) this.#probeAtMs = undefined;
    } catch {
      // The rest goes on; the spool reports the click itself.
    }
  }

  #rest(): void {
    this.#probeAtMs = runningMs() + PROBE_EVERY_MS;
  }

  /** Calls `done`, unless it was called before. */
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
      // The visitors of the other clicks in the entry still wait for their answers.
      this.#deps.log.error({ err: error }, 'the callback of a click failed');
    }
  }

  /** Gives a click to the spool, unless its `done` was called before. */
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

  /** Polls the sockets once before clicks are given up: acknowledgements may lie unread after a stop of this process. */
  readonly #onTimer = (): void => {
    setImmediate(this.#expire);
  };

  /** Gives to the spool the clicks that Redis did not acknowledge in time, and all that wait behind them. */
  readonly #expire = (): void => {
    this.#timer = undefined;
    const nowMs = runningMs();
    let isLate = false;
    for (const list of [this.#inFlight, this.#waiting]) {
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
    const oldest = this.#inFlight.find(({ done }) => done !== undefined) ?? this.#waiting[0];
    if (oldest !== undefined) this.#timer = setTimeout(this.#onTimer, Math.max(1, oldest.deadlineMs - nowMs));
  };
}
