/** What an account means stands in the core, which decides, and in a view, which every report reads: they say the same. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACCOUNT_KINDS, type LegBook, positionOf, stageOf } from '../../src/core/money/accounts.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => test.drop());

const amountFen = fc.bigInt({ min: -3n, max: 3n });
const balances = fc.record(Object.fromEntries(ACCOUNT_KINDS.map((account) => [account, amountFen])));

// The view's own text over rows that are no postings of any entry: the mapping alone is compared.
const READ_FIGURES = `
with postings as (
  select 'brd' as brand_id, 'jrn' as entry_id, 1 as position, 1 as line_position, 'pye' as payee_id, p.account, p.amount_fen,
    coalesce(p.reversed_delta_fen, 0) as reversed_delta_fen
  from unnest($1::text[], $2::bigint[], $3::bigint[]) as p (account, amount_fen, reversed_delta_fen)
), posting_figures as (DEFINITION)
select sum(f.commission_fen)::bigint as "commissionFen", sum(f.pending_fen)::bigint as "pendingFen",
  sum(f.payable_fen)::bigint as "payableFen", sum(f.in_payout_fen)::bigint as "inPayoutFen",
  sum(f.paid_out_fen)::bigint as "paidOutFen", sum(f.debt_fen)::bigint as "debtFen", sum(f.reversed_fen)::bigint as "reversedFen",
  line_stage(sum(f.pending_fen), sum(f.payable_fen), sum(f.in_payout_fen), sum(f.paid_out_fen)) as "stage"
from posting_figures f`;

it('the view and the core give any balances the same figures and the same stage', async () => {
  const { rows } = await test.db.query<{ text: string }>(`select pg_get_viewdef('posting_figures'::regclass) as text`);
  const definition = rows[0]?.text.replace(/;\s*$/, '') ?? '';
  expect(definition).toContain('fee_pending');
  const text = READ_FIGURES.replace('DEFINITION', definition);
  await fc.assert(
    fc.asyncProperty(balances, amountFen, async (held, reversedFen) => {
      const leg: LegBook = {
        payeeId: 'pye',
        balances: new Map(Object.entries(held)) as LegBook['balances'],
        reversedFen,
      };
      const position = positionOf([
        { dimensions: {} as never, amounts: { lines: 1, paidFen: 0n, refundedFen: 0n }, legs: [leg] },
      ]);
      const answer = await test.db.query(text, [Object.keys(held), Object.values(held), [reversedFen]]);
      expect(answer.rows[0]).toEqual({ ...position, stage: stageOf(position) });
    }),
    { numRuns: 300 },
  );
});
