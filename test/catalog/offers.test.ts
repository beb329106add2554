import { assert as check, asyncProperty, bigInt, integer, option, record } from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listOffers } from '../../src/catalog/products/offer-queries.ts';
import { lineCommission, splitCommission } from '../../src/core/money/commission.ts';
import {
  createCatalogServer,
  daysAgo,
  makeBrand,
  makeInfluencer,
  makeOffer,
  productInput,
  storeInput,
} from './catalog-server.ts';
import type { Caller, CatalogServer, Made } from './catalog-server.ts';
import { insertTerms, type TermsInput } from '../support/market.ts';

let server: CatalogServer;
let influencer: { id: string; caller: Caller };

beforeAll(async () => {
  server = await createCatalogServer();
  influencer = await makeInfluencer(server);
});
afterAll(async () => {
  await server.close();
});

interface Offer extends Made {
  title: string;
  priceFen: number;
  commission: { rateBp: number } | { flatFen: number };
  estimatedCommissionFen: number | null;
  code: string;
}

interface OfferPage {
  data: Offer[];
  nextCursor: string | null;
}

const offers = async (query: string, caller = influencer.caller): Promise<Offer[]> =>
  (await caller.get<OfferPage>(`/v1/products?limit=200&${query}`)).body.data;

/** Terms of the narrowest thing that `scopeKey` names, in force since a minute. */
async function addTerms(
  terms: Omit<TermsInput, 'brandId' | 'validFrom'> & { productId: string; scopeKey: string },
): Promise<void> {
  const { productId, scopeKey, storeId } = terms;
  const { rows } = await server.db.query<{ brandId: string; validFrom: Date }>(
    `select p.brand_id as "brandId", now() - interval '1 minute' as "validFrom" from products p where p.id = $1`,
    [productId],
  );
  const { productId: _product, ...wide } = terms;
  const isOfProduct = storeId === undefined && scopeKey !== 'brand';
  for (const row of rows) await insertTerms(server.db, { ...(isOfProduct ? terms : wide), ...row });
}

