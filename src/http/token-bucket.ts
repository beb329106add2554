/** A token bucket: bursts are free, a steady stream is held to a rate. Times are given, so the same rules serve tests and any clock. */

export interface BucketLimits {
  /** Tokens of a full bucket, at least 1. */
  burst: number;
  /** Tokens that come back in a second. */
  perSecond: number;
}

export interface Bucket {
  /** Not whole: tokens come back continuously. */
  tokens: number;
  /** When `tokens` was true. */
  atMs: number;
}

/** The bucket as it is now. A clock that stepped back gives nothing and takes nothing. */
export function refilled(bucket: Bucket, nowMs: number, { burst, perSecond }: BucketLimits): Bucket {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  return {
    tokens: Math.min(burst, bucket.tokens + (elapsedMs * perSecond) / 1000),
    atMs: Math.max(nowMs, bucket.atMs),
  };
}

/** Whole seconds until there is a token again, at least 1: what `Retry-After` says. */
export function secondsUntilToken({ tokens }: Bucket, { perSecond }: BucketLimits): number {
  return Math.max(1, Math.ceil((1 - tokens) / perSecond));
}
