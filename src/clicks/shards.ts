/**
 * How clicks are spread over streams: by visitor, so that the clicks of one visitor are decided upon in one place. Redirects and workers are
 * told the number (CLICK_SHARDS); it may be changed at any time, because workers also drain the shards of an earlier one.
 */

/** The shards of this number: 0, 1, …. */
export function shardsOf(count: number): number[] {
  return Array.from({ length: count }, (_, shard) => shard);
}

/** The consumer group of the workers. */
export const CLICK_GROUP = 'ingest';
/** The one field of a stream entry. */
export const CLICK_FIELD = 'clicks';

/** @param visitor 16 hex characters, evenly distributed */
export function shardOf(visitor: string, count: number): number {
  return count === 1 ? 0 : parseInt(visitor.slice(0, 8), 16) % count;
}

/** In a cluster the braces put everything of a shard on one node. */
export function streamKey(shard: number): string {
  return `clicks:{${shard}}`;
}
