import { LRUCache } from 'lru-cache';

import type { LinkTarget } from './resolve-target.ts';

/** Some 500 bytes a link: `npm run bench memory` measures it. */
const MAX_LINKS = 100_000;
/** A link may have several codes. */
const MAX_CODES = 150_000;
const MAX_RECENT = 50_000;
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
  storedAtMs: number;
  /** As long as changes are told. */
  freshUntilMs: number;
  epoch: number;
}

interface CachedLink extends Belief {
  target: LinkTarget;
  /** From now on the lease may have changed by itself. */
  changesAtMs: number;
  /** A change was announced: not to be used unless nothing newer can be had. */
  isChanged: boolean;
}

export type CacheHit =
  | { found: true; target: LinkTarget; isFresh: boolean; isChanged: boolean }
  | { found: false; isFresh: boolean };

/**
 * What one process remembers of links, bounded: targets by link id, codes by the link they name (for ever the same), and codes that
 * name nothing. Entries that are no longer fresh stay, for the time when neither Redis nor Postgres answers.
 */
export class LinkCache {
  readonly #links = new LRUCache<string, CachedLink>({
    max: MAX_LINKS,
    // Nobody tells it of changes any more, so whoever still holds it must not use it.
    dispose: (link) => {
      link.isChanged = true;
    },
  });
  /**
   * The links of codes asked for lately: the same objects as above. A plain map, because asking the library three times a visit cost a
   * twentieth of the throughput.
   */
  readonly #recent = new Map<string, CachedLink>();
  readonly #codes = new LRUCache<string, string>({ max: MAX_CODES });
  readonly #unknown = new LRUCache<string, Belief>({ max: MAX_UNKNOWN_CODES });
  /** The least version of a link that may still be used, as announced. */
  readonly #floors = new LRUCache<string, number>({ max: MAX_FLOORS });
  readonly #now: () => Date;
  #epoch = 0;
  #addedCodes = 0;
  #isTold = false;

  constructor(options: { now: () => Date }) {
    this.#now = options.now;
  }

  find(code: string): CacheHit | undefined {
    const linkId = this.#codes.get(code);
    const link = linkId === undefined ? undefined : this.#links.get(linkId);
    if (link !== undefined) {
      return { found: true, target: link.target, isFresh: this.#isFresh(link), isChanged: link.isChanged };
    }
    const unknown = this.#unknown.get(code);
    return unknown === undefined ? undefined : { found: false, isFresh: this.#isYoung(unknown) };
  }

  /** The target of a code in canonical spelling, where it may be used at once; `find` says more and costs more. */
  findFresh(code: string): LinkTarget | undefined {
    const recent = this.#recent.get(code);
    if (recent !== undefined && this.#isFresh(recent)) return recent.target;
    const linkId = this.#codes.get(code);
    const link = linkId === undefined ? undefined : this.#links.get(linkId);
    if (link === undefined || !this.#isFresh(link)) return undefined;
    if (this.#recent.size >= MAX_RECENT) this.#recent.clear();
    this.#recent.set(code, link);
    return link.target;
  }

  /** The link a code names, where it was known once: codes are never given to another link. */
  linkIdOf(code: string): string | undefined {
    return this.#codes.get(code);
  }

  /** Whether a version may be used: no newer one was announced. */
  isCurrent(linkId: string, version: number): boolean {
    return version >= (this.#floors.get(linkId) ?? 0);
  }

  /** Keeps a target, unless a newer version of it is kept or was announced. */
  put(code: string, target: LinkTarget, changesAtMs: number | null): void {
    const { linkId, version } = target;
    this.#codes.set(code, linkId);
    this.#unknown.delete(code);
    const kept = this.#links.get(linkId);
    if (!this.isCurrent(linkId, version) || (kept !== undefined && kept.target.version > version)) return;
    const link = { ...this.#believe(), target, changesAtMs: changesAtMs ?? Infinity, isChanged: false };
    // The object stays the same for as long as the link is kept: changes are marked in it, whoever holds it.
    this.#links.set(linkId, kept === undefined ? link : Object.assign(kept, link));
  }

  /** To be taken before asking whether a code exists, and handed to `putUnknown`. */
  get codeMark(): number {
    return this.#addedCodes;
  }

  /** Keeps that a code names nothing, unless codes were added since it was asked. */
  putUnknown(code: string, mark: number): void {
    if (mark !== this.#addedCodes) return;
    this.#unknown.set(code, this.#believe());
  }

  /** A link changed. Without a version (a message of an older program) only what is kept now is given up. */
  linkChanged(linkId: string, version: number | undefined): void {
    if (version !== undefined && version > (this.#floors.get(linkId) ?? 0)) this.#floors.set(linkId, version);
    const link = this.#links.peek(linkId);
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

  #isFresh(link: CachedLink): boolean {
    if (link.isChanged || !this.#isYoung(link)) return false;
    return link.changesAtMs === Infinity || this.#now().getTime() < link.changesAtMs;
  }

  #believe(): Belief {
    const storedAtMs = monotonicMs();
    return { storedAtMs, freshUntilMs: storedAtMs + FRESH_MS * (0.5 + Math.random() / 2), epoch: this.#epoch };
  }

  #isYoung({ storedAtMs, freshUntilMs, epoch }: Belief): boolean {
    return epoch === this.#epoch && monotonicMs() < (this.#isTold ? freshUntilMs : storedAtMs + FRESH_UNTOLD_MS);
  }
}
