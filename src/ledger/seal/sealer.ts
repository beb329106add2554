import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type Db, type Tx, withAdvisoryLock } from '../../infra/db.ts';
import {
  advanceSealedThrough,
  type EntryContent,
  findSealedThrough,
  insertSeals,
  listChainEndsByBrand,
  listContentsByEntry,
  listQueuedEntries,
  type NewSeal,
  type QueuedEntry,
  readSealTime,
} from './queries.ts';

/** One sealer in the whole database at a time ("sealer" in hex). */
const SEALER_LOCK = 0x7365616c6572n;
/** Entries read into memory at once. */
const BATCH_ENTRIES = 500;

/**
 * Seals every committed entry: a gap-free sequence per brand, a time, and a hash chained to the seal before.
 *
 * One transaction, so a crash seals nothing, and the next run starts where this one did. Its time is taken before the queue is read and is
 * later than any before, so a reading as of an instant up to `sealed_through` never changes.
 *
 * @returns how many entries were sealed; 0 also where another process is sealing
 */
export async function sealEntries(db: Db, { batchEntries = BATCH_ENTRIES } = {}): Promise<number> {
  const sealed = await withAdvisoryLock(db, SEALER_LOCK, async (tx) => {
    const seal = await readSealTime(tx);
    let count = 0;
    for (;;) {
      const queued = await listQueuedEntries(tx, batchEntries);
      if (queued.length > 0) await sealBatch(tx, queued, seal);
      count += queued.length;
      if (queued.length < batchEntries) break;
    }
    await advanceSealedThrough(tx, seal.sealedAt);
    return count;
  });
  return sealed ?? 0;
}

async function sealBatch(
  tx: Tx,
  queued: readonly QueuedEntry[],
  seal: { sealedAt: string; sealedAtMicros: bigint },
): Promise<void> {
  const contents = await listContentsByEntry(tx, queued);
  const ends = await listChainEndsByBrand(tx, [...new Set(queued.map(({ brandId }) => brandId))]);
  const seals = queued.map(({ entryId, brandId }): NewSeal => {
    const entry = contents.get(entryId);
    assert(entry !== undefined, 'a queued entry exists');
    const end = ends.get(brandId) ?? { brandId, sequence: 0n, hash: genesisHash(brandId) };
    const sequence = end.sequence + 1n;
    const hash = sealHash({ previous: end.hash, sequence, sealedAtMicros: seal.sealedAtMicros, entry });
    ends.set(brandId, { brandId, sequence, hash });
    return { brandId, sequence, entryId, hash };
  });
  await insertSeals(tx, seals, seal.sealedAt);
}

/** The hash to which the first seal of a brand is chained; it names the brand, so that a chain cannot be passed off as another's. */
export function genesisHash(brandId: string): Buffer {
  return createHash('sha256').update(`daihuo journal of ${brandId}`, 'utf8').digest();
}

/**
 * The hash of a seal: SHA-256 over the hash before it and the seal's own place, time and entry, every column of it.
 *
 * The text is JSON of arrays in a fixed order; numbers and instants (microseconds) are written as digits.
 */
export function sealHash(seal: {
  previous: Uint8Array;
  sequence: bigint;
  sealedAtMicros: bigint;
  entry: EntryContent;
}): Buffer {
  const { entryId, brandId, kind, postedAtMicros, lines, postings } = seal.entry;
  const place = [brandId, String(seal.sequence), String(seal.sealedAtMicros)];
  const text = JSON.stringify([place, [entryId, kind, String(postedAtMicros)], lines, postings]);
  return createHash('sha256').update(seal.previous).update(text, 'utf8').digest();
}

/** Whether an instant can be read as of: everything committed by then is sealed. `sealedThrough` is absent before the first seal. */
export type SealCoverage = { covered: true } | { covered: false; sealedThrough: Date | undefined };

/**
 * Whether a reading as of an instant will be the same for ever. Look before the reading statement: the seal only ever moves on.
 *
 * @param asOf  undefined reads everything committed, which needs no seal
 */
export async function findCoverage(db: Db, asOf: Date | undefined): Promise<SealCoverage> {
  if (asOf === undefined) return { covered: true };
  const seal = await findSealedThrough(db, asOf);
  return seal?.covers === true ? { covered: true } : { covered: false, sealedThrough: seal?.sealedThrough };
}
