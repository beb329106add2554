import { OVERLAP_DETAIL } from '../../commissions/terms/add-terms.ts';
import { z } from 'zod';
import { OFFER_SORTS, PLATFORMS, PRODUCT_STATUSES, type OfferSort } from '../../core/vocabulary.ts';
import { actingAs, brandScope, influencerScope } from '../../access/principal.ts';
import { addDays, shanghaiDay } from '../../core/calendar.ts';
import type { EligibilityRule } from '../../core/catalog/eligibility.ts';
import { prefixedId, problemResponses, text } from '../../http/fields.ts';
import { decodeCursor, jsonOrCsv, listOf, pageQuery, pageOf, readIdCursor, sendPage } from '../../http/list.ts';
import type { CsvColumn, Page } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Problem } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { listOffers } from './offer-queries.ts';
import type { OfferQuery } from './offer-queries.ts';
import { offerAnswerOf, productAnswer, productAnswerOf, productBody, productChangeBody } from './product-fields.ts';
import type { ProductAnswer } from './product-fields.ts';
import { findProduct, listProducts } from './queries.ts';
import { changeProduct, registerProduct } from './save-product.ts';
import type { ProductOutcome, ProductRefusal } from './save-product.ts';

export interface ProductRouteDeps {
  db: Db;
  now: () => Date;
  eligibilityRule: EligibilityRule;
}

const listQuery = z.strictObject({
  ...pageQuery,
  q: text(100).exactOptional().meta({ description: 'a part of the title' }),
  platform: z.enum(PLATFORMS).exactOptional(),
  storeId: prefixedId('str').exactOptional(),
  minRateBp: z.coerce.number().int().min(0).max(9000).exactOptional().meta({ description: 'offers only' }),
  sort: z.enum(OFFER_SORTS).exactOptional().meta({
    description: 'offers only; newest (default), rate and commission begin with the highest, price with the lowest',
  }),
  status: z.enum(PRODUCT_STATUSES).exactOptional().meta({ description: 'for brands and admins' }),
});
type ListQuery = z.output<typeof listQuery>;

const columns: CsvColumn<ProductAnswer>[] = [
  { name: 'id', value: (product) => product.id },
  { name: 'storeId', value: (product) => product.storeId },
  { name: 'platform', value: (product) => product.platform },
  { name: 'title', value: (product) => product.title },
  { name: 'url', value: (product) => product.url },
  { name: 'priceFen', value: (product) => product.priceFen },
  {
    name: 'rateBp',
    value: ({ commission }) => (commission !== null && 'rateBp' in commission ? commission.rateBp : null),
  },
  {
    name: 'flatFen',
    value: ({ commission }) => (commission !== null && 'flatFen' in commission ? commission.flatFen : null),
  },
  { name: 'estimatedCommissionFen', value: (product) => product.estimatedCommissionFen },
  { name: 'windowDays', value: (product) => product.windowDays },
  { name: 'holdDays', value: (product) => product.holdDays },
  { name: 'externalItemId', value: (product) => product.externalItemId },
  { name: 'status', value: (product) => product.status },
  { name: 'createdAt', value: (product) => product.createdAt },
];

const cursorOfNewest = z.tuple([z.null(), exactTime(), z.string().max(64)]);
const cursorOfSorted = z.tuple([z.string().regex(/^-?\d{1,20}$/), exactTime(), z.string().max(64)]);

/** A timestamptz as Postgres writes it, in UTC or any zone (none is 16 hours off). A forged one must not reach a cast. */
function exactTime() {
  return z
    .string()
    .regex(/^[12]\d{3}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?[+-](0\d|1[0-5])(:\d{2})?$/)
    .refine(isRealTime);
}

function isRealTime(text: string): boolean {
  const isoText = text.replace(' ', 'T').replace(/([+-]\d{2})$/, '$1:00');
  return z.iso.datetime({ offset: true }).safeParse(isoText).success;
}

const params = z.object({ id: prefixedId('prd') });
const tags = ['Catalogue'];

/** `/v1/products`: brands register products, influencers read the offer. */
export async function productRoutes(app: Server, deps: ProductRouteDeps): Promise<void> {
  registeringRoutes(app, deps);
  readingRoutes(app, deps);
}

/** @throws Problem where the use case refused */
function answerOfOutcome(outcome: ProductOutcome): ProductAnswer {
  if (!outcome.ok) throw refusalProblem(outcome);
  return productAnswerOf(outcome.product);
}

function refusalProblem(refusal: ProductRefusal): Problem {
  switch (refusal.reason) {
    case 'unknown_store':
    case 'unknown_product':
      return problems.notFound();
    case 'store_closed':
      return problems.conflict('The store is closed.');
    case 'destination_refused':
      return problems.destinationRefused(refusal);
    case 'terms_overlap':
      return problems.conflict(OVERLAP_DETAIL);
    case 'invalid_field':
      return problems.validationFailed([{ path: refusal.path, message: refusal.message }]);
    default:
      return problems.conflict(`The product ${refusal.productId} of this store has ${refusal.itemKey} already.`);
  }
}

