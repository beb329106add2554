import { z } from 'zod';
import { brandScope } from '../access/principal.ts';
import {
  dayOrInstant,
  endsAfterItBegins,
  instant,
  prefixedId,
  problemResponses,
  RANGE_FAULT,
  text,
} from '../http/fields.ts';
import {
  cursorBigint,
  cursorTime,
  decodeCursor,
  jsonOrCsv,
  listOf,
  pageOf,
  pageQuery,
  sendPage,
} from '../http/list.ts';
import type { CsvColumn } from '../http/list.ts';
import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { AUDIT_ACTION_NAMES, objectKindOf } from './actions.ts';
import { listAuditRows } from './queries.ts';
import type { AuditRow } from './queries.ts';

const auditQuery = z
  .strictObject({
    ...pageQuery,
    actor: text(200).exactOptional().meta({ description: 'as rows show it: `admin:key_…`, or the name of a command' }),
    action: z.enum(AUDIT_ACTION_NAMES).exactOptional(),
    object: text(200).exactOptional().meta({ description: 'the id of the object that was changed' }),
    brandId: prefixedId('brd').exactOptional(),
    from: dayOrInstant.exactOptional(),
    to: dayOrInstant.exactOptional(),
  })
  .refine(endsAfterItBegins, RANGE_FAULT);

const auditAnswer = z
  .object({
    id: z.string(),
    at: instant,
    actor: z.string(),
    actorLabel: z.string().nullable().meta({ description: 'the label of the API key' }),
    action: z.string(),
    object: z.string(),
    objectKind: z.string(),
    brandId: z.string().nullable(),
    brandName: z.string().nullable(),
    detail: z
      .record(z.string(), z.unknown())
      .meta({ description: 'what the change set, before and after; never a secret' }),
  })
  .meta({
    examples: [
      {
        id: '4711',
        at: '2026-11-22T03:04:05.000Z',
        actor: 'brand:key_4k7q2m8x9a3b5c6d',
        actorLabel: '运营后台',
        action: 'product.changed',
        object: 'prd_k2m8x7q4w9z3p6n5',
        objectKind: 'product',
        brandId: 'brd_k2m8x7q4w9z3p6n5',
        brandName: '山野茶具',
        detail: { before: { priceFen: 19900, rateBp: 1500 }, after: { priceFen: 17900, rateBp: 2000 } },
      },
    ],
  });
type AuditAnswer = z.output<typeof auditAnswer>;

function answerOf(row: AuditRow): AuditAnswer {
  const { id, at, actor, actorLabel, action, objectId, brandId, brandName, detail } = row;
  const object = { object: objectId, objectKind: objectKindOf(action) };
  return { id: id.toString(), at, actor, actorLabel, action, ...object, brandId, brandName, detail };
}

const columns: CsvColumn<AuditAnswer>[] = [
  ...(['id', 'at', 'actor', 'actorLabel', 'action', 'object', 'objectKind', 'brandId', 'brandName'] as const).map(
    (name): CsvColumn<AuditAnswer> => ({ name, value: (row) => row[name] }),
  ),
  { name: 'detail', value: (row) => JSON.stringify(row.detail) },
];

const cursorShape = z.tuple([cursorTime, cursorBigint]);

/** `GET /v1/audit`: the record of what keys and commands changed. There is no route that writes or deletes a row. */
export async function auditRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  app.get(
    '/v1/audit',
    {
      config: { roles: ['admin', 'brand'] },
      schema: {
        summary: 'Who changed what, newest first; a brand reads the changes of its own objects',
        tags: ['Audit'],
        querystring: auditQuery,
        response: { 200: jsonOrCsv(listOf(auditAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor, object, brandId, actor, action, from, to } = request.query;
      const place = cursor === undefined ? undefined : decodeCursor(cursor, cursorShape);
      const rows = await listAuditRows(db, {
        brandScope: brandScope(request.principal),
        brandId,
        actor,
        action,
        objectId: object,
        from,
        to,
        after: place === undefined ? undefined : { cursorTime: place[0], id: place[1] },
        limit: limit + 1,
      });
      const page = pageOf(rows, { limit, keyOf: (row) => [row.cursorTime, row.id], answerOf });
      return sendPage(request, reply, { page, columns });
    },
  );
}
