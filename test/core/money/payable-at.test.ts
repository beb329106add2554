import { describe, expect, it } from 'vitest';
import { payableAt } from '../../../src/core/money/payable-at.ts';

const receivedAt = new Date('2026-11-01T04:00:00.000Z');
const after = (days: number, ms = 0): Date => new Date(receivedAt.getTime() + days * 86_400_000 + ms);

describe('payableAt', () => {
  it.each([
    { holdDays: 15, seen: undefined, due: after(15) },
    { holdDays: 0, seen: undefined, due: receivedAt },
    { holdDays: 0, seen: after(0, 2000), due: receivedAt },
    // Exactly a day later is on time, a millisecond more is late.
    { holdDays: 0, seen: after(1), due: receivedAt },
    { holdDays: 0, seen: after(1, 1), due: after(2, 1) },
    { holdDays: 15, seen: after(2), due: after(15) },
    { holdDays: 15, seen: after(14), due: after(15) },
    { holdDays: 15, seen: after(14, 1), due: after(15, 1) },
    { holdDays: 15, seen: after(30), due: after(31) },
    // A shop's clock that runs ahead of ours is no late receipt.
    { holdDays: 15, seen: after(-1), due: after(15) },
  ])('hold $holdDays days, seen $seen: due $due', ({ holdDays, seen, due }) => {
    expect(payableAt({ receivedAt, receivedSeenAt: seen, holdDays })).toEqual(due);
  });
});