describe('what is on offer', () => {
  it('holds only active products of active, eligible stores', async () => {
    const title = '在售测试';
    const good = await makeOffer(server, {
      product: { title },
      store: { openedOn: daysAgo(90), rating: { score: 4, scale: 5 } },
    });
    await makeOffer(server, { product: { title }, store: { openedOn: daysAgo(89) } });
    await makeOffer(server, { product: { title }, store: { rating: { score: '3.9999', scale: 5 } } });
    await makeOffer(server, { product: { title, status: 'paused' } });
    await makeOffer(server, { product: { title, status: 'off_sale' } });
    const closed = await makeOffer(server, { product: { title } });
    await closed.brand.caller.patch(`/v1/stores/${closed.storeId}`, { status: 'closed' });

    expect((await offers(`q=${title}`)).map((offer) => offer.id)).toEqual([good.productId]);
    expect((await influencer.caller.get(`/v1/products/${good.productId}`)).statusCode).toBe(200);
    expect((await influencer.caller.get(`/v1/products/${closed.productId}`)).statusCode).toBe(404);
  });

  it('the newest assessment decides, not the best', async () => {
    const offer = await makeOffer(server, { product: { title: '降分' } });
    expect(await offers('q=降分')).toHaveLength(1);
    await server.admin.patch(`/v1/stores/${offer.storeId}`, { rating: { score: 3, scale: 5 } });
    expect(await offers('q=降分')).toHaveLength(0);
  });

  it('shows what the influencer itself earns: after the platform fee and its agency’s share', async () => {
    const brand = await makeBrand(server, { platformFeeBp: 1000 });
    const store = await brand.caller.post<Made>('/v1/stores', storeInput());
    await brand.caller.post('/v1/products', productInput(store.body.id, { title: '分成测试' }));
    const agency = await server.admin.post<Made>('/v1/payees', { name: '机构' });
    const signed = await makeInfluencer(server, { agency: { payeeId: agency.body.id, shareBp: 2000 } });

    // 199.00 at 15 % = 2,985; fee 10 % = 299 (298.5 half up); the rest 2,686; agency 20 % = 537 (537.2).
    expect((await offers('q=分成测试'))[0]?.estimatedCommissionFen).toBe(2686);
    expect((await offers('q=分成测试', signed.caller))[0]?.estimatedCommissionFen).toBe(2149);
  });

  it('shows the most specific terms in force for this influencer', async () => {
    const { productId, storeId } = await makeOffer(server, { product: { title: '条款测试' } });
    const other = await makeInfluencer(server);
    const rate = async (caller?: Caller): Promise<unknown> => (await offers('q=条款测试', caller))[0]?.commission;
    await addTerms({ productId, scopeKey: 'brand', rateBp: 100 });
    await addTerms({ productId, scopeKey: `store:${storeId}`, storeId, rateBp: 200 });
    expect(await rate()).toEqual({ rateBp: 1500 });
    const influencerId = influencer.id;
    await addTerms({
      productId,
      scopeKey: `influencer:${influencerId}/store:${storeId}`,
      storeId,
      influencerId,
      rateBp: 300,
    });
    expect(await rate()).toEqual({ rateBp: 300 });
    await addTerms({
      productId,
      scopeKey: `influencer:${influencerId}/product:${productId}`,
      influencerId,
      rateBp: 400,
    });
    expect(await rate()).toEqual({ rateBp: 400 });
    expect(await rate(other.caller)).toEqual({ rateBp: 1500 });
  });

  it('a commission whose basis only the platform knows is not estimated', async () => {
    const { productId } = await makeOffer(server, { product: { title: '平台佣金' } });
    const influencerId = influencer.id;
    const scopeKey = `influencer:${influencerId}/product:${productId}`;
    await addTerms({ productId, scopeKey, influencerId, rateBp: 5000, basis: 'platform_commission' });
    expect((await offers('q=平台佣金'))[0]?.estimatedCommissionFen).toBeNull();
  });

  it('the estimate equals the leg the books would give, for any price, rate, fee and share', async () => {
    const { productId } = await makeOffer(server);
    const agency = await server.admin.post<Made>('/v1/payees', { name: '机构' });
    const one = await makeInfluencer(server, { agency: { payeeId: agency.body.id, shareBp: 0 } });
    const eligible = { score: '4', scale: '5', openedBy: '2026-01-01' };
    await check(
      asyncProperty(
        record({
          priceFen: bigInt({ min: 0n, max: 2n ** 53n - 1n }),
          rateBp: option(integer({ min: 0, max: 9000 }), { nil: undefined }),
          flatFen: bigInt({ min: 0n, max: 2n ** 53n - 1n }),
          platformFeeBp: integer({ min: 0, max: 9000 }),
          agencyShareBp: integer({ min: 0, max: 10_000 }),
        }),
        async ({ priceFen, rateBp, flatFen, platformFeeBp, agencyShareBp }) => {
          await server.db.query('update products set price_fen = $2 where id = $1', [productId, priceFen]);
          const rates = [productId, rateBp ?? null, rateBp === undefined ? flatFen : null];
          await server.db.query('update terms set rate_bp = $2, flat_fen = $3 where product_id = $1', rates);
          await server.db.query('update brand_policies set platform_fee_bp = $1', [platformFeeBp]);
          await server.db.query('update influencer_agencies set share_bp = $2 where influencer_id = $1', [
            one.id,
            agencyShareBp,
          ]);
          const [offer] = await listOffers(server.db, {
            influencerId: one.id,
            eligible,
            productId,
            sort: 'newest',
            limit: 1,
            storeId: undefined,
            platform: undefined,
            q: undefined,
            minRateBp: undefined,
            after: undefined,
          });
          const rate =
            rateBp === undefined ? ({ kind: 'flat', flatFen } as const) : ({ kind: 'rate', rateBp } as const);
          const totalFen = lineCommission({
            paidFen: priceFen,
            refundedFen: 0n,
            quantity: 1,
            terms: { basis: 'order_amount', rate },
          });
          const { influencerFen } = splitCommission({ totalFen, platformFeeBp, agencyShareBp });
          expect(offer?.estimatedCommissionFen).toBe(influencerFen);
        },
      ),
      { seed: 2, numRuns: 150 },
    );
  });
});

