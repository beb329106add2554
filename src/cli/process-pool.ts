import type { Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { OperatorFault } from '../infra/failures.ts';
import { backoffMs } from '../infra/retry.ts';

/** The message of a process of several to the one that forked it, when it can take requests. */
export const READY_MESSAGE = 'daihuo: ready';

/** A process that ran for this long is replaced at once when it ends. */
const SETTLED_AFTER_MS = 10_000;
/** A process that ended sooner is replaced after 0.5, 1, 2, 4, 8, 16, then every 30 s. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** While no process is ready: after this many in a row that ended before they were ready, the whole pool gives up, so that its supervisor sees it. */
const GIVE_UP_AFTER = 5;

export interface ProcessPoolOptions {
  /** The number of processes to keep running. */
  count: number;
  /** The first pause before a process that ended early is replaced; 500 ms by default. */
  firstDelayMs?: number;
  fork: () => Worker;
  log: Logger;
  /** Runs for every process that ended while it should run. */
  onEnd: (worker: Worker) => void;
  /** Runs when the pool gives up after all processes were ready once. */
  onLost: (fault: OperatorFault) => void;
}

interface Member {
  worker: Worker;
  forkedAtMs: number;
  isReady: boolean;
  isSignalled: boolean;
}

/** Keeps a number of processes running. The first is forked alone, so that a fault that stops every process from starting is reported once. */
export class ProcessPool {
  readonly #options: ProcessPoolOptions;
  readonly #members = new Set<Member>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #wasReady = false;
  #isStarted = false;
  #isStopping = false;
  #badExits = 0;
  /** Processes in a row that ended early, and those among them that never were ready. */
  #early = 0;
  #unready = 0;

  constructor(options: ProcessPoolOptions) {
    this.#options = options;
    // Attach a handler now, so that Node reports no unhandled rejection; the error surfaces in `start`.
    this.#started.promise.catch(() => undefined);
  }

  /** Resolves when all processes are ready. @throws OperatorFault where none gets ready, or the first ends before it is ready */
  async start(): Promise<void> {
    this.#fork();
    return this.#started.promise;
  }

  get readyCount(): number {
    return [...this.#members].filter(({ isReady }) => isReady).length;
  }

  get pids(): number[] {
    return [...this.#members].map(({ worker }) => worker.process.pid ?? 0);
  }

  /** Stops respawning and forwards the signal once to each process. */
  forwardSignal(signal: NodeJS.Signals): void {
    this.#isStopping = true;
    this.#started.reject(new Error('stopped while starting'));
    for (const timer of this.#timers) clearTimeout(timer);
    for (const member of this.#members) {
      if (!member.isSignalled) member.worker.process.kill(signal);
      member.isSignalled = true;
    }
    if (this.#members.size === 0) this.#ended.resolve();
  }

  /** Resolves when all processes have ended. Rejects where one of them ended with a fault. */
  async stop(): Promise<void> {
    this.forwardSignal('SIGTERM');
    await this.#ended.promise;
    if (this.#badExits > 0) throw new Error(`${this.#badExits} processes did not stop in order`);
  }

  kill(): void {
    for (const { worker } of this.#members) worker.process.kill('SIGKILL');
  }

  #fork(): void {
    const worker = this.#options.fork();
    const member: Member = { worker, forkedAtMs: performance.now(), isReady: false, isSignalled: false };
    this.#members.add(member);
    worker.on('message', (message: unknown) => {
      if (message === READY_MESSAGE) this.#memberReady(member);
    });
    worker.on('error', (error) => this.#options.log.error({ err: error }, 'a process cannot be reached'));
    worker.on('exit', (code, signal) => this.#memberEnded(member, { code, signal }));
  }

  #memberReady(member: Member): void {
    const { count, log } = this.#options;
    member.isReady = true;
    this.#unready = 0;
    log.info({ process: member.worker.process.pid }, 'a process is ready');
    if (!this.#wasReady && !this.#isStopping) while (this.#members.size < count) this.#fork();
    this.#wasReady = true;
    if (this.readyCount < count) return;
    this.#isStarted = true;
    this.#started.resolve();
  }

  #memberEnded(member: Member, how: { code: number | null; signal: string | null }): void {
    const { log, onEnd, onLost } = this.#options;
    this.#members.delete(member);
    if (this.#isStopping) {
      if (how.code !== 0 && how.signal === null) this.#badExits += 1;
      if (this.#members.size === 0) this.#ended.resolve();
      return;
    }
    onEnd(member.worker);
    const delayMs = this.#delayAfter(member);
    if (this.#wasReady && (this.#unready < GIVE_UP_AFTER || this.readyCount > 0)) {
      log.error({ process: member.worker.process.pid, ...how, delayMs }, 'a process ended; another takes its place');
      this.#forkLater(delayMs);
      return;
    }
    const fault = new OperatorFault(
      `No process of daihuo gets ready; the last one ended with ${how.signal ?? how.code}.`,
    );
    if (this.#isStarted) onLost(fault);
    else this.#started.reject(fault);
  }

  #delayAfter({ isReady, forkedAtMs }: Member): number {
    const { firstDelayMs = FIRST_DELAY_MS } = this.#options;
    if (!isReady) this.#unready += 1;
    const isSettled = isReady && performance.now() - forkedAtMs >= SETTLED_AFTER_MS;
    this.#early = isSettled ? 0 : this.#early + 1;
    return isSettled ? 0 : backoffMs(this.#early, { firstMs: firstDelayMs, longestMs: LONGEST_DELAY_MS });
  }

  #forkLater(delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#fork();
    }, delayMs);
    this.#timers.add(timer);
  }
}
