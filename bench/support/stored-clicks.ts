import type { Redis } from 'ioredis';
import { decodeClicks } from '../../src/clicks/click-batch.ts';
import { CLICK_FIELD } from '../../src/clicks/click-batch.ts';
import { BenchFault } from '../subject.ts';

const PAGE = 500;

async function listStreams(redis: Redis): Promise<string[]> {
  const streams = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', 'clicks:*', 'TYPE', 'stream');
    for (const key of keys) streams.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...streams];
}

/** Stream entries that no worker has taken away yet. */
export async function countWaitingEntries(redis: Redis): Promise<number> {
  const lengths = await Promise.all((await listStreams(redis)).map(async (stream) => redis.xlen(stream)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

export interface StoredClicks {
  entries: number;
  /** Distinct. */
  clickIds: Set<string>;
}

/**
 * Every click in every stream, decoded as the worker decodes it.
 *
 * @throws BenchFault where an entry or a line of one cannot be read
 */
export async function readStoredClicks(redis: Redis): Promise<StoredClicks> {
  const clickIds = new Set<string>();
  let entries = 0;
  for (const stream of await listStreams(redis)) {
    let from = '-';
    for (;;) {
      const page = await redis.xrange(stream, from, '+', 'COUNT', PAGE);
      for (const [id, [field, text]] of page) {
        const read = field === CLICK_FIELD ? decodeClicks(text ?? '') : undefined;
        if (read?.ok !== true || read.badLines.length > 0) throw new BenchFault(`${stream} ${id} cannot be read`);
        for (const { clickId } of read.clicks) clickIds.add(clickId);
        from = `(${id}`;
      }
      entries += page.length;
      if (page.length < PAGE) break;
    }
  }
  return { entries, clickIds };
}
