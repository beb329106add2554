import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';

import type { FallbackKind } from '../../core/vocabulary.ts';
import type { Db } from '../../infra/db.ts';
import { sleep } from '../../infra/retry.ts';
import { brandPageLocation, plainLocation } from '../../platforms/destination.ts';
import { findFallbackRow, listOtherProducts } from './queries.ts';
import type { FallbackRow } from './queries.ts';

export interface OtherProduct {
  title: string;
  priceFen: bigint;
  /** A path of this host, or a checked destination. */
  href: string;
}

/** The answer to a visitor of a dead link. */
export type Fallback =
  /** The influencer's own link for the same product in another store. */
  | { kind: 'same_product'; code: string }
  /** A checked destination, without a click id. */
  | { kind: 'same_product' | 'brand_page'; location: string }
  | { kind: 'other_products'; products: OtherProduct[] }
  | { kind: 'none' };

/** Never rejects, and answers within about 300 ms even when Postgres fails. */
export type FindFallback = (linkId: string) => Promise<Fallback>;

const NONE: Fallback = { kind: 'none' };
const WAIT_MS = 300;
/** A paused link in a popular video must not cause a query per visit. A change of the brand shows after this time. */
const REMEMBERED_MS = 5_000;
const MAX_REMEMBERED = 10_000;
/** Lookups that may run at once; beyond that visitors see the page of a dead link. */
const MAX_LOOKUPS = 100;

async function fallbackOfKind(
  kind: FallbackKind,
  { db, linkId, row }: { db: Db; linkId: string; row: FallbackRow },
): Promise<Fallback | undefined> {
  if (kind === 'same_product') {
    if (row.sameCode !== null) return { kind, code: row.sameCode };
    if (row.sameUrl === null || row.samePlatform === null) return undefined;
    const location = plainLocation({ platform: row.samePlatform, url: row.sameUrl });
    return location === undefined ? undefined : { kind, location };
  }
  if (kind === 'brand_page') {
    const location = row.pageUrl === null ? undefined : brandPageLocation(row.pageUrl);
    return location === undefined ? undefined : { kind, location };
  }
  const products = await otherProducts(db, linkId);
  return products.length === 0 ? undefined : { kind, products };
}

/** The products that the influencer has a link for; if there are none, all of them, with their plain destinations. */
async function otherProducts(db: Db, linkId: string): Promise<OtherProduct[]> {
  const rows = await listOtherProducts(db, linkId);
  const own = rows.filter(({ code }) => code !== null);
  return (own.length > 0 ? own : rows).flatMap(({ title, priceFen, code, platform, url }) => {
    const href = code === null ? plainLocation({ platform, url }) : `/${code}`;
    return href === undefined ? [] : [{ title, priceFen, href }];
  });
}

async function lookUp(db: Db, linkId: string): Promise<Fallback> {
  const row = await findFallbackRow(db, linkId);
  if (row === undefined) return NONE;
  for (const kind of row.fallbacks) {
    const fallback = await fallbackOfKind(kind, { db, linkId, row });
    if (fallback !== undefined) return fallback;
  }
  return NONE;
}

/**
 * Returns the function that finds the fallback of a dead link: the first of the brand's list that exists. Every destination is checked again by
 * the rules of its platform. While Postgres is away there is no fallback, and visitors see the page of a dead link.
 */
export function createFindFallback({ db, log }: { db: Db; log: Logger }): FindFallback {
  const remembered = new LRUCache<string, Fallback>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS });
  const running = new Map<string, Promise<Fallback>>();

  const start = (linkId: string): Promise<Fallback> => {
    const lookup = lookUp(db, linkId)
      .catch((error: unknown) => {
        log.debug({ err: error }, 'no fallback of a dead link could be read');
        return NONE;
      })
      .then((fallback) => {
        remembered.set(linkId, fallback);
        return fallback;
      })
      .finally(() => running.delete(linkId));
    running.set(linkId, lookup);
    return lookup;
  };

  return async (linkId) => {
    const known = remembered.get(linkId);
    if (known !== undefined) return known;
    const joined = running.get(linkId);
    if (joined === undefined && running.size >= MAX_LOOKUPS) return NONE;
    const done = new AbortController();
    try {
      return await Promise.race([joined ?? start(linkId), sleep(WAIT_MS, done.signal).then(() => NONE)]);
    } finally {
      done.abort();
    }
  };
}
