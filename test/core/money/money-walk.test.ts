import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bucket, LineEntry } from '../../../src/core/money/accounts.ts';
import { balanceOf, positionOf, sumLineEntries } from '../../../src/core/money/accounts.ts';
import type { CommissionTerms } from '../../../src/core/money/commission.ts';
import { commissionLegs } from '../../../src/core/money/commission.ts';
import type { DesiredLine } from '../../../src/core/money/journal.ts';
import { bookDifference } from '../../../src/core/money/journal.ts';
import type { BookedLeg } from '../../../src/core/money/payout-postings.ts';
import {
  collectableDebtOf,
  failPayout,
  lockPayout,
  markPaid,
  writeOff,
} from '../../../src/core/money/payout-postings.ts';
import { anyAmount, anyTerms, runs } from './money-arbitraries.ts';
import { dimensionsOf, sumByPayee } from './money-builders.ts';

type LineId = 'L1' | 'L2';
const LINE_IDS: readonly LineId[] = ['L1', 'L2'];
const PAYEE_IDS = ['pye_lin', 'pye_wu', 'pye_operator'] as const;

/** What changes about a line. */
type LineAction =
  | { kind: 'facts'; line: LineId; paid: number; tenths: number }
  | { kind: 'attribute'; line: LineId; to: 'lin' | 'wu' }
  | { kind: 'release' | 'drop'; line: LineId };
/** What happens to a payee's money; `tenths` of what is there. */
interface PayeeAction {
  kind: 'lock' | 'pay' | 'fail' | 'write_off';
  payeeId: string;
  tenths: number;
}

const line = fc.constantFrom(...LINE_IDS);
const tenths = fc.integer({ min: 0, max: 10 });
const anyLineAction: fc.Arbitrary<LineAction> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('facts' as const), line, paid: anyAmount, tenths }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('attribute' as const), line, to: fc.constantFrom('lin', 'wu') }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('release', 'release', 'release', 'drop'), line }) },
);
const anyPayeeAction: fc.Arbitrary<PayeeAction> = fc.record({
  kind: fc.constantFrom('lock', 'lock', 'pay', 'fail', 'write_off'),
  payeeId: fc.constantFrom(...PAYEE_IDS),
  tenths,
});

/** Facts, attribution and release of one line, as a person would hold them in mind. */
interface LineState {
  paidFen: bigint;
  refundedFen: bigint;
  to: 'lin' | 'wu';
  released: boolean;
  earns: boolean;
}

/** Two lines of one brand whose facts, attribution and payouts change at random; checked after every step. */
class Walk {
  readonly lineEntries: LineEntry[] = [];
  /** What left each (payee, line) for good, kept from the moves of money alone, never from the balances that are checked. */
  readonly left = new Map<string, bigint>();
  readonly state: Record<LineId, LineState> = { L1: newLine(), L2: newLine() };
  readonly terms: CommissionTerms;

  constructor(terms: CommissionTerms) {
    this.terms = { ...terms, basis: 'order_amount', agency: undefined };
  }

  take(action: LineAction | PayeeAction): void {
    if ('line' in action) this.change(action);
    else if (action.kind === 'lock') this.lock(action.payeeId);
    else this.move(action);
    for (const lineId of LINE_IDS) this.book(lineId);
  }

  desired(lineId: LineId): DesiredLine | undefined {
    const { earns, paidFen, refundedFen, to, released } = this.state[lineId];
    if (!earns || paidFen === 0n) return undefined;
    return {
      dimensions: dimensionsOf(lineId, { influencerId: `inf_${to}` }),
      amounts: { lines: 1, paidFen, refundedFen },
      legs: commissionLegs({ paidFen, refundedFen, quantity: 1 }, { ...this.terms, influencerPayeeId: `pye_${to}` }),
      owesAccount: 'brand_owes',
      released,
    };
  }

  buckets(lineId: string): Bucket[] {
    return sumLineEntries(this.lineEntries.filter(({ dimensions }) => dimensions.lineId === lineId));
  }

  private change(action: LineAction): void {
    const state = this.state[action.line];
    if (action.kind === 'release') state.released = true;
    if (action.kind === 'drop') state.earns = false;
    if (action.kind === 'attribute') Object.assign(state, { to: action.to, earns: true });
    if (action.kind === 'facts') {
      state.paidFen = BigInt(action.paid);
      state.refundedFen = (state.paidFen * BigInt(action.tenths)) / 10n;
    }
  }

  private book(lineId: LineId): void {
    for (const lineEntry of bookDifference({ booked: this.buckets(lineId), desired: this.desired(lineId) })) {
      this.post([lineEntry]);
      const ofPayout = lineEntry.postings.filter(({ account }) => account === 'cash' || account === 'in_payout');
      assert.deepEqual(ofPayout, [], 'a booking moves no money of a payout');
    }
  }

  private legs(payeeId: string): BookedLeg[] {
    return sumLineEntries(this.lineEntries).flatMap(({ dimensions, legs }) =>
      legs.filter((leg) => leg.payeeId === payeeId).map((leg) => ({ dimensions, leg })),
    );
  }

