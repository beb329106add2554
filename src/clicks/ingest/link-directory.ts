import { LRUCache } from 'lru-cache';

import type { Db } from '../../infra/db.ts';
import { listLinksByNumber } from './plan-queries.ts';
import type { ClickLink } from './plan-queries.ts';
import { linkRowText } from './store-queries.ts';

/** A link with the part of a row that all its clicks share. */
export interface KnownLink extends ClickLink {
  rowText: string;
}

export interface LinkDirectory {
  /** The links of these numbers; numbers of no link are absent, and asked for again the next time. */
  find(numbers: ReadonlySet<number>): Promise<Map<number, KnownLink>>;
}

/** 60 MB at the most; a link seldom visited costs a lookup. */
const MAX_LINKS = 100_000;

/**
 * Links by number. A link belongs to its brand, product and influencer for ever (nothing writes those columns again, and numbers are not
 * reused), so what was found once is right for ever.
 */
export function createLinkDirectory(db: Db): LinkDirectory {
  const cache = new LRUCache<number, KnownLink>({ max: MAX_LINKS });
  return {
    find: async (numbers) => {
      const found = new Map<number, KnownLink>();
      const missing: number[] = [];
      for (const number of numbers) {
        const link = cache.get(number);
        if (link === undefined) missing.push(number);
        else found.set(number, link);
      }
      if (missing.length === 0) return found;
      for (const link of await listLinksByNumber(db, missing)) {
        const known = { ...link, rowText: linkRowText(link) };
        cache.set(link.number, known);
        found.set(link.number, known);
      }
      return found;
    },
  };
}
