import { z } from 'zod';

import { instant, prefixedId, problemResponses, text } from '../http/fields.ts';
import { cursorTime, decodeCursor, jsonOrCsv, listOf, pageQuery, pageOf, sendPage } from '../http/list.ts';
import type { CsvColumn } from '../http/list.ts';
import { problems } from '../http/problem.ts';
import type { Problem } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db } from '../infra/db.ts';
import { createKey, revokeKey } from './keys.ts';
import type { KeyCreation } from './keys.ts';
import { actorOf, ROLES } from './principal.ts';
import { listKeys } from './queries.ts';
import type { KeyRow } from './queries.ts';

export interface AccessDeps {
  db: Db;
  now: () => Date;
}

const keyBody = z
  .strictObject({
    role: z.enum(ROLES),
    brandId: prefixedId('brd').optional(),
    influencerId: prefixedId('inf').optional(),
    label: text(100),
    expiresAt: instant.optional(),
  })
  .meta({ examples: [{ role: 'influencer', influencerId: 'inf_4k7q2m8x9a3b5c6d', label: '小美的手机' }] });

const keyAnswer = z.object({
  id: z.string(),
  role: z.enum(ROLES),
  brandId: z.string().optional(),
  influencerId: z.string().optional(),
  label: z.string(),
  prefix: z.string().meta({ description: 'the first 8 characters after dh_<role>_' }),
  expiresAt: instant.optional(),
  revokedAt: instant.optional(),
  createdAt: instant,
});

const newKeyAnswer = keyAnswer.extend({ key: z.string().meta({ description: 'shown once' }) });

function toAnswer(row: KeyRow): z.output<typeof keyAnswer> {
  return {
    id: row.id,
    role: row.role,
    brandId: row.brandId ?? undefined,
    influencerId: row.influencerId ?? undefined,
    label: row.label,
    prefix: row.prefix,
    expiresAt: row.expiresAt ?? undefined,
    revokedAt: row.revokedAt ?? undefined,
    createdAt: row.createdAt,
  };
}

function refusalProblem(refusal: KeyCreation & { ok: false }): Problem {
  if (refusal.reason === 'subject_does_not_fit') return problems.validationFailed(refusal.faults);
  return problems.validationFailed([{ path: refusal.path, message: 'there is no such object' }]);
}

const columns = (
  ['id', 'role', 'brandId', 'influencerId', 'label', 'prefix', 'expiresAt', 'revokedAt', 'createdAt'] as const
).map((name): CsvColumn<z.output<typeof keyAnswer>> => ({ name, value: (key) => key[name] }));

/** `/v1/keys`: admins create, list and revoke API keys. */
export async function accessRoutes(app: Server, deps: AccessDeps): Promise<void> {
  const { db } = deps;

  app.route({
    method: 'POST',
    url: '/v1/keys',
    config: { roles: ['admin'], secretFields: ['key'] },
    schema: {
      summary: 'Create an API key; its text is shown this once',
      tags: ['Access'],
      body: keyBody,
      response: { 201: newKeyAnswer, ...problemResponses },
    },
    handler: async (request, reply) => {
      const { expiresAt } = request.body;
      if (expiresAt !== undefined && expiresAt <= deps.now()) {
        throw problems.validationFailed([{ path: 'expiresAt', message: 'must be in the future' }]);
      }
      const actor = actorOf(request.principal);
      const created = await inTransaction(db, (tx) => createKey(tx, { ...request.body, actor }));
      if (!created.ok) throw refusalProblem(created);
      return reply.code(201).send({ ...toAnswer(created.row), key: created.key });
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/keys',
    config: { roles: ['admin'] },
    schema: {
      summary: 'List API keys, newest first',
      tags: ['Access'],
      querystring: z.strictObject(pageQuery),
      response: { 200: jsonOrCsv(listOf(keyAnswer)), ...problemResponses },
    },
    handler: async (request, reply) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.tuple([cursorTime, prefixedId('key')]));
      const rows = await listKeys(db, { after, limit: limit + 1 });
      const page = pageOf(rows, { limit, keyOf: (row) => [row.cursorTime, row.id], answerOf: toAnswer });
      return sendPage(request, reply, { page, columns });
    },
  });

  app.route({
    method: 'DELETE',
    url: '/v1/keys/:id',
    config: { roles: ['admin'] },
    schema: {
      summary: 'Revoke an API key; it fails at its next use',
      tags: ['Access'],
      params: z.strictObject({ id: prefixedId('key') }),
      response: { 204: z.undefined().describe('Revoked'), ...problemResponses },
    },
    handler: async (request, reply) => {
      const outcome = await revokeKey(db, { id: request.params.id, actor: actorOf(request.principal) });
      if (outcome === 'unknown_key') throw problems.notFound();
      return reply.code(204).send();
    },
  });
}
