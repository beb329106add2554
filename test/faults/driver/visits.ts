import { createKeptConnections, exchange } from './exchange.ts';

/** A server that visitors are sent to. */
export interface Door {
  port: number;
}

/** A visit that got no answer. */
export interface LostVisit {
  kind: 'refused' | 'cut' | 'late';
  /** On the clock of `performance.now()`. */
  fromMs: number;
  toMs: number;
}

export interface VisitCounts {
  tracked: number;
  /** Sent on without a click id. */
  untracked: number;
  /** Answers that were no redirect, by status. */
  other: Record<number, number>;
  lost: number;
  /** Not even begun, because too many were waiting for an answer. */
  skipped: number;
}

export interface Visits {
  readonly counts: VisitCounts;
  /** The click ids that visitors were really given. */
  readonly clickIds: readonly string[];
  readonly lost: readonly LostVisit[];
  /** Answers, from the slowest on: the time under which `share` of them stayed, of those asked for in the span. */
  quantileMs(share: number, span?: { fromMs: number; toMs: number }): number;
  /** Of those asked for within the span. */
  countWithin(span: { fromMs: number; toMs: number }): { answered: number; untracked: number };
  setRate(perSecond: number): void;
  /** What came before counts as visits, but not in times. */
  measureFromHere(): void;
  /** Begins no more visits and waits for the answers to those that were begun. */
  stop(): Promise<void>;
}

export interface VisitOptions {
  doors: readonly Door[];
  /** The first is the popular one. */
  codes: readonly string[];
  perSecond: number;
  random: (below: number) => number;
  /** The click id of a visit, when it was given one. */
  onClick: (code: string, clickId: string) => void;
  /** Doors are asked ten times a second whether they are ready, and those that are not get no visits: a balancer with a health check. */
  asksReadiness?: boolean;
}

const TICK_MS = 10;
const TIMEOUT_MS = 5_000;
const MOST_WAITING = 2_000;
const READINESS_EVERY_MS = 100;
const KEPT_CONNECTIONS = 32;
const VISITORS = 5_000;
/** One in five comes over a connection of its own, like a browser that was never here. */
const FRESH_PERCENT = 20;
const POPULAR_PERCENT = 80;

interface Answered {
  atMs: number;
  tookMs: number;
  isUntracked: boolean;
}

/** The click id in the address a visitor is sent to. */
function clickIdOf(location: string | undefined): string | undefined {
  return URL.parse(location ?? '')?.searchParams.get('dh_click') ?? undefined;
}

class Visitors implements Visits {
  readonly counts: VisitCounts = { tracked: 0, untracked: 0, other: {}, lost: 0, skipped: 0 };
  readonly clickIds: string[] = [];
  readonly lost: LostVisit[] = [];
  readonly #options: VisitOptions;
  readonly #agents: ReadonlyMap<Door, ReturnType<typeof createKeptConnections>>;
  readonly #answered: Answered[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #readiness: NodeJS.Timeout | undefined;
  readonly #unready = new Set<Door>();
  #perSecond: number;
  #owed = 0;
  #measuredFromMs = 0;
  #tickedAtMs = performance.now();