/** Registering and changing products. */
function registeringRoutes(app: Server, { db }: ProductRouteDeps): void {
  app.post(
    '/v1/products',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Register a product with the commission it pays',
        tags,
        body: productBody,
        response: { 201: productAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const registered = await registerProduct(db, actingAs(request.principal), request.body);
      return reply.code(201).send(answerOfOutcome(registered));
    },
  );

  app.patch(
    '/v1/products/:id',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Change a product; a new commission begins now',
        tags,
        params,
        body: productChangeBody,
        response: { 200: productAnswer, ...problemResponses },
      },
    },
    async (request) =>
      answerOfOutcome(await changeProduct(db, actingAs(request.principal), request.params.id, request.body)),
  );
}

/** Reading products and offers. */
function readingRoutes(app: Server, deps: ProductRouteDeps): void {
  app.get(
    '/v1/products',
    {
      config: { roles: ['influencer', 'brand', 'admin'] },
      schema: {
        summary: 'For influencers the products on offer; for brands and admins the registered products',
        tags,
        querystring: listQuery,
        response: { 200: jsonOrCsv(listOf(productAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const influencerId = influencerScope(request.principal);
      const page =
        influencerId === undefined
          ? await pageOfProducts(deps.db, { ...request.query, brandId: brandScope(request.principal) })
          : await pageOfOffers(deps, { ...request.query, influencerId });
      return sendPage(request, reply, { page, columns });
    },
  );

  app.get(
    '/v1/products/:id',
    {
      config: { roles: ['influencer', 'brand', 'admin'] },
      schema: {
        summary: 'Read a product; influencers read the products on offer',
        tags,
        params,
        response: { 200: productAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const productId = request.params.id;
      const influencerId = influencerScope(request.principal);
      if (influencerId !== undefined) {
        const [offer] = await listOffers(deps.db, offerQueryOf(deps, { influencerId, productId, limit: 1 }));
        if (offer === undefined) throw problems.notFound();
        return offerAnswerOf(offer);
      }
      const product = await findProduct(deps.db, { productId, scope: brandScope(request.principal) });
      if (product === undefined) throw problems.notFound();
      return productAnswerOf(product);
    },
  );
}

async function pageOfProducts(
  db: Db,
  {
    brandId,
    storeId,
    platform,
    status,
    q,
    minRateBp,
    sort,
    limit,
    cursor,
  }: ListQuery & { brandId: string | undefined },
): Promise<Page<ProductAnswer>> {
  if (minRateBp !== undefined || sort !== undefined) {
    throw problems.validationFailed([
      { path: minRateBp === undefined ? 'sort' : 'minRateBp', message: 'is for influencer keys' },
    ]);
  }
  const afterId = readIdCursor(cursor);
  const rows = await listProducts(db, { brandId, storeId, platform, status, q, afterId, limit: limit + 1 });
  return pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf: productAnswerOf });
}

async function pageOfOffers(
  deps: ProductRouteDeps,
  { influencerId, status, sort = 'newest', limit, cursor, ...filter }: ListQuery & { influencerId: string },
): Promise<Page<ProductAnswer>> {
  if (status !== undefined)
    throw problems.validationFailed([{ path: 'status', message: 'is not for influencer keys' }]);
  const after = readOfferCursor(cursor, sort);
  const rows = await listOffers(
    deps.db,
    offerQueryOf(deps, { ...filter, influencerId, sort, after, limit: limit + 1 }),
  );
  return pageOf(rows, { limit, keyOf: (row) => [row.sortKey, row.createdAtExact, row.id], answerOf: offerAnswerOf });
}

function readOfferCursor(cursor: string | undefined, sort: OfferSort): OfferQuery['after'] {
  if (cursor === undefined) return undefined;
  const [sortKey, createdAtExact, id] = decodeCursor(cursor, sort === 'newest' ? cursorOfNewest : cursorOfSorted);
  return { sortKey, createdAtExact, id };
}

function offerQueryOf(
  { now, eligibilityRule }: ProductRouteDeps,
  query: Pick<OfferQuery, 'influencerId' | 'limit'> & Partial<OfferQuery>,
): OfferQuery {
  const { minStars, minAgeDays } = eligibilityRule;
  return {
    storeId: undefined,
    platform: undefined,
    q: undefined,
    minRateBp: undefined,
    sort: 'newest',
    after: undefined,
    ...query,
    eligible: { ...minStars, openedBy: shanghaiDay(addDays(now(), -minAgeDays)) },
  };
}
