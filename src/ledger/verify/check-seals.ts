import type { Tx } from '../../infra/db.ts';
import { listContentsByEntry, listSeals, type StoredSeal } from '../seal/queries.ts';
import { genesisHash, sealHash } from '../seal/sealer.ts';
import { checkSealQueue } from './queries.ts';
import { type Check, CheckBuilder } from './report.ts';

/** Seals held in memory at once, with their entries. */
const PAGE_SEALS = 500;

/** Proves every brand's chain from its genesis, without a gap, and that no entry is left out. */
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
  for (const entryId of forgotten)
    check.problem(`journal entry ${entryId} is neither sealed nor waiting to be (or both)`);
  return check.finish();
}

interface ChainEnd {
  brandId: string;
  sequence: bigint;
  hash: Buffer;
}

async function checkPage(tx: Tx, page: { seals: StoredSeal[]; end: ChainEnd; check: CheckBuilder }): Promise<ChainEnd> {
  const contents = await listContentsByEntry(tx, page.seals);
  let { end } = page;
  for (const seal of page.seals) {
    const { brandId, sequence, entryId, hash, sealedAtMicros } = seal;
    if (brandId !== end.brandId) {
      page.check.count('brands', 1n);
      end = { brandId, sequence: 0n, hash: genesisHash(brandId) };
    }
    page.check.count('seals', 1n);
    const entry = contents.get(entryId);
    if (sequence !== end.sequence + 1n) page.check.problem(`${brandId}: seal ${sequence} follows ${end.sequence}`);
    if (entry === undefined) page.check.problem(`${brandId}: seal ${sequence} has no entry`);
    else if (entry.brandId !== brandId) page.check.problem(`${brandId}: seal ${sequence} seals another brand’s entry`);
    else if (!hash.equals(sealHash({ previous: end.hash, sequence, sealedAtMicros, entry }))) {
      page.check.problem(`${brandId}: the hash of seal ${sequence} (journal entry ${entryId}) does not hold`);
    }
    // The chain goes on from the stored hash, so that one altered entry is reported once and not with everything after it.
    end = { brandId, sequence, hash };
  }
  return end;
}