  constructor(options: VisitOptions) {
    this.#options = options;
    this.#perSecond = options.perSecond;
    this.#agents = new Map(options.doors.map((door) => [door, createKeptConnections(KEPT_CONNECTIONS)]));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    if (options.asksReadiness === true) {
      this.#readiness = setInterval(() => {
        for (const door of options.doors) void this.#askReadiness(door);
      }, READINESS_EVERY_MS);
    }
  }

  setRate(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  measureFromHere(): void {
    this.#measuredFromMs = performance.now();
  }

  quantileMs(share: number, span = { fromMs: 0, toMs: Infinity }): number {
    const times = this.#within(span).map(({ tookMs }) => tookMs);
    times.sort((one, other) => one - other);
    return Math.round((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0) * 10) / 10;
  }

  countWithin(span: { fromMs: number; toMs: number }): { answered: number; untracked: number } {
    const answered = this.#within(span);
    return { answered: answered.length, untracked: answered.filter(({ isUntracked }) => isUntracked).length };
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#readiness);
    await Promise.all(this.#underWay);
    for (const agent of this.#agents.values()) agent.destroy();
  }

  #within({ fromMs, toMs }: { fromMs: number; toMs: number }): Answered[] {
    const sinceMs = Math.max(fromMs, this.#measuredFromMs);
    return this.#answered.filter(({ atMs }) => atMs >= sinceMs && atMs < toMs);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#owed += ((nowMs - this.#tickedAtMs) / 1_000) * this.#perSecond;
    this.#tickedAtMs = nowMs;
    for (; this.#owed >= 1; this.#owed -= 1) {
      if (this.#underWay.size >= MOST_WAITING) {
        this.counts.skipped += 1;
        continue;
      }
      const visit = this.#visit().finally(() => this.#underWay.delete(visit));
      this.#underWay.add(visit);
    }
  }

  async #askReadiness(door: Door): Promise<void> {
    const answer = await exchange({
      port: door.port,
      method: 'GET',
      path: '/readyz',
      headers: {},
      timeoutMs: READINESS_EVERY_MS,
    });
    if (answer.kind === 'answer' && answer.status === 200) this.#unready.delete(door);
    else this.#unready.add(door);
  }

  /** All of them where none is ready: whoever has nobody else to send visitors to sends them all the same. */
  #openDoors(): readonly Door[] {
    const ready = this.#options.doors.filter((door) => !this.#unready.has(door));
    return ready.length === 0 ? this.#options.doors : ready;
  }

  /** Asks one door, and the next one where nobody listens: what a load balancer does. */
  async #visit(): Promise<void> {
    const { codes, random, onClick } = this.#options;
    const doors = this.#openDoors();
    const code = codes[random(100) < POPULAR_PERCENT ? 0 : random(codes.length)] ?? '';
    const path = random(10) < 3 ? `/${code}/v${random(5)}` : `/${code}`;
    const userAgent = `Mozilla/5.0 (Windows NT 10.0; Win64; x64) Mobile/15E148 aweme_30.4.${random(VISITORS)}`;
    const isFresh = random(100) < FRESH_PERCENT;
    const first = random(doors.length);
    const fromMs = performance.now();
    for (let turn = 0; turn < doors.length; turn += 1) {
      const door = doors[(first + turn) % doors.length];
      if (door === undefined) return;
      const agent = isFresh ? undefined : this.#agents.get(door);
      const answer = await exchange({
        port: door.port,
        method: 'GET',
        path,
        headers: { 'user-agent': userAgent },
        timeoutMs: TIMEOUT_MS,
        ...(agent === undefined ? {} : { agent }),
      });
      if (answer.kind === 'answer') {
        const clickId = answer.status === 302 ? clickIdOf(answer.headers.location) : undefined;
        this.#count(answer.status, clickId);
        const isUntracked = answer.status === 302 && clickId === undefined;
        this.#answered.push({ atMs: fromMs, tookMs: answer.tookMs, isUntracked });
        if (clickId !== undefined) onClick(code, clickId);
        return;
      }
      if (answer.kind === 'refused' && turn + 1 < doors.length) continue;
      this.counts.lost += 1;
      this.lost.push({ kind: answer.kind, fromMs, toMs: performance.now() });
      return;
    }
  }

  #count(status: number, clickId: string | undefined): void {
    if (status !== 302) {
      this.counts.other[status] = (this.counts.other[status] ?? 0) + 1;
    } else if (clickId === undefined) {
      this.counts.untracked += 1;
    } else {
      this.counts.tracked += 1;
      this.clickIds.push(clickId);
    }
  }
}

/** Visits at a steady rate, whether or not they are answered, and a record of what every visitor was told. */
export function startVisits(options: VisitOptions): Visits {
  return new Visitors(options);
}
