import type { Logger } from 'pino';

import { sleep } from '../infra/retry.ts';
import { findWithTimeout } from '../infra/with-timeout.ts';

/** A read takes far less than the second that is left, so every process sees a change within five seconds. */
const POLL_EVERY_MS = 4_000;
/** How long a fresh process waits for its first read. */
const FIRST_READ_WAIT_MS = 800;
/** Log the first failure, then every fiftieth (at least three minutes later), so that an outage does not flood the log. */
const LOG_EVERY_FAILURES = 50;

export interface PolledTableDeps<Value> {
  /** Names the table in the log. */
  name: string;
  /** The value until the first read succeeds. */
  initial: Value;
  read: () => Promise<Value>;
  log: Logger;
  /** 4 s unless a test cannot wait that long. */
  everyMs?: number | undefined;
}

/**
 * A small table that every process keeps whole and reads again every four seconds, one read at a time. A read that fails changes nothing: the
 * last value stays in use while Postgres is away.
 */
export class PolledTable<Value> {
  /** The value of the last successful read. A plain field, because the click path reads it for every visit. */
  current: Value;
  /** Resolves after the first read, whether it succeeded or not; within 0.8 s. */
  readonly firstRead: Promise<void>;
  readonly #deps: PolledTableDeps<Value>;
  readonly #stopped = new AbortController();
  #startedReads = 0;
  /** The latest read whose value was taken: a read that started before it holds an older table. */
  #takenRead = 0;
  #failures = 0;

  constructor(deps: PolledTableDeps<Value>) {
    this.#deps = deps;
    this.current = deps.initial;
    const firstPoll = this.#poll();
    this.firstRead = findWithTimeout(firstPoll, FIRST_READ_WAIT_MS);
    void this.#repeatAfter(firstPoll);
  }

  /** Reads at once. Rejects where Postgres does not answer. */
  async refresh(): Promise<void> {
    this.#startedReads += 1;
    const read = this.#startedReads;
    const value = await this.#deps.read();
    if (read < this.#takenRead) return;
    this.#takenRead = read;
    this.current = value;
  }

  /** Ends the polling; `current` stays in use. A running read is not awaited, because it ends by itself. */
  stop(): void {
    this.#stopped.abort();
  }

  async #repeatAfter(firstPoll: Promise<void>): Promise<void> {
    const { everyMs = POLL_EVERY_MS } = this.#deps;
    const { signal } = this.#stopped;
    await firstPoll;
    while (!signal.aborted) {
      await sleep(everyMs, signal);
      if (!signal.aborted) await this.#poll();
    }
  }

  /** Never rejects. */
  async #poll(): Promise<void> {
    try {
      await this.refresh();
      this.#failures = 0;
    } catch (error) {
      const { name, log } = this.#deps;
      if (this.#failures % LOG_EVERY_FAILURES === 0 && !this.#stopped.signal.aborted) {
        log.warn({ err: error, table: name }, 'a table could not be read; the last known rows stay in use');
      }
      this.#failures += 1;
    }
  }
}
