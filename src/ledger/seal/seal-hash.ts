import { createHash } from 'node:crypto';
import type { JournalContent } from './queries.ts';

/** What the first seal of a brand is chained to; names the brand, so that a chain cannot be passed off as another's. */
export function genesisHash(brandId: string): Buffer {
  return sha256(`daihuo journal of ${brandId}`);
}

/**
 * The hash of a seal: SHA-256 over the hash before it and the seal's own place, time and journal, every column of it.
 *
 * The text is JSON of arrays in a fixed order; numbers and instants (microseconds) are written as digits.
 */
export function sealHash(seal: {
  previous: Uint8Array;
  sequence: bigint;
  sealedAtMicros: bigint;
  journal: JournalContent;
}): Buffer {
  const { journalId, brandId, kind, postedAtMicros, lines, entries } = seal.journal;
  const place = [brandId, String(seal.sequence), String(seal.sealedAtMicros)];
  const text = JSON.stringify([place, [journalId, kind, String(postedAtMicros)], lines, entries]);
  return createHash('sha256').update(seal.previous).update(text, 'utf8').digest();
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
