/** The parts of the demo that decide whether it may say that everything is right. */
import { describe, expect, it } from 'vitest';
import { readDemoArguments } from '../../src/cli/demo.ts';
import { createServerClock, Figures, tableText } from '../../src/local/demo/tour.ts';
import {
  AGENCY_SHARE_BP,
  BALANCES,
  FRYER_SALE,
  MIXED_SALE,
  PLATFORM_FEE_BP,
  TEA_SALE,
  TOTALS,
} from '../../src/local/demo/rules.ts';
import { splitCommission } from '../../src/core/money/commission.ts';

describe('the figures of the demo', () => {
  it('that differ are named with both values, and those the server left out differ too', () => {
    const figures = new Figures();
    figures.expect('status', 'received', 'received');
    figures.expectFen('totals', { paidFen: 19_900n, refundedFen: 5_000n }, { paidFen: 19_900n, refundedFen: 5_000n });
    expect(figures.differences).toEqual([]);
    figures.expect('clicks', 2n, 3n);
    figures.expect('method', undefined, 'click_id');
    figures.expectFen('the fryer', { commissionFen: 2_985n }, { commissionFen: 2_235n, paidFen: 1n });
    figures.expectFen('nobody', undefined, { paidFen: 0n });
    expect(figures.count).toBe(8);
    expect(figures.differences).toEqual([
      'clicks: 2, but it should be 3',
      'method: nothing, but it should be click_id',
      'the fryer, commissionFen: 29.85, but the rules give 22.35',
      'the fryer, paidFen: nothing, but the rules give 0.01',
      'nobody, paidFen: nothing, but the rules give 0.00',
    ]);
  });

  it('worked out by hand agree with each other and with the pure rules', () => {
    const lines = [FRYER_SALE.afterRefund, TEA_SALE.afterRefund, MIXED_SALE.kettle, MIXED_SALE.cups];
    const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, fen) => total + fen, 0n);
    expect(sum(lines.map(({ commissionFen }) => commissionFen))).toBe(TOTALS.all.commissionFen);
    expect(sum(lines.map(({ paidFen }) => paidFen))).toBe(TOTALS.all.paidFen);
    expect(sum(lines.map(({ refundedFen }) => refundedFen))).toBe(TOTALS.all.refundedFen);
    expect(sum(Object.values(BALANCES).map(({ commissionFen }) => commissionFen))).toBe(TOTALS.all.commissionFen);
    const split = (totalFen: bigint, agencyShareBp: number) =>
      splitCommission({ totalFen, platformFeeBp: PLATFORM_FEE_BP, agencyShareBp });
    const own = lines.slice(0, 2).map(({ commissionFen }) => split(commissionFen, 0));
    const shared = lines.slice(2).map(({ commissionFen }) => split(commissionFen, AGENCY_SHARE_BP));
    expect(sum(own.map(({ influencerFen }) => influencerFen))).toBe(BALANCES.mei.commissionFen);
    expect(sum(shared.map(({ influencerFen }) => influencerFen))).toBe(BALANCES.qiang.commissionFen);
    expect(sum(shared.map(({ agencyFen }) => agencyFen))).toBe(BALANCES.agency.commissionFen);
    expect(sum([...own, ...shared].map(({ feeFen }) => feeFen))).toBe(BALANCES.operator.commissionFen);
  });
});

describe('the demo command', () => {
  it('reads an address and a key, and refuses what is neither', () => {
    expect(readDemoArguments([])).toEqual({});
    expect(readDemoArguments(['--url', 'http://127.0.0.1:3001/', '--admin-key', 'k'])).toEqual({
      origin: 'http://127.0.0.1:3001',
      adminKey: 'k',
    });
    for (const url of ['localhost:3000', 'nonsense']) {
      expect(() => readDemoArguments(['--url', url])).toThrow('--url must look like');
    }
    expect(() => readDemoArguments(['--port', '3000'])).toThrow('--port');
    expect(() => readDemoArguments(['http://127.0.0.1'])).toThrow('http://127.0.0.1');
  });

  it('signs by the clock of the server: never ahead of it, however wrong its own is', async () => {
    const serverNow = new Date(Date.now() - 3_600_000);
    const clock = createServerClock(serverNow.toUTCString());
    const read = clock.now().getTime();
    expect(read).toBeGreaterThan(serverNow.getTime() - 1_001);
    expect(read).toBeLessThanOrEqual(serverNow.getTime() + 1_000);
    const second = await clock.nextSecondAfter(clock.now());
    expect(second.getTime() % 1_000).toBe(0);
    expect(clock.now().getTime()).toBeGreaterThanOrEqual(second.getTime());
  });

  it('prints tables that line up, also with Chinese in them', () => {
    expect(
      tableText([
        ['yuan', 'paid'],
        ['小美', '199.00'],
        ['total', '0.00'],
      ]),
    ).toBe(['  yuan     paid', '  小美   199.00', '  total    0.00'].join('\n'));
  });
});
