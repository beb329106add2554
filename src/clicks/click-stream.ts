import type { Logger } from 'pino';

import { MAX_CLICKS_PER_ENTRY, encodeClickLine, joinClickLines } from '../core/click-batch.ts';
import type { Click } from '../core/click.ts';
import type { RedisClient } from '../infra/redis.ts';
import type { ClickMetrics, UnackedReason } from './metrics.ts';
import { CLICK_FIELD, SHARDS, shardOf, streamKey } from './shards.ts';

export interface ClickStream {
  /**
   * Adds a click and calls back exactly once: true when Redis has acknowledged it, false when it did not in time (80 ms). After false the
   * click may still be stored.
   */
  append(click: Click, done: (isAcked: boolean) => void): void;
  /** Resolves when every click was called back for. Append nothing after it was called. */
  stop(): Promise<void>;
}

export interface ClickStreamDeps {
  /** A connection of role `commands`. */
  redis: RedisClient;
  metrics: ClickMetrics;
  log: Logger;
}

/** The visitor waits no longer than this for the acknowledgement. */
const ACK_WAIT_MS = 80;
/** Clicks that may wait for their entry, per stream: 5 MB. Beyond that a click is not tracked. */
const MAX_WAITING = 20_000;
/** An outage is logged once in as long, with the number of clicks since. */
const LOG_EVERY_MS = 5_000;

interface PendingClick {
  line: string;
  deadlineMs: number;
  /** Taken away when it was called. */
  done: ((isAcked: boolean) => void) | undefined;
}

type Unacked = (reason: UnackedReason, error?: unknown) => void;

/**
 * One stream, by group commit: while one XADD is on its way, the clicks that come gather and leave together as the next entry. Under load
 * the entries grow by themselves; a single click leaves at the end of its tick.
 */
class Lane {
  readonly #key: string;
  readonly #deps: ClickStreamDeps;
  readonly #unacked: Unacked;
  /** In the order of their deadlines, like the two lists themselves: those on their way come before those that wait. */
  #onTheirWay: PendingClick[] = [];
  #waiting: PendingClick[] = [];
  #isFlushPlanned = false;
  #timer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(key: string, deps: ClickStreamDeps, unacked: Unacked) {
    this.#key = key;
    this.#deps = deps;
    this.#unacked = unacked;
  }

  append(line: string, done: (isAcked: boolean) => void): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.#unacked(refusal);
      done(false);
      return;
    }
    this.#waiting.push({ line, deadlineMs: performance.now() + ACK_WAIT_MS, done });
    this.#timer ??= setTimeout(this.#onTimer, ACK_WAIT_MS);
    if (this.#isFlushPlanned || this.#onTheirWay.length > 0) return;
    this.#isFlushPlanned = true;
    setImmediate(this.#flush);
  }

  async idle(): Promise<void> {
    while (this.#isFlushPlanned || this.#onTheirWay.length > 0 || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    clearTimeout(this.#timer);
  }

  /** Calls back, once. False where it was done before. */
  #settle(click: PendingClick, isAcked: boolean): boolean {
    const { done } = click;
    if (done === undefined) return false;
    click.done = undefined;
    try {
      done(isAcked);
    } catch (error) {
      // The other clicks of the entry have visitors of their own who wait.
      this.#deps.log.error({ err: error }, 'a click could not be called back for');
    }
    return true;
  }

  #refusal(): UnackedReason | undefined {
    if (this.#deps.redis.status !== 'ready') return 'away';
    return this.#waiting.length >= MAX_WAITING ? 'full' : undefined;
  }

  readonly #flush = (): void => {
    this.#isFlushPlanned = false;
    if (this.#waiting.length === 0) {
      this.#whenIdle?.();
      return;
    }
    this.#onTheirWay = this.#waiting.splice(0, MAX_CLICKS_PER_ENTRY);
    this.#deps.metrics.waiting(this.#waiting.length);
    void this.#send(this.#onTheirWay);
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
      const reason = redis.status === 'ready' ? 'refused' : 'away';
      for (const click of batch) if (this.#settle(click, false)) this.#unacked(reason, error);
    }
    this.#next();
  }

  #next(): void {
    this.#onTheirWay = [];
    if (this.#deps.redis.status !== 'ready') {
      for (const click of this.#waiting.splice(0)) if (this.#settle(click, false)) this.#unacked('away');
    }
    this.#flush();
  }

  /** After a moment in which this process itself was stuck, acknowledgements may lie unread: they are read before anybody is given up. */
  readonly #onTimer = (): void => {
    setImmediate(this.#expire);
  };

  /** Calls back for the clicks whose time is over. Those that still wait are given up; those on their way may arrive yet. */
  readonly #expire = (): void => {
    const nowMs = performance.now();
    for (const click of [...this.#onTheirWay, ...this.#waiting]) {
      if (click.deadlineMs > nowMs) break;
      if (this.#settle(click, false)) this.#unacked('late');
    }
    this.#waiting = this.#waiting.filter(({ done }) => done !== undefined);
    const oldest = this.#onTheirWay.find(({ done }) => done !== undefined) ?? this.#waiting[0];
    this.#timer = oldest === undefined ? undefined : setTimeout(this.#onTimer, Math.max(1, oldest.deadlineMs - nowMs));
  };
}

/** Counts clicks that were not acknowledged, and logs them once in a while: during an outage there are thousands a second. */
function createUnackedReport({ metrics, log }: ClickStreamDeps): Unacked {
  let unacked = 0;
  let loggedAtMs = -Infinity;
  return (reason, error) => {
    metrics.unacked(reason);
    unacked += 1;
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < LOG_EVERY_MS) return;
    log.error({ reason, clicks: unacked, err: error }, 'clicks are not acknowledged: visitors are sent on untracked');
    loggedAtMs = nowMs;
    unacked = 0;
  };
}

/** The streams of all shards, as the redirect sees them: a click in, an acknowledgement out. */
export function createClickStream(deps: ClickStreamDeps): ClickStream {
  const unacked = createUnackedReport(deps);
  const lanes = SHARDS.map((shard) => new Lane(streamKey(shard), deps, unacked));
  return {
    append: (click, done) => {
      const line = encodeClickLine(click);
      const lane = lanes[shardOf(click.visitor)];
      if (lane === undefined) throw new RangeError('a visitor falls into a shard');
      lane.append(line, done);
    },
    stop: async () => {
      await Promise.all(lanes.map((lane) => lane.idle()));
    },
  };
}