describe('sorting and paging the offer', () => {
  let caller: Caller;
  let ids: string[];
  // Ties in every key: pages must neither skip nor repeat among equals.
  const PRODUCTS = [
    { priceFen: 10_000, commission: { rateBp: 1000 } },
    { priceFen: 10_000, commission: { rateBp: 1000 } },
    { priceFen: 20_000, commission: { rateBp: 500 } },
    { priceFen: 5_000, commission: { flatFen: 1_000 } },
    { priceFen: 0, commission: { flatFen: 100 } },
    { priceFen: 10_000, commission: { rateBp: 0 } },
    { priceFen: 9_007_199_254_740_991, commission: { rateBp: 9000 } },
  ];

  beforeAll(async () => {
    const { brand, storeId, productId } = await makeOffer(server, { product: { title: '排序', ...PRODUCTS[0] } });
    ids = [productId];
    for (const changes of PRODUCTS.slice(1)) {
      const { body } = await brand.caller.post<Made>(
        '/v1/products',
        productInput(storeId, { title: '排序', ...changes }),
      );
      ids.push(body.id);
    }
    ({ caller } = await makeInfluencer(server));
  });

  async function paged(sort: string): Promise<number[]> {
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const place: string = cursor === null ? '' : `&cursor=${cursor}`;
      const { body }: { body: OfferPage } = await caller.get<OfferPage>(
        `/v1/products?q=排序&sort=${sort}&limit=2${place}`,
      );
      seen.push(...body.data.map((offer) => ids.indexOf(offer.id)));
      cursor = body.nextCursor;
    } while (cursor !== null);
    return seen;
  }

  it.each([
    ['newest', [6, 5, 4, 3, 2, 1, 0]],
    ['rate', [6, 3, 1, 0, 2, 5, 4]],
    ['commission', [6, 3, 2, 1, 0, 5, 4]],
    ['price', [4, 3, 5, 1, 0, 2, 6]],
  ])('by %s', async (sort, order) => {
    expect(await paged(sort)).toEqual(order);
  });

  it('products created in the same millisecond are neither skipped nor repeated', async () => {
    await server.db.query(
      `update products set created_at = timestamptz '2026-01-01 00:00:00.000Z' + (n.row % 3) * interval '1 microsecond'
       from (select id, row_number() over () as row from products where title = '排序') n where n.id = products.id`,
    );
    expect((await paged('newest')).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('the least rate also counts flat commissions by what they are of the price', async () => {
    const found = (await offers('q=排序&minRateBp=1000', caller))
      .map((offer) => ids.indexOf(offer.id))
      .toSorted((a, b) => a - b);
    expect(found).toEqual([0, 1, 3, 6]);
  });

  it.each([
    ['newest', ['1', '2026-01-01 00:00:00+00', 'prd_1']],
    ['rate', [null, '2026-01-01 00:00:00+00', 'prd_1']],
    ['rate', ['1; drop table', '2026-01-01 00:00:00+00', 'prd_1']],
    ['newest', [null, 'infinity', 'prd_1']],
    ['newest', [null, '2026-13-01 00:00:00+00', 'prd_1']],
    ['newest', [null, '0000-01-01 00:00:00+00', 'prd_1']],
    ['newest', [null, '2026-01-01 00:00:00+99', 'prd_1']],
    ['newest', ['prd_1']],
  ])('a forged cursor for %s is refused: %j', async (sort, values) => {
    const cursor = Buffer.from(JSON.stringify(values)).toString('base64url');
    const answer = await caller.get<{ code: string }>(`/v1/products?sort=${sort}&cursor=${cursor}`);
    expect([answer.statusCode, answer.body.code]).toEqual([400, 'validation_failed']);
  });

  it('the status filter is refused: an offer is active', async () => {
    expect((await caller.get('/v1/products?status=paused')).statusCode).toBe(400);
  });
});
