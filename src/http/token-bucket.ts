/** A token bucket: bursts pass, a steady stream is limited to a rate. Times are arguments, so the same rules serve tests and any clock. */

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

/** The bucket as it is now. A clock that stepped back adds and removes no tokens. */
export function refilled(bucket: Bucket, nowMs: number, { burst, perSecond }: BucketLimits): Bucket {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  return {
    tokens: Math.min(burst, bucket.tokens + (elapsedMs * perSecond) / 1000),
    atMs: Math.max(nowMs, bucket.atMs),
  };
}

/** Whole seconds until the next token, at least 1, for `Retry-After`. */
export function secondsUntilToken({ tokens }: Bucket, { perSecond }: BucketLimits): number {
  return Math.max(1, Math.ceil((1 - tokens) / perSecond));
}
