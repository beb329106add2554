/**
 * How clicks are spread over streams: by visitor, so that the clicks of one visitor are decided upon in one place. One for now; raising it
 * needs no change elsewhere, but every process must have the same number.
 */
export const SHARD_COUNT = 1;
export const SHARDS: readonly number[] = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);

/** The consumer group of the workers. */
export const CLICK_GROUP = 'ingest';
/** The one field of a stream entry. */
export const CLICK_FIELD = 'clicks';

/** @param visitor 16 hex characters, evenly distributed */
export function shardOf(visitor: string): number {
  return parseInt(visitor.slice(0, 8), 16) % SHARD_COUNT;
}

/** In a cluster the braces put everything of a shard on one node. */
export function streamKey(shard: number): string {
  return `clicks:{${shard}}`;
}
