import { z } from 'zod';
import { FALLBACKS } from '../../core/links/landing-mode.ts';
import { brandScope } from '../../access/principal.ts';
import { instant, prefixedId, problemResponses, rateBp, text } from '../../http/fields.ts';
import { jsonOrCsv, listOf, pageQuery } from '../../http/list.ts';
import type { CsvColumn } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { pageOf, readIdCursor, sendPage } from '../../http/list-page.ts';
import { changeBrand, createBrand } from './change-brand.ts';
import { findBrand, listBrands } from './queries.ts';
import type { BrandRow } from './queries.ts';

const inferred = z.enum(['pay', 'review', 'off']);
const scope = z.enum(['product', 'store']);

const matchingInput = z.strictObject({ inferred: inferred.exactOptional(), scope: scope.exactOptional() }).meta({
  description:
    'How sales without a click id are treated, and whether a click counts for the product or the whole store',
});

const fallbacks = z
  .array(z.enum(FALLBACKS))
  .max(FALLBACKS.length)
  .refine((kinds) => new Set(kinds).size === kinds.length, { error: 'must not name one twice' })
  .meta({
    description: 'where visitors go whose link is paused or gone: the first that there is; none: a page says so',
  });

const brandFields = z.strictObject({
  name: text(200),
  matching: matchingInput.exactOptional(),
  platformFeeBp: rateBp.exactOptional(),
  fallbacks: fallbacks.exactOptional(),
  pageUrl: z
    .string()
    .max(4000)
    .nullable()
    .exactOptional()
    .meta({ description: 'a page of the brand on Taobao, Tmall or Youzan, for the fallback brand_page' }),
});
const createBody = brandFields.meta({
  examples: [{ name: '山野茶具', matching: { inferred: 'review', scope: 'product' }, platformFeeBp: 500 }],
});
const changeBody = brandFields.partial().meta({ examples: [{ matching: { inferred: 'pay' } }] });

const brandAnswer = z.object({
  id: prefixedId('brd'),
  name: z.string(),
  matching: z.object({ inferred, scope }),
  platformFeeBp: rateBp,
  fallbacks: z.array(z.enum(FALLBACKS)),
  pageUrl: z.string().nullable(),
  createdAt: instant,
});
type BrandAnswer = z.output<typeof brandAnswer>;

function answerOf(row: BrandRow): BrandAnswer {
  const { id, name, inferred, scope, platformFeeBp, fallbacks: kinds, pageUrl, createdAt } = row;
  return { id, name, matching: { inferred, scope }, platformFeeBp, fallbacks: kinds, pageUrl, createdAt };
}

const columns: CsvColumn<BrandAnswer>[] = [
  { name: 'id', value: (brand) => brand.id },
  { name: 'name', value: (brand) => brand.name },
  { name: 'inferred', value: (brand) => brand.matching.inferred },
  { name: 'scope', value: (brand) => brand.matching.scope },
  { name: 'platformFeeBp', value: (brand) => brand.platformFeeBp },
  { name: 'createdAt', value: (brand) => brand.createdAt },
];

const params = z.object({ id: prefixedId('brd') });
const tags = ['Catalogue'];

/** `/v1/brands`: the tenants and their versioned policies. */
export async function brandRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  app.post(
    '/v1/brands',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Register a brand',
        tags,
        body: createBody,
        response: { 201: brandAnswer, ...problemResponses },
      },
    },
    async (request, reply) => reply.code(201).send(answerOf(await createBrand(db, request.principal, request.body))),
  );

  app.get(
    '/v1/brands',
    {
      config: { roles: ['admin', 'brand'] },
      schema: {
        summary: 'List brands; a brand sees itself',
        tags,
        querystring: z.strictObject({ ...pageQuery }),
        response: { 200: jsonOrCsv(listOf(brandAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const afterId = readIdCursor(cursor);
      const rows = await listBrands(db, { scope: brandScope(request.principal), afterId, limit: limit + 1 });
      return sendPage(request, reply, { page: pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf }), columns });
    },
  );

  app.get(
    '/v1/brands/:id',
    {
      config: { roles: ['admin', 'brand'] },
      schema: { summary: 'Read a brand', tags, params, response: { 200: brandAnswer, ...problemResponses } },
    },
    async (request) => {
      const brand = await findBrand(db, { brandId: request.params.id, scope: brandScope(request.principal) });
      if (brand === undefined) throw problems.notFound();
      return answerOf(brand);
    },
  );

  app.patch(
    '/v1/brands/:id',
    {
      config: { roles: ['admin', 'brand'] },
      schema: {
        summary: 'Rename a brand, begin a new version of its policy, or choose where visitors of its dead links go',
        description: 'A brand itself may change only `fallbacks` and `pageUrl`.',
        tags,
        params,
        body: changeBody,
        response: { 200: brandAnswer, ...problemResponses },
      },
    },
    async (request) => answerOf(await changeBrand(db, request.principal, request.params.id, request.body)),
  );
}
