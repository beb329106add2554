import { z } from 'zod';
import { actingAs, brandScope } from '../../access/principal.ts';
import { dayOrInstant, fen, instant, prefixedId, problemResponses, rateBp } from '../../http/fields.ts';
import {
  type CsvColumn,
  cursorBigint,
  decodeCursor,
  jsonOrCsv,
  listOf,
  pageQuery,
  pageOf,
  sendPage,
} from '../../http/list.ts';
import { type Problem, problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { createTerms, OVERLAP_DETAIL, type TermsRefusal } from './add-terms.ts';
import { listTerms, type TermsRow } from './queries.ts';

const termsBody = z
  .strictObject({
    brandId: prefixedId('brd').optional().meta({ description: 'admin only; a brand key means its own brand' }),
    scope: z
      .strictObject({
        productId: prefixedId('prd').optional(),
        storeId: prefixedId('str').optional(),
        influencerId: prefixedId('inf').optional(),
      })
      .refine(({ productId, storeId }) => productId === undefined || storeId === undefined, {
        error: 'name a product or a store, not both',
      })
      .refine((scope) => scope.influencerId === undefined || (scope.productId ?? scope.storeId) !== undefined, {
        error: 'an influencer alone is no scope: name a product or a store as well',
      })
      .meta({ description: '{} for the whole brand' }),
    rateBp: rateBp.optional(),
    flatFen: fen.optional(),
    basis: z.enum(['order_amount', 'platform_commission']).default('order_amount'),
    windowDays: z.int().min(1).max(90).optional(),
    holdDays: z.int().min(0).max(180).optional(),
    validFrom: dayOrInstant.optional(),
    validTo: dayOrInstant.optional(),
  })
  .refine((body) => (body.rateBp === undefined) !== (body.flatFen === undefined), {
    error: 'give rateBp or flatFen, one of them',
    path: ['rateBp'],
  })
  .meta({ examples: [{ scope: { productId: 'prd_k2m8x7q4w9z3p6n5' }, rateBp: 2000, validFrom: '2027-01-01' }] });
type TermsBody = z.output<typeof termsBody>;

const terms = z.object({
  id: z.string(),
  brandId: z.string(),
  scope: z.object({
    productId: z.string().optional(),
    storeId: z.string().optional(),
    influencerId: z.string().optional(),
  }),
  rateBp: rateBp.optional(),
  flatFen: fen.optional(),
  basis: z.enum(['order_amount', 'platform_commission']),
  windowDays: z.int(),
  holdDays: z.int(),
  validFrom: instant,
  validTo: instant.nullable(),
  createdBy: z.string(),
  createdAt: instant,
});
type Terms = z.output<typeof terms>;

const termsQuery = z.strictObject({
  ...pageQuery,
  brandId: prefixedId('brd').optional(),
  storeId: prefixedId('str').optional(),
  productId: prefixedId('prd').optional(),
  influencerId: prefixedId('inf').optional(),
});
const cursorShape = z.tuple([cursorBigint, z.string().max(64)]);

/** Versioned commission rules. */
export async function termsRoutes(app: Server, deps: { db: Db; now: () => Date }): Promise<void> {
  app.post(
    '/v1/terms',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'A new version of the commission of a product, a store, the brand, or one of these for one influencer',
        description:
          'Ends the open version of the same scope where it begins; with `validTo` that version resumes afterwards. Versions never overlap ' +
          '(409) and never begin in the past, except by an admin, which is audited. Lines already booked keep the terms they have.',
        tags: ['Catalogue'],
        body: termsBody,
        response: { 201: terms, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { principal, body } = request;
      const { brandId, scope, basis, windowDays, holdDays, validFrom, validTo } = body;
      const acting = { ...actingAs(principal), mayBackdate: principal.role === 'admin' };
      const version = { brandId, scope, rate: rateOfBody(body), basis, windowDays, holdDays, validFrom, validTo };
      const added = await createTerms(deps.db, acting, { ...version, now: deps.now() });
      if (!added.ok) throw refusalProblem(added);
      return reply.status(201).send(answerTerms(added.terms));
    },
  );

  app.get(
    '/v1/terms',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Versions of terms, past and coming ones too, newest beginning first',
        tags: ['Catalogue'],
        querystring: termsQuery,
        response: { 200: jsonOrCsv(listOf(terms)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { query, principal } = request;
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, cursorShape);
      const rows = await listTerms(deps.db, {
        brandScope: brandScope(principal),
        brandId: query.brandId,
        storeId: query.storeId,
        productId: query.productId,
        influencerId: query.influencerId,
        after: after === undefined ? undefined : { validFromMicros: after[0], termsId: after[1] },
        limit: query.limit + 1,
      });
      const page = pageOf(rows, {
        limit: query.limit,
        keyOf: (row) => [row.validFromMicros, row.termsId],
        answerOf: answerTerms,
      });
      return sendPage(request, reply, { page, columns: csvColumns });
    },
  );
}

function refusalProblem({ reason }: TermsRefusal): Problem {
  switch (reason) {
    case 'no_brand':
      return problems.validationFailed([{ path: 'brandId', message: 'name the brand, or a product or store of it' }]);
    case 'begins_in_past':
      return problems.validationFailed([{ path: 'validFrom', message: 'is in the past; leave it out to begin now' }]);
    case 'ends_before_it_begins':
      return problems.validationFailed([{ path: 'validTo', message: 'must be later than validFrom' }]);
    case 'unknown_scope':
      return problems.notFound();
    default:
      return problems.conflict(OVERLAP_DETAIL);
  }
}

function rateOfBody(body: TermsBody): { rateBp: number } | { flatFen: bigint } {
  if (body.rateBp !== undefined) return { rateBp: body.rateBp };
  if (body.flatFen === undefined) throw new Error('the schema asks for a rate or a flat amount');
  return { flatFen: body.flatFen };
}

function answerTerms(row: TermsRow): Terms {
  const { termsId, brandId, basis, windowDays, holdDays, validFrom, validTo, createdBy, createdAt } = row;
  return {
    id: termsId,
    brandId,
    scope: {
      ...(row.productId === null ? {} : { productId: row.productId }),
      ...(row.storeId === null ? {} : { storeId: row.storeId }),
      ...(row.influencerId === null ? {} : { influencerId: row.influencerId }),
    },
    ...(row.rateBp === null ? {} : { rateBp: row.rateBp }),
    ...(row.flatFen === null ? {} : { flatFen: row.flatFen }),
    basis,
    windowDays,
    holdDays,
    validFrom,
    validTo,
    createdBy,
    createdAt,
  };
}

const csvColumns: CsvColumn<Terms>[] = [
  { name: 'id', value: ({ id }) => id },
  { name: 'brandId', value: ({ brandId }) => brandId },
  { name: 'productId', value: ({ scope }) => scope.productId },
  { name: 'storeId', value: ({ scope }) => scope.storeId },
  { name: 'influencerId', value: ({ scope }) => scope.influencerId },
  ...(
    ['rateBp', 'flatFen', 'basis', 'windowDays', 'holdDays', 'validFrom', 'validTo', 'createdBy', 'createdAt'] as const
  ).map((name): CsvColumn<Terms> => ({ name, value: (row) => row[name] })),
];
