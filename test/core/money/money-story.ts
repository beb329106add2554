/** A story told to the books: what should stand, step by step, and what each step posts. */
import assert from 'node:assert/strict';
import type { Position, LineEntry } from '../../../src/core/money/accounts.ts';
import { positionOf, sumLineEntries } from '../../../src/core/money/accounts.ts';
import type { CommissionTerms } from '../../../src/core/money/commission.ts';
import { commissionLegs } from '../../../src/core/money/commission.ts';
import type { DesiredLine } from '../../../src/core/money/journal.ts';
import { bookDifference } from '../../../src/core/money/journal.ts';
import type { BookedLeg, LegAmount } from '../../../src/core/money/payout-postings.ts';
import { lockPayout, markPaid } from '../../../src/core/money/payout-postings.ts';
import { dimensionsOf, jot, plainTerms, sumByPayee } from './money-builders.ts';

export const tenPercent: CommissionTerms = { ...plainTerms, rate: { kind: 'rate', rateBp: 1_000 } };

export const nothing: Position = {
  commissionFen: 0n,
  pendingFen: 0n,
  payableFen: 0n,
  inPayoutFen: 0n,
  paidOutFen: 0n,
  debtFen: 0n,
  reversedFen: 0n,
};

export interface LineFacts {
  lineId?: string;
  paidFen?: bigint;
  refundedFen?: bigint;
  released?: boolean;
  terms?: CommissionTerms;
  influencerId?: string;
}

/** What the books of a line should say: 199.00 at 15 % unless the test tells otherwise. */
export function desire(facts: LineFacts = {}): DesiredLine {
  const { lineId = 'L1', paidFen = 19_900n, refundedFen = 0n, released = false, terms = plainTerms } = facts;
  return {
    dimensions: dimensionsOf(lineId, { influencerId: facts.influencerId ?? 'inf_lin' }),
    amounts: { lines: 1, paidFen, refundedFen },
    legs: commissionLegs({ paidFen, refundedFen, quantity: 1 }, terms),
    owesAccount: 'brand_owes',
    released,
  };
}

/** The books of a story, kept by line entry into it; every step answers with its postings, jotted down. */
export class Story {
  readonly lineEntries: LineEntry[] = [];

  book(desired: DesiredLine | undefined, lineId = desired?.dimensions.lineId ?? 'L1'): string[] {
    const booked = sumLineEntries(this.lineEntries).filter((bucket) => bucket.dimensions.lineId === lineId);
    return this.post(bookDifference({ booked, desired }));
  }

  post(lineEntries: readonly LineEntry[]): string[] {
    assert(
      [...sumByPayee(lineEntries).values()].every((sum) => sum === 0n),
      'every journal sums to 0 for every payee',
    );
    this.lineEntries.push(...lineEntries);
    return lineEntries.flatMap(({ dimensions, postings }) =>
      jot(postings).map((text) => (dimensions.lineId === 'L1' ? text : `${dimensions.lineId} ${text}`)),
    );
  }

  legs(payeeId = 'pye_lin'): BookedLeg[] {
    return sumLineEntries(this.lineEntries).flatMap(({ dimensions, legs }) =>
      legs.filter((leg) => leg.payeeId === payeeId).map((leg) => ({ dimensions, leg })),
    );
  }

  leg(amountFen: bigint, lineId = 'L1'): LegAmount {
    const found = this.legs().find(({ dimensions }) => dimensions.lineId === lineId);
    if (found === undefined) throw new Error(`nothing is booked on ${lineId}`);
    return { ...found, amountFen };
  }

  lock(): string[] {
    return this.post(lockPayout(this.legs()).lineEntries);
  }

  position(lineId?: string): Position {
    return positionOf(
      sumLineEntries(this.lineEntries).filter(({ dimensions }) => lineId === undefined || dimensions.lineId === lineId),
    );
  }
}

/** Accrued, released, locked and paid: 2,985. */
export function paidOut(): Story {
  const story = new Story();
  story.book(desire({ released: true }));
  story.lock();
  story.post(markPaid([story.leg(2_985n)]));
  return story;
}
