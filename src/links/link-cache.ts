import type { LandingModeOverrides } from '../core/links/landing-mode.ts';
import type { SplitDestination } from '../platforms/destination.ts';
import type { Platform, TargetStatus } from '../core/vocabulary.ts';

/** A link ready to answer visitors: `locationOf(target, clickId)` is its Location. */
export interface LinkTarget extends SplitDestination {
  linkNumber: number;
  linkId: string;
  /** A `paused` link may come back. A `gone` one will not: the product is off sale, or the store closed. */
  status: TargetStatus;
  version: number;
  platform: Platform;
  /** Live view of what the brand and the operator set instead of the table of landing modes; mostly nothing. */
  overrides: LandingModeOverrides | undefined;
}

/**
 * A map that keeps the entries set last: at least half of `max`, at most `max`. It forgets the older half at once, in two generations, so it
 * allocates nothing in advance and keeps no order.
 */
export class RecentMap<K, V> {
  readonly #max: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: K, value: V): void {
    this.#old.delete(key);
    this.#young.set(key, value);
    if (this.#young.size < this.#max / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}

/** About 350 bytes each; `npm run bench memory` measures it. */
const MAX_LINKS = 100_000;
/** A link may have several codes. */
const MAX_CODES = 150_000;
const MAX_UNKNOWN_CODES = 50_000;
const MAX_FLOORS = 50_000;

/**
 * Maximum age of a cached link while the NOTIFY connection is up. Postgres announces every change on it, and a ping twice a second checks it,
 * so this only limits the effect of a lost notification. Each entry gets a random age between half of this and all of it, because otherwise
 * a busy process would look up all its links again in the same second.
 */
const FRESH_MS = 300_000;
/** Maximum age of a cached link while the NOTIFY connection is down. */
const FRESH_UNHEARD_MS = 900;

/** Ages use a clock that the operator cannot set. */
function monotonicMs(): number {
  return performance.now();
}

/** How long an entry is fresh. */
interface Lifetime {
  /** Whole milliseconds, which V8 stores inside the object; a fraction would be a second object. */
  storedAtMs: number;
  /** While the NOTIFY connection is up. */
  freshUntilMs: number;
  /** The connection under which the entry was stored: what an earlier one heard may be incomplete. */
  epoch: number;
}

interface CachedLink extends Lifetime {
  target: LinkTarget;
  /** When a lease begins or ends by itself; mostly undefined. */
  changesAtMs: number | undefined;
  /** A change was announced: use it only where no newer version can be read. */
  isChanged: boolean;
  /** Since the eviction round last passed it. */
  wasUsed: boolean;
  /** How many codes lead here; at 0 the link is evicted. */
  codeCount: number;
}

export type CacheHit =
  | { found: true; target: LinkTarget; isFresh: boolean; isChanged: boolean }
  | { found: false; isFresh: boolean };

/**
 * The links that one process remembers, bounded: by code and by id, and codes that name no link. Entries that are no longer fresh stay, for
 * the time when neither Redis nor Postgres answers.
 *
 * Plain maps with the clock algorithm for eviction: a visit costs one map lookup and one mark. An LRU list costs three lookups, arrays sized
 * for the maximum, and a second map in front of it to be as fast.
 */
export class LinkCache {
  readonly #byCode = new Map<string, CachedLink>();
  readonly #byId = new Map<string, CachedLink>();
  /** Position of the eviction round; undefined until the first eviction. */
  #round: MapIterator<[string, CachedLink]> | undefined;
  readonly #unknown = new RecentMap<string, Lifetime>(MAX_UNKNOWN_CODES);
  /** The lowest version of a link that may still be used, as announced. */
  readonly #floors = new RecentMap<string, number>(MAX_FLOORS);
  readonly #now: () => Date;
  #epoch = 0;
  #addedCodes = 0;
  #isListening = false;

  constructor(options: { now: () => Date }) {
    this.#now = options.now;
  }

  find(code: string): CacheHit | undefined {
    const link = this.#byCode.get(code);
    if (link !== undefined) {
      link.wasUsed = true;
      return { found: true, target: link.target, isFresh: this.#isFresh(link), isChanged: link.isChanged };
    }
    const unknown = this.#unknown.get(code);
    return unknown === undefined ? undefined : { found: false, isFresh: this.#isYoung(unknown) };
  }

  /** The target of a code in canonical spelling, if it is fresh. Cheaper than `find`, for the click path. */
  findFresh(code: string): LinkTarget | undefined {
    const link = this.#byCode.get(code);
    if (link === undefined || !this.#isFresh(link)) return undefined;
    link.wasUsed = true;
    return link.target;
  }

  /** The link that a code names, if it is remembered, fresh or not: a code never moves to another link. */
  linkIdOf(code: string): string | undefined {
    return this.#byCode.get(code)?.target.linkId;
  }

  /** Whether no newer version was announced. */
  isCurrent(linkId: string, version: number): boolean {
    return version >= (this.#floors.get(linkId) ?? 0);
  }

  /** Stores a target, unless a newer version is stored or was announced. */
  put(code: string, target: LinkTarget, changesAtMs: number | null): void {
    const { linkId, version } = target;
    this.#unknown.delete(code);
    const kept = this.#byId.get(linkId);
    const isNewest = this.isCurrent(linkId, version) && (kept === undefined || kept.target.version <= version);
    const link = isNewest ? this.#keep(kept, target, changesAtMs) : kept;
    if (link === undefined || this.#byCode.get(code) === link) return;
    link.codeCount += 1;
    this.#byCode.set(code, link);
    while (this.#byId.size > MAX_LINKS || this.#byCode.size > MAX_CODES) this.#forgetOne();
  }

  /** Take it before a lookup, and pass it to `putUnknown` after the lookup. */
  get codeMark(): number {
    return this.#addedCodes;
  }

  /** Stores that a code names no link, unless codes were added since the mark was taken. */
  putUnknown(code: string, mark: number): void {
    if (mark !== this.#addedCodes) return;
    const lifetime: Lifetime = { storedAtMs: 0, freshUntilMs: 0, epoch: 0 };
    this.#renew(lifetime);
    this.#unknown.set(code, lifetime);
  }

  /** A link changed. Without a version (a message of an older program) only the entry stored now becomes unusable. */
  linkChanged(linkId: string, version: number | undefined): void {
    if (version !== undefined && version > (this.#floors.get(linkId) ?? 0)) this.#floors.set(linkId, version);
    const link = this.#byId.get(linkId);
    if (link !== undefined && (version === undefined || link.target.version < version)) link.isChanged = true;
  }

  codeAdded(code: string): void {
    this.#addedCodes += 1;
    this.#unknown.delete(code);
  }

  /** Sets whether the NOTIFY connection is up. When it comes up, every stored entry is stale: changes before it were not heard. */
  setListening(isListening: boolean): void {
    this.#isListening = isListening;
    if (!isListening) return;
    this.#epoch += 1;
    // A code that a running lookup did not find may have been added before the connection was up.
    this.#addedCodes += 1;
  }

  /** One object per link for as long as the link is stored, so that all its codes lead to the same target. */
  #keep(kept: CachedLink | undefined, target: LinkTarget, changesAtMs: number | null): CachedLink {
    const link: CachedLink = kept ?? {
      storedAtMs: 0,
      freshUntilMs: 0,
      epoch: 0,
      target,
      changesAtMs: undefined,
      isChanged: false,
      wasUsed: false,
      codeCount: 0,
    };
    if (kept === undefined) this.#byId.set(target.linkId, link);
    link.target = target;
    link.changesAtMs = changesAtMs ?? undefined;
    link.isChanged = false;
    this.#renew(link);
    return link;
  }

  /** Evicts the next code that was not used since the round last passed it, and with its last code the link. */
  #forgetOne(): void {
    for (;;) {
      this.#round ??= this.#byCode.entries();
      const { done, value } = this.#round.next();
      if (done === true) {
        this.#round = undefined;
        continue;
      }
      const [code, link] = value;
      if (link.wasUsed) {
        link.wasUsed = false;
        continue;
      }
      this.#byCode.delete(code);
      link.codeCount -= 1;
      if (link.codeCount === 0) this.#byId.delete(link.target.linkId);
      return;
    }
  }

  #isFresh(link: CachedLink): boolean {
    if (link.isChanged || !this.#isYoung(link)) return false;
    return link.changesAtMs === undefined || this.#now().getTime() < link.changesAtMs;
  }

  #renew(lifetime: Lifetime): void {
    lifetime.storedAtMs = Math.trunc(monotonicMs());
    lifetime.freshUntilMs = lifetime.storedAtMs + Math.trunc(FRESH_MS * (0.5 + Math.random() / 2));
    lifetime.epoch = this.#epoch;
  }

  #isYoung({ storedAtMs, freshUntilMs, epoch }: Lifetime): boolean {
    return epoch === this.#epoch && monotonicMs() < (this.#isListening ? freshUntilMs : storedAtMs + FRESH_UNHEARD_MS);
  }
}
