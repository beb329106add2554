import type { Logger } from 'pino';

import type { VisitWay, VisitWayOverrides } from '../../core/links/landing-mode.ts';
import { APPS } from '../../core/clicks/visitor-place.ts';
import type { App } from '../../core/clicks/visitor-place.ts';
import type { Db } from '../../infra/db.ts';
import { sleep } from '../../infra/retry.ts';
import { findWithTimeout } from '../../infra/with-timeout.ts';
import { listWishes } from './queries.ts';
import type { WishesRow } from './queries.ts';

type ByApp = Readonly<Partial<Record<App, VisitWay>>>;

/** What every brand and the operator want, as read at one moment. */
interface Wishes {
  /** Of brands that want anything, the operator's wishes for other apps included. */
  byBrand: ReadonlyMap<string, ByApp>;
  operators: ByApp | undefined;
}

/** The wishes as this process knows them. */
export interface VisitWishes {
  /**
   * What is wanted for the links of a brand whose own way is this. The object always says what is wanted now, so links keep it while wishes
   * change, and links that are told the same mostly share one.
   */
  of(link: { brandId: string; way: VisitWay | null }): VisitWayOverrides;
  /** Resolves once the wishes were read, or could not be at the first attempt; within a second. */
  ready: Promise<void>;
  /** Somebody's wishes changed: they are read anew. */
  changed(): void;
  /** Postgres answered somebody, so it is worth asking again where it could not be asked for wishes. */
  answered(): void;
  /** Whether changes are told from now on. What was told before may have been missed, so everything is read anew. */
  setTold(isTold: boolean): void;
  /** What is known stays in use. A reading under way is not waited for: it has an end of its own, and nobody needs its answer. */
  stop(): void;
}

const READ_WAIT_MS = 800;
/** Between two readings: a brand that changes its wishes all day costs every process five small queries a second at the most. */
const LEAST_PAUSE_MS = 200;
/** While nobody tells of changes, or a change that was told could not be read. With the pause above and a reading, it is seen within a second. */
const SHORT_PAUSE_MS = 400;
/** While changes are told this only bounds what a lost notification could do, as for links. While Postgres is away, whoever finds it wakes us. */
const LONG_PAUSE_MS = 300_000;
/** An object given up here goes on being right; it is only shared no more. */
const MAX_SHARED = 20_000;

function isWay(value: unknown): value is VisitWay {
  return value === 'direct' || value === 'page';
}

/** Apps and ways this program does not know are left out. */
function parseByApp(json: string): ByApp {
  const wanted = JSON.parse(json) as Record<string, unknown>;
  const ways: Partial<Record<App, VisitWay>> = {};
  for (const app of APPS) {
    const way = wanted[app];
    if (isWay(way)) ways[app] = way;
  }
  return ways;
}

/** Brands that want the same share one object. */
function wishesOf(rows: readonly WishesRow[]): Wishes {
  const operatorsRow = rows.find(({ brandId }) => brandId === null);
  const operators = operatorsRow === undefined ? undefined : parseByApp(operatorsRow.byApp);
  const byText = new Map<string, ByApp>();
  const byBrand = new Map<string, ByApp>();
  for (const { brandId, byApp } of rows) {
    if (brandId === null) continue;
    const ways = byText.get(byApp) ?? { ...operators, ...parseByApp(byApp) };
    byText.set(byApp, ways);
    byBrand.set(brandId, ways);
  }
  return { byBrand, operators };
}

/** A class for its getter: as a property of each object, every one would be of a shape of its own, which costs each visit. */
class LiveOverrides implements VisitWayOverrides {
  readonly link: VisitWay | undefined;
  readonly #brandId: string;
  readonly #current: { wishes: Wishes };

  constructor(link: { brandId: string; way: VisitWay | null }, current: { wishes: Wishes }) {
    this.link = link.way ?? undefined;
    this.#brandId = link.brandId;
    this.#current = current;
  }

  get byApp(): ByApp | undefined {
    const { byBrand, operators } = this.#current.wishes;
    return byBrand.get(this.#brandId) ?? operators;
  }
}

/**
 * Keeps what brands and the operator want in the process, all of it: a row for a brand that wants anything. A change is one message and one
 * query in each process, however many links it concerns, and nothing that is remembered of links becomes wrong by it.
 */
export function followVisitWishes({ db, log }: { db: Db; log: Logger }): VisitWishes {
  const current: { wishes: Wishes } = { wishes: { byBrand: new Map(), operators: undefined } };
  const shared = new Map<string, VisitWayOverrides>();
  const ready = Promise.withResolvers<void>();
  const stopped = new AbortController();
  let woken = new AbortController();
  let isTold = false;
  let isRead = false;

  const read = async (): Promise<void> => {
    isRead = false;
    try {
      const rows = await findWithTimeout(listWishes(db), READ_WAIT_MS);
      if (rows === undefined) return;
      current.wishes = wishesOf(rows);
      isRead = true;
    } catch (error) {
      log.debug({ err: error }, 'the wishes of brands could not be read');
    }
  };
  const follow = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      // A change told while the wishes are read may not be in the answer, so it wakes the next reading.
      woken = new AbortController();
      await read();
      ready.resolve();
      await sleep(LEAST_PAUSE_MS, stopped.signal);
      // Neither told nor answered: Postgres is away, and every question would only hold a connection.
      await sleep(isRead === isTold ? LONG_PAUSE_MS : SHORT_PAUSE_MS, woken.signal);
    }
  };
  void follow();
  return {
    of: (link) => {
      const key = `${link.brandId} ${link.way ?? ''}`;
      const known = shared.get(key);
      if (known !== undefined) return known;
      if (shared.size >= MAX_SHARED) shared.clear();
      const overrides = new LiveOverrides(link, current);
      shared.set(key, overrides);
      return overrides;
    },
    ready: ready.promise,
    changed: () => woken.abort(),
    answered: () => {
      if (!isRead) woken.abort();
    },
    setTold: (told) => {
      // Told of every failed attempt to listen again, too; they do not set the pace of reading.
      if (told || isTold) woken.abort();
      isTold = told;
    },
    stop: () => {
      stopped.abort();
      woken.abort();
    },
  };
}