  private lock(payeeId: string): void {
    const { lineEntries, nettedFen, payoutFen } = lockPayout(this.legs(payeeId));
    this.post(lineEntries);
    const moved = (lineEntry: LineEntry, ...accounts: string[]): bigint =>
      sumOf(lineEntry.postings.filter(({ account }) => accounts.includes(account)).map((posting) => posting.amountFen));
    // What was earned and did not go into the payout was netted; what was recovered of a debt is no longer paid out.
    for (const lineEntry of lineEntries) {
      const { lineId } = lineEntry.dimensions;
      this.leave(payeeId, lineId, moved(lineEntry, 'payable', 'fee_earned', 'in_payout') + moved(lineEntry, 'debt'));
    }
    assert.equal(-sumOf(lineEntries.map((lineEntry) => moved(lineEntry, 'debt'))), nettedFen);
    assert.equal(-sumOf(lineEntries.map((lineEntry) => moved(lineEntry, 'in_payout'))), payoutFen);
  }

  private move({ kind, payeeId, tenths }: PayeeAction): void {
    for (const booked of this.legs(payeeId)) {
      const lockedFen = -balanceOf(booked.leg, 'in_payout');
      const wholeFen = kind === 'write_off' ? collectableDebtOf(booked.leg) : lockedFen;
      const item = { ...booked, amountFen: (wholeFen * BigInt(tenths)) / 10n };
      if (item.amountFen === 0n) continue;
      if (kind === 'write_off') this.post(writeOff([item]));
      if (kind === 'pay') this.post(markPaid([item]));
      if (kind === 'fail') {
        const earnedAccount = payeeId === 'pye_operator' ? 'fee_earned' : 'payable';
        this.post(failPayout([{ ...item, earnedAccount }]));
      }
    }
  }

  private post(lineEntries: readonly LineEntry[]): void {
    for (const sum of sumByPayee(lineEntries).values())
      assert.equal(sum, 0n, 'every journal sums to 0 for every payee');
    this.lineEntries.push(...lineEntries);
    for (const { dimensions, postings } of lineEntries) {
      // Cash that went to the payee is paid out; what is written off of it no longer is, and is again when that is undone.
      const left = postings.filter(({ account }) => account === 'cash' || account === 'written_off');
      for (const posting of left) this.leave(posting.payeeId, dimensions.lineId, -posting.amountFen);
    }
  }

  private leave(payeeId: string, lineId: string, changeFen: bigint): void {
    const key = `${payeeId} ${lineId}`;
    this.left.set(key, (this.left.get(key) ?? 0n) + changeFen);
  }
}

function newLine(): LineState {
  return { paidFen: 0n, refundedFen: 0n, to: 'lin', released: false, earns: true };
}

function sumOf(amountsFen: readonly bigint[]): bigint {
  return amountsFen.reduce((sum, amountFen) => sum + amountFen, 0n);
}

function checkWalk(walk: Walk): void {
  for (const lineId of LINE_IDS) {
    const buckets = walk.buckets(lineId);
    const desired = walk.desired(lineId);
    for (const payeeId of PAYEE_IDS) {
      const at = positionOf(buckets, payeeId);
      const legs = desired?.legs.filter((leg) => leg.payeeId === payeeId) ?? [];
      const paidOutFen = walk.left.get(`${payeeId} ${lineId}`) ?? 0n;
      assert.equal(at.commissionFen, sumOf(legs.map((leg) => leg.commissionFen)), 'commission is what facts say');
      assert.equal(at.reversedFen, sumOf(legs.map((leg) => leg.reversedFen)), 'reversed is what facts say');
      assert.equal(at.paidOutFen, paidOutFen, 'paid out is what left');
      const identityFen = at.pendingFen + at.payableFen + at.inPayoutFen + paidOutFen - at.debtFen;
      assert.equal(at.commissionFen, identityFen, 'the identity of the books');
      const { pendingFen, payableFen, inPayoutFen, debtFen } = at;
      for (const fen of [pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen]) assert(fen >= 0n, 'never negative');
    }
    assert.deepEqual(bookDifference({ booked: buckets, desired }), [], 'nothing is left to book');
  }
  const books = sumLineEntries(walk.lineEntries);
  const total = (account: 'cash' | 'written_off'): bigint =>
    sumOf(books.flatMap(({ legs }) => legs.map((leg) => balanceOf(leg, account))));
  const { paidOutFen } = positionOf(books);
  assert.equal(-total('cash'), paidOutFen + total('written_off'), 'cash paid is what is paid out or written off');
}

describe('random walks', () => {
  it('commission = pending + payable + in payout + paid out − debt after every step, and nothing is ever negative', () => {
    const reached = new Set<string>();
    const actions = fc.array(fc.oneof(anyLineAction, anyPayeeAction), { minLength: 10, maxLength: 30 });
    fc.assert(
      fc.property(anyTerms, actions, (terms, actions) => {
        const walk = new Walk(terms);
        for (const action of actions) {
          walk.take(action);
          checkWalk(walk);
        }
        for (const { account } of walk.lineEntries.flatMap(({ postings }) => postings)) reached.add(account);
      }),
      runs(1_000),
    );
    // A walk that never came to a debt, a write-off or a payout would prove nothing about them.
    const expected = ['brand_owes', 'cash', 'debt', 'fee_earned', 'fee_pending', 'in_payout', 'payable', 'pending'];
    expect([...reached].toSorted()).toEqual([...expected, 'written_off']);
  });
});
