import { RecentMap } from './recent-map.ts';
import type { LinkTarget } from './resolve-target.ts';

/** Some 350 bytes a link: `npm run bench memory` measures it. */
const MAX_LINKS = 100_000;
/** A link may have several codes. */
const MAX_CODES = 150_000;
const MAX_UNKNOWN_CODES = 50_000;
const MAX_FLOORS = 50_000;

/**
 * Changes are told by Postgres, over a connection that is asked twice a second whether it lives; this only bounds what a lost notification
 * could do. Each entry lives between half of it and all, or all links of a busy process would be looked up anew in the same second.
 */
const FRESH_MS = 300_000;
/** While nobody tells us of changes, nothing is believed for longer. */
const FRESH_UNTOLD_MS = 900;

/** Lifetimes do not follow a clock that somebody sets. */
function monotonicMs(): number {
  return performance.now();
}

/** How long something is believed. */
interface Belief {
  /** Whole milliseconds, which V8 keeps within the object; fractions would be objects of their own. */
  storedAtMs: number;
  /** As long as changes are told. */
  freshUntilMs: number;
  epoch: number;
}

interface CachedLink extends Belief {
  target: LinkTarget;
  /** From now on the lease may have changed by itself; mostly there is none. */
  changesAtMs: number | undefined;
  /** A change was announced: not to be used unless nothing newer can be had. */
  isChanged: boolean;
  /** Since the round came by last. */
  wasUsed: boolean;
  /** How many codes lead here; without one it is forgotten. */
  codeCount: number;
}

export type CacheHit =
  | { found: true; target: LinkTarget; isFresh: boolean; isChanged: boolean }
  | { found: false; isFresh: boolean };

/**
 * What one process remembers of links, bounded: links by code and by id, and codes that name nothing. Entries that are no longer fresh stay,
 * for the time when neither Redis nor Postgres answers.
 *
 * Plain maps, and a round that goes through them where they are full (the clock algorithm): a visit costs one look and one mark, where a list
 * in order of use costs three looks, arrays for all the links there could be, and a second map in front of it to be fast.
 */
export class LinkCache {
  readonly #byCode = new Map<string, CachedLink>();
  readonly #byId = new Map<string, CachedLink>();
  /** Where the round is; begins when there is something to forget. */
  #round: MapIterator<[string, CachedLink]> | undefined;
  readonly #unknown = new RecentMap<string, Belief>(MAX_UNKNOWN_CODES);
  /** The least version of a link that may still be used, as announced. */
  readonly #floors = new RecentMap<string, number>(MAX_FLOORS);
  readonly #now: () => Date;
  #epoch = 0;
  #addedCodes = 0;
  #isTold = false;

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

  /** The target of a code in canonical spelling, where it may be used at once; `find` says more and costs more. */
  findFresh(code: string): LinkTarget | undefined {
    const link = this.#byCode.get(code);
    if (link === undefined || !this.#isFresh(link)) return undefined;
    link.wasUsed = true;
    return link.target;
  }

  /** The link a code names, where it is remembered: codes are never given to another link. */
  linkIdOf(code: string): string | undefined {
    return this.#byCode.get(code)?.target.linkId;
  }

  /** Whether a version may be used: no newer one was announced. */
  isCurrent(linkId: string, version: number): boolean {
    return version >= (this.#floors.get(linkId) ?? 0);
  }

  /** Keeps a target, unless a newer version of it is kept or was announced. */
  put(code: string, target: LinkTarget, changesAtMs: number | null): void {
    const { linkId, version } = target;
    this.#unknown.delete(code);
    const kept = this.#byId.get(linkId);
    const isWanted = this.isCurrent(linkId, version) && (kept === undefined || kept.target.version <= version);
    const link = isWanted ? this.#keep(kept, target, changesAtMs) : kept;
    if (link === undefined || this.#byCode.get(code) === link) return;
    link.codeCount += 1;
    this.#byCode.set(code, link);
    while (this.#byId.size > MAX_LINKS || this.#byCode.size > MAX_CODES) this.#forgetOne();
  }

  /** To be taken before asking whether a code exists, and handed to `putUnknown`. */
  get codeMark(): number {
    return this.#addedCodes;
  }

  /** Keeps that a code names nothing, unless codes were added since it was asked. */
  putUnknown(code: string, mark: number): void {
    if (mark !== this.#addedCodes) return;
    const belief: Belief = { storedAtMs: 0, freshUntilMs: 0, epoch: 0 };
    this.#believe(belief);
    this.#unknown.set(code, belief);
  }

  /** A link changed. Without a version (a message of an older program) only what is kept now is given up. */
  linkChanged(linkId: string, version: number | undefined): void {
    if (version !== undefined && version > (this.#floors.get(linkId) ?? 0)) this.#floors.set(linkId, version);
    const link = this.#byId.get(linkId);
    if (link !== undefined && (version === undefined || link.target.version < version)) link.isChanged = true;
  }

  codeAdded(code: string): void {
    this.#addedCodes += 1;
    this.#unknown.delete(code);
  }

  /** Whether somebody tells us of changes from now on. What was kept before is not fresh any more in either case. */
  setTold(isTold: boolean): void {
    this.#isTold = isTold;
    if (isTold) this.#epoch += 1;
    // A code asked for before we were told may exist by now.
    if (isTold) this.#addedCodes += 1;
  }

  /** The object stays the same for as long as the link is kept, so that all its codes lead to the same. */
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
    this.#believe(link);
    return link;
  }

  /** Forgets the next code that was not used since the round came by last, and with its last code the link. */
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

  #believe(belief: Belief): void {
    belief.storedAtMs = Math.trunc(monotonicMs());
    belief.freshUntilMs = belief.storedAtMs + Math.trunc(FRESH_MS * (0.5 + Math.random() / 2));
    belief.epoch = this.#epoch;
  }

  #isYoung({ storedAtMs, freshUntilMs, epoch }: Belief): boolean {
    return epoch === this.#epoch && monotonicMs() < (this.#isTold ? freshUntilMs : storedAtMs + FRESH_UNTOLD_MS);
  }
}
