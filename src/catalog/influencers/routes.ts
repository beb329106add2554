import { z } from 'zod';
import { actingAs, influencerScope } from '../../access/principal.ts';
import { instant, prefixedId, problemResponses, text } from '../../http/fields.ts';
import { jsonOrCsv, listOf, pageQuery, pageOf, readIdCursor, sendPage } from '../../http/list.ts';
import type { CsvColumn } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { findInfluencer, listInfluencers } from './queries.ts';
import type { InfluencerRow } from './queries.ts';
import { changeInfluencer, createInfluencer } from './save-influencer.ts';
import type { InfluencerOutcome } from './save-influencer.ts';

const status = z.enum(['active', 'paused']);
const agency = z
  .strictObject({
    payeeId: prefixedId('pye'),
    shareBp: z.int().min(0).max(10_000).meta({ description: 'share of what the platform fee leaves, basis points' }),
  })
  .meta({ description: 'the MCN that shares the commission' });

const createBody = z
  .strictObject({
    name: text(200),
    douyinId: text(100).exactOptional(),
    tier: text(50).exactOptional(),
    agency: agency.exactOptional(),
  })
  .meta({ examples: [{ name: '小美', douyinId: 'xiaomei88' }] });
const changeBody = z
  .strictObject({
    name: text(200).exactOptional(),
    douyinId: text(100).nullable().exactOptional(),
    tier: text(50).nullable().exactOptional(),
    agency: agency.nullable().exactOptional(),
    status: status.exactOptional(),
  })
  .meta({ examples: [{ agency: { payeeId: 'pye_k2m8x7q4w9z3p6n5', shareBp: 3000 } }] });

const influencerAnswer = z.object({
  id: prefixedId('inf'),
  code: z.string(),
  name: z.string(),
  douyinId: z.string().nullable(),
  tier: z.string().nullable(),
  status,
  payeeId: prefixedId('pye'),
  agency: z.object({ payeeId: prefixedId('pye'), shareBp: z.int() }).nullable(),
  createdAt: instant,
});
type InfluencerAnswer = z.output<typeof influencerAnswer>;

function answerOf({ agencyPayeeId, agencyShareBp, ...row }: InfluencerRow): InfluencerAnswer {
  const agency = agencyPayeeId === null ? null : { payeeId: agencyPayeeId, shareBp: agencyShareBp ?? 0 };
  return { ...row, agency };
}

/** @throws Problem not_found: both refusals name an object that does not exist */
function answerOfOutcome(outcome: InfluencerOutcome): InfluencerAnswer {
  if (!outcome.ok) throw problems.notFound();
  return answerOf(outcome.influencer);
}

const columns: CsvColumn<InfluencerAnswer>[] = [
  { name: 'id', value: (influencer) => influencer.id },
  { name: 'code', value: (influencer) => influencer.code },
  { name: 'name', value: (influencer) => influencer.name },
  { name: 'douyinId', value: (influencer) => influencer.douyinId },
  { name: 'tier', value: (influencer) => influencer.tier },
  { name: 'status', value: (influencer) => influencer.status },
  { name: 'payeeId', value: (influencer) => influencer.payeeId },
  { name: 'agencyPayeeId', value: (influencer) => influencer.agency?.payeeId },
  { name: 'agencyShareBp', value: (influencer) => influencer.agency?.shareBp },
  { name: 'createdAt', value: (influencer) => influencer.createdAt },
];

const params = z.object({ id: prefixedId('inf') });
const tags = ['Catalogue'];

/** `/v1/influencers`: the promoters, each with the payee and the agency that share a commission. */
export async function influencerRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  app.post(
    '/v1/influencers',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Register an influencer',
        tags,
        body: createBody,
        response: { 201: influencerAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const created = await createInfluencer(db, actingAs(request.principal), request.body);
      return reply.code(201).send(answerOfOutcome(created));
    },
  );

  app.get(
    '/v1/influencers',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'List influencers',
        tags,
        querystring: z.strictObject({ ...pageQuery }),
        response: { 200: jsonOrCsv(listOf(influencerAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const rows = await listInfluencers(db, { afterId: readIdCursor(cursor), limit: limit + 1 });
      return sendPage(request, reply, { page: pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf }), columns });
    },
  );

  app.get(
    '/v1/influencers/:id',
    {
      config: { roles: ['admin', 'influencer'] },
      schema: {
        summary: 'Read an influencer; an influencer reads itself',
        tags,
        params,
        response: { 200: influencerAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const scope = influencerScope(request.principal);
      const row = await findInfluencer(db, { influencerId: request.params.id, scope });
      if (row === undefined) throw problems.notFound();
      return answerOf(row);
    },
  );

  app.patch(
    '/v1/influencers/:id',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Change an influencer; a new agency share begins now',
        tags,
        params,
        body: changeBody,
        response: { 200: influencerAnswer, ...problemResponses },
      },
    },
    async (request) =>
      answerOfOutcome(await changeInfluencer(db, actingAs(request.principal), request.params.id, request.body)),
  );
}
