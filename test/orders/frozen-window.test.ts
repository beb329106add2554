/** The window is part of the terms a line is booked with: what is added to the catalogue later takes nothing back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addTermsVersion } from '../../src/commissions/terms/add-terms.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertBrandWithTerms, insertInfluencer, insertProduct, insertStore } from '../support/market.ts';
import { DAY_MS, insertLink, mintClickId } from '../support/promotion.ts';
import { deliver, deliverPaid } from './deliver.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => test.drop());

it('a line that is booked keeps its window when terms that begin in the past are added; a line that is not has the new one', async () => {
  const { db } = test;
  const brandId = await insertBrandWithTerms(db, { inferred: 'off' });
  const storeId = await insertStore(db, { brandId });
  const productId = await insertProduct(db, { brandId, storeId });
  const influencerId = await insertInfluencer(db);
  const link = await insertLink(db, { brandId, storeId, productId, influencerId });
  const at = new Date(Date.now() - DAY_MS);
  const clickedTenDaysBefore = mintClickId(link, new Date(at.getTime() - 10 * DAY_MS));
  const sale = (externalOrderId: string) => {
    return {
      brandId,
      storeId,
      externalOrderId,
      at,
      lines: [{ productId, evidence: { clickId: clickedTenDaysBefore } }],
    };
  };
  await deliverPaid(db, sale('before'));

  await inTransaction(db, async (tx) =>
    addTermsVersion(tx, {
      brandId,
      scope: { productId },
      rate: { rateBp: 2_000 },
      windowDays: 1,
      validFrom: new Date('2021-01-01T00:00:00Z'),
      createdBy: 'test',
    }),
  );
  await deliver(db, sale('before'), { type: 'received' });
  await deliverPaid(db, sale('after'));

  const { rows } = await db.query(
    `select o.external_order_id as "order", a.state, a.reason, coalesce((
       select sum(e.amount_fen) from entry_lines j
       join postings e on e.entry_id = j.entry_id and e.line_position = j.position
       where j.line_id = l.id and e.account = 'brand_owes'), 0)::bigint as "owedFen"
     from orders o join order_lines l on l.order_id = o.id join attributions a on a.line_id = l.id
     order by o.external_order_id desc`,
  );
  expect(rows).toEqual([
    { order: 'before', state: 'matched', reason: null, owedFen: 2_985n },
    { order: 'after', state: 'unmatched', reason: 'outside_window', owedFen: 0n },
  ]);
});
