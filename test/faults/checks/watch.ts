import type { EventLog } from '../event-log.ts';
import type { Site } from '../site.ts';
import { readMetrics, sumOf } from './metrics.ts';
import { readSnapshot } from './queries.ts';

export interface Watch {
  /** Invariants that were seen broken, each once. */
  readonly violations: ReadonlySet<string>;
  readonly figures: { looks: number; blind: number; rssGrowthMb: number; rssMostMb: number; loopDelayMs: number };
  /** From now on processes may grow by so much and no more. */
  warmedUp(): void;
  stop(): Promise<void>;
}

const EVERY_MS = 1_000;
const MOST_RSS_GROWTH_BYTES = 64 * 1_048_576;
/** What a process may have in any case. Below it, growth only says that V8 has not collected its garbage for some time. */
const USUAL_RSS_BYTES = 200 * 1_048_576;

export interface WatchOptions {
  /** Entries are deleted from the stream on purpose. */
  mayVanish: boolean;
  log: EventLog;
}

interface Memory {
  baseBytes: number;
  growthBytes: number;
}

/** Looks at everything that must hold at every moment, once a second, past every fault that is injected. */
class SecondWatch implements Watch {
  readonly violations = new Set<string>();
  readonly figures = { looks: 0, blind: 0, rssGrowthMb: 0, rssMostMb: 0, loopDelayMs: 0 };
  readonly #site: Site;
  readonly #mayVanish: boolean;
  readonly #log: EventLog;
  readonly #memory = new Map<string, Memory>();
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  #isWarm = false;
  #last = { clicks: 0n, entries: 0n };

  constructor(site: Site, options: WatchOptions) {
    this.#site = site;
    this.#mayVanish = options.mayVanish;
    this.#log = options.log;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, EVERY_MS);
  }

  warmedUp(): void {
    this.#isWarm = true;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#look();
  }

  async #look(): Promise<void> {
    this.#lookAtMemory();
    await Promise.all([this.#lookAtDatabase(), this.#lookAtMetrics()]);
    for (const process of this.#site.processes())
      for (const fault of process.faults()) this.violations.add(`R2: ${fault}`);
  }

  /** A process that was started anew is held against the base of its first life. */
  #lookAtMemory(): void {
    for (const { process } of [...this.#site.apps, ...this.#site.workers]) {
      const bytes = process.rssBytes();
      if (bytes === undefined) continue;
      const memory = this.#memory.get(process.name) ?? { baseBytes: bytes, growthBytes: 0 };
      this.#memory.set(process.name, memory);
      if (!this.#isWarm) memory.baseBytes = Math.max(memory.baseBytes, bytes);
      memory.growthBytes = Math.max(memory.growthBytes, bytes - memory.baseBytes);
      const growthMb = Math.round(memory.growthBytes / 1_048_576);
      this.#log.write('memory', { process: process.name, mb: Math.round(bytes / 1_048_576) });
      this.figures.rssGrowthMb = Math.max(this.figures.rssGrowthMb, growthMb);
      this.figures.rssMostMb = Math.max(this.figures.rssMostMb, Math.round(bytes / 1_048_576));
      if (bytes > Math.max(memory.baseBytes, USUAL_RSS_BYTES) + MOST_RSS_GROWTH_BYTES)
        this.violations.add(
          `R1: ${process.name} grew by more than 64 MB from ${Math.round(memory.baseBytes / 1_048_576)} MB`,
        );
    }
  }

  async #lookAtDatabase(): Promise<void> {
    try {
      const { clicks, entries, deadLetters, unbalanced } = await readSnapshot(this.#site.db);
      this.figures.looks += 1;
      for (const { entryId, sumFen } of unbalanced)
        this.violations.add(`M1: journal entry ${entryId} sums to ${sumFen}`);
      for (const { reason, payload } of deadLetters) this.violations.add(`K3: dead letter ${reason}: ${payload}`);
      if (clicks < this.#last.clicks) this.violations.add(`K6: clicks fell from ${this.#last.clicks} to ${clicks}`);
      if (entries < this.#last.entries)
        this.violations.add(`M9: entries fell from ${this.#last.entries} to ${entries}`);
      this.#last = { clicks, entries };
    } catch {
      // Postgres is what is broken at the moment; the next look sees all of it again.
      this.figures.blind += 1;
    }
  }

  async #lookAtMetrics(): Promise<void> {
    const { apps, workers } = this.#site;
    const texts = await Promise.all([...apps, ...workers].map(({ metricsPort }) => readMetrics(metricsPort)));
    for (const text of texts) {
      if (text === undefined) continue;
      const vanished = sumOf(text, 'click_entries_vanished_total') ?? 0;
      if (vanished > 0 && !this.#mayVanish) this.violations.add('K4: stream entries vanished before they were stored');
      const delayMs = Math.round((sumOf(text, 'nodejs_eventloop_lag_p99_seconds') ?? 0) * 1_000);
      this.figures.loopDelayMs = Math.max(this.figures.loopDelayMs, delayMs);
    }
  }
}

export function startWatch(site: Site, options: WatchOptions): Watch {
  return new SecondWatch(site, options);
}
