import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 64 * 1024;

/**
 * Returns a source of random bytes that asks the system for 64 KB at a time: one call per click would cost more than the click id.
 *
 * The returned array is a view that stays untouched until the whole pool was handed out.
 */
export function createRandomPool(size: number): () => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let at = POOL_BYTES;
  return () => {
    if (at + size > POOL_BYTES) {
      randomFillSync(pool);
      at = 0;
    }
    const bytes = pool.subarray(at, at + size);
    at += size;
    return bytes;
  };
}
