import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';

import { loggableError } from '../../http/error-handler.ts';
import { picturePath } from '../../http/visitor-page.ts';
import type { Db } from '../../infra/db.ts';
import { sleep } from '../../infra/retry.ts';
import type { PageMetrics } from '../../clicks/steps/metrics.ts';
import { findContent } from './queries.ts';
import type { ContentRow } from './queries.ts';

/** The content of a link's page. */
export interface PageContent {
  title: string;
  priceFen: bigint;
  priceTakenAt: Date;
  brandName: string;
  storeName: string;
  taoCode?: string;
  /** On the same host, so that the page loads nothing from other hosts; absent: a drawing takes its place. */
  picture?: { url: string; width: number; height: number };
}

export interface PageContents {
  /** The content of a link's page; undefined where it cannot be read in time: then the visitor is redirected. Never rejects. */
  find(linkId: string): Promise<PageContent | undefined>;
}

export interface PageContentsDeps {
  db: Db;
  log: Logger;
  metrics: Pick<PageMetrics, 'contentFound'>;
  /** How long a visitor waits for Postgres; 60 ms unless a test sets more. */
  waitMs?: number;
}

/** About 500 bytes each. */
const MAX_CONTENTS = 20_000;
/** A new price or title shows within this time. */
const FRESH_MS = 30_000;
/** While Postgres does not answer, a page with the day of its price is better than none. */
const STALE_MS = 6 * 60 * 60 * 1000;
/** With the 80 ms for the click, a visitor is answered within 150 ms even when Postgres and Redis fail. */
const WAIT_MS = 60;
/** After Postgres was late or failed, pages leave it out for this long, so that visitors do not wait for it one by one. */
const REST_MS = 1_000;
const MAX_LOOKUPS = 100;

interface Kept {
  content: PageContent;
  readAtMs: number;
}

function contentOf({ taoCode, sha256, width, height, ...row }: ContentRow): PageContent {
  return {
    ...row,
    ...(taoCode === null ? {} : { taoCode }),
    ...(sha256 === null || width === null || height === null
      ? {}
      : { picture: { url: picturePath(sha256), width, height } }),
  };
}

/** The content of pages by link: remembered for half a minute, else read from Postgres with a short wait, else an older content. */
export function createPageContents({ db, log, metrics, waitMs = WAIT_MS }: PageContentsDeps): PageContents {
  const kept = new LRUCache<string, Kept>({ max: MAX_CONTENTS });
  const running = new Map<string, Promise<PageContent | undefined>>();
  let restsUntilMs = -Infinity;
  const rest = (): void => {
    restsUntilMs = performance.now() + REST_MS;
  };

  const read = async (linkId: string): Promise<PageContent | undefined> => {
    try {
      const row = await findContent(db, linkId);
      if (row === undefined) return undefined;
      const content = contentOf(row);
      kept.set(linkId, { content, readAtMs: performance.now() });
      return content;
    } catch (error) {
      rest();
      log.debug({ error: loggableError(error) }, 'the content of a page could not be read');
      return undefined;
    } finally {
      running.delete(linkId);
    }
  };
  /** Concurrent visitors of one link share one lookup. */
  const join = (linkId: string): Promise<PageContent | undefined> | undefined => {
    const joined = running.get(linkId);
    if (joined !== undefined || running.size >= MAX_LOOKUPS) return joined;
    const lookup = read(linkId);
    running.set(linkId, lookup);
    return lookup;
  };
  const waitFor = async (lookup: Promise<PageContent | undefined>): Promise<PageContent | undefined> => {
    const waited = new AbortController();
    const late = sleep(waitMs, waited.signal).then(() => 'late' as const);
    const answer = await Promise.race([lookup, late]);
    waited.abort();
    if (answer !== 'late') return answer;
    // The lookup still ends and fills the cache, so a stall of this process costs few visitors their page.
    rest();
    return undefined;
  };

  return {
    find: async (linkId) => {
      const known = kept.get(linkId);
      const nowMs = performance.now();
      if (known !== undefined && nowMs - known.readAtMs < FRESH_MS) {
        metrics.contentFound('remembered');
        return known.content;
      }
      const lookup = nowMs < restsUntilMs ? undefined : join(linkId);
      const answer = lookup === undefined ? undefined : await waitFor(lookup);
      if (answer !== undefined) {
        metrics.contentFound('read');
        return answer;
      }
      const isUsable = known !== undefined && nowMs - known.readAtMs < STALE_MS;
      metrics.contentFound(isUsable ? 'old' : 'missing');
      return isUsable ? known.content : undefined;
    },
  };
}
