import { z } from 'zod';
import { stageOf } from '../../core/money/accounts.ts';
import { count, endsAfterItBegins, fen, instant, problemResponses, RANGE_FAULT, rateBp } from '../../http/fields.ts';
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
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import {
  buyerFields,
  commissionFilter,
  commissionFilterQuery,
  POSITION_COLUMNS,
  positionFields,
  stage,
} from '../route-fields.ts';
import { type CommissionRow, listCommissions } from './queries.ts';

const commission = z.object({
  lineId: z.string(),
  orderId: z.string(),
  externalOrderId: z.string(),
  externalLineId: z.string(),
  brandId: z.string(),
  storeId: z.string(),
  platform: z.string(),
  productId: z.string(),
  quantity: count,
  paidAt: instant,
  receivedAt: instant.nullable(),
  payableAt: instant.nullable(),
  releasedAt: instant.nullable(),
  held: z.boolean(),
  terms: z.object({ basis: z.string(), rateBp: rateBp.nullable(), flatFen: fen.nullable() }).nullable(),
  attribution: z
    .object({
      method: z.string(),
      confidence: z.string(),
      linkId: z.string(),
      linkCode: z.string(),
      influencerId: z.string(),
      tag: z.string().nullable(),
      clickId: z.string().nullable(),
    })
    .nullable(),
  stage,
  ...buyerFields,
  ...positionFields,
});
type Commission = z.output<typeof commission>;

const commissionsQuery = z
  .strictObject({ ...pageQuery, ...commissionFilterQuery })
  .refine(endsAfterItBegins, RANGE_FAULT);
const cursorShape = z.tuple([cursorBigint, z.string().max(64)]);

/** Every line that earns: by which attribution and terms, and how much. */
export async function commissionLineRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.get(
    '/v1/commissions',
    {
      config: { roles: ['finance', 'brand', 'influencer', 'admin'] },
      schema: {
        summary: 'Commissions, one row a line, newest payment first',
        description:
          '`from` and `to` filter by payment time. The rows sum to `/v1/commissions/totals` under the same filters. An influencer sees its ' +
          'own leg. `attribution` and `terms` are null where a line was taken away from the influencer who asks.',
        tags: ['Commissions'],
        querystring: commissionsQuery,
        response: { 200: jsonOrCsv(listOf(commission)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { query, principal } = request;
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, cursorShape);
      const rows = await listCommissions(deps.db, {
        ...commissionFilter(principal, query),
        after: after === undefined ? null : { paidAtMicros: after[0], lineId: after[1] },
        limit: query.limit + 1,
      });
      const page = pageOf(rows, {
        limit: query.limit,
        keyOf: (row) => [row.paidAtMicros, row.lineId],
        answerOf: answerRow,
      });
      return sendPage(request, reply, { page, columns: csvColumns });
    },
  );
}

function answerRow(row: CommissionRow): Commission {
  const {
    holdNote,
    basis,
    rateBp,
    flatFen,
    method,
    confidence,
    linkId,
    linkCode,
    influencerId,
    tag,
    clickId,
    ...rest
  } = row;
  const isCredited =
    method !== null && confidence !== null && linkId !== null && linkCode !== null && influencerId !== null;
  return {
    ...rest,
    held: holdNote !== null,
    terms: basis === null ? null : { basis, rateBp, flatFen },
    attribution: isCredited ? { method, confidence, linkId, linkCode, influencerId, tag, clickId } : null,
    stage: stageOf(row),
  };
}

const csvColumns: CsvColumn<Commission>[] = [
  ...(
    [
      'lineId',
      'externalOrderId',
      'externalLineId',
      'brandId',
      'storeId',
      'platform',
      'productId',
      'quantity',
      'paidAt',
      'receivedAt',
      'payableAt',
      'releasedAt',
      'held',
      'stage',
      'paidFen',
      'refundedFen',
      ...POSITION_COLUMNS,
    ] as const
  ).map((name): CsvColumn<Commission> => ({ name, value: (row) => row[name] })),
  { name: 'basis', value: ({ terms }) => terms?.basis },
  { name: 'rateBp', value: ({ terms }) => terms?.rateBp },
  { name: 'flatFen', value: ({ terms }) => terms?.flatFen },
  ...(['method', 'confidence', 'linkCode', 'influencerId', 'tag', 'clickId'] as const).map(
    (name): CsvColumn<Commission> => ({ name, value: ({ attribution }) => attribution?.[name] }),
  ),
];
