import assert from 'node:assert/strict';
import { type Db, type Tx, withAdvisoryLock } from '../../infra/db.ts';
import {
  advanceSealedThrough,
  findChainEnds,
  findJournalContents,
  insertSeals,
  listQueuedJournals,
  type NewSeal,
  type QueuedJournal,
  readSealTime,
} from './queries.ts';
import { genesisHash, sealHash } from './seal-hash.ts';

/** One sealer in the whole database at a time ("sealer" in hex). */
const SEALER_LOCK = 0x7365616c6572n;
/** Journals read into memory at once. */
const BATCH_JOURNALS = 500;

/**
 * Seals every committed journal: a gap-free sequence per brand, a time, and a hash chained to the seal before.
 *
 * One transaction, so a crash seals nothing, and the next run starts where this one did. Its time is taken before the queue is read and is
 * later than any before: whoever reads `asOf` an instant up to `sealed_through` reads the same for ever.
 *
 * @returns how many journals were sealed; 0 also where another process is sealing
 */
export async function sealJournals(db: Db, options: { batchJournals?: number } = {}): Promise<number> {
  const batchJournals = options.batchJournals ?? BATCH_JOURNALS;
  const sealed = await withAdvisoryLock(db, SEALER_LOCK, async (tx) => {
    const seal = await readSealTime(tx);
    let count = 0;
    for (;;) {
      const queued = await listQueuedJournals(tx, batchJournals);
      if (queued.length > 0) await sealBatch(tx, queued, seal);
      count += queued.length;
      if (queued.length < batchJournals) break;
    }
    await advanceSealedThrough(tx, seal.sealedAt);
    return count;
  });
  return sealed ?? 0;
}

async function sealBatch(
  tx: Tx,
  queued: readonly QueuedJournal[],
  seal: { sealedAt: string; sealedAtMicros: bigint },
): Promise<void> {
  const contents = await findJournalContents(tx, queued);
  const ends = await findChainEnds(tx, [...new Set(queued.map((journal) => journal.brandId))]);
  const seals = queued.map(({ journalId, brandId }): NewSeal => {
    const journal = contents.get(journalId);
    assert(journal !== undefined, 'a queued journal exists');
    const end = ends.get(brandId) ?? { brandId, sequence: 0n, hash: genesisHash(brandId) };
    const sequence = end.sequence + 1n;
    const hash = sealHash({ previous: end.hash, sequence, sealedAtMicros: seal.sealedAtMicros, journal });
    ends.set(brandId, { brandId, sequence, hash });
    return { brandId, sequence, journalId, hash };
  });
  await insertSeals(tx, seals, seal.sealedAt);
}
