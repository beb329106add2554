import type { Tx } from '../../infra/db.ts';
import { findJournalContents, listSeals, type StoredSeal } from '../seal/queries.ts';
import { genesisHash, sealHash } from '../seal/seal-hash.ts';
import { type Check, CheckBuilder } from './check.ts';
import { checkSealQueue } from './queries.ts';

/** Seals held in memory at once, with their journals. */
const PAGE_SEALS = 500;

/** Proof (e): every brand's chain from its genesis, without a gap, and no journal left out. */
export async function checkSeals(tx: Tx): Promise<Check> {
  const check = new CheckBuilder('seals are gap-free and their chain of hashes holds from the first');
  let end: ChainEnd = { brandId: '', sequence: 0n, hash: Buffer.alloc(0) };
  for (;;) {
    const seals = await listSeals(tx, { brandId: end.brandId, sequence: end.sequence, limit: PAGE_SEALS });
    end = await checkPage(tx, { seals, end, check });
    if (seals.length < PAGE_SEALS) break;
  }
  const { queued, forgotten } = await checkSealQueue(tx);
  check.count('waiting', queued);
  for (const journalId of forgotten)
    check.problem(`journal ${journalId} is neither sealed nor waiting to be (or both)`);
  return check.finish();
}

interface ChainEnd {
  brandId: string;
  sequence: bigint;
  hash: Buffer;
}

async function checkPage(tx: Tx, page: { seals: StoredSeal[]; end: ChainEnd; check: CheckBuilder }): Promise<ChainEnd> {
  const contents = await findJournalContents(tx, page.seals);
  let { end } = page;
  for (const seal of page.seals) {
    const { brandId, sequence, journalId, hash, sealedAtMicros } = seal;
    if (brandId !== end.brandId) {
      page.check.count('brands', 1n);
      end = { brandId, sequence: 0n, hash: genesisHash(brandId) };
    }
    page.check.count('seals', 1n);
    const journal = contents.get(journalId);
    if (sequence !== end.sequence + 1n) page.check.problem(`${brandId}: seal ${sequence} follows ${end.sequence}`);
    if (journal === undefined) page.check.problem(`${brandId}: seal ${sequence} has no journal`);
    else if (journal.brandId !== brandId)
      page.check.problem(`${brandId}: seal ${sequence} seals another brand’s journal`);
    else if (!hash.equals(sealHash({ previous: end.hash, sequence, sealedAtMicros, journal }))) {
      page.check.problem(`${brandId}: the hash of seal ${sequence} (journal ${journalId}) does not hold`);
    }
    // The stored hash goes on, so that one altered journal is reported once and not with everything after it.
    end = { brandId, sequence, hash };
  }
  return end;
}
