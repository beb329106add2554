import { z } from 'zod';
import { instant, prefixedId, problemResponses, text } from '../../http/fields.ts';
import { actorOf } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { jsonOrCsv, listOf, pageQuery, pageOf, readIdCursor, sendPage } from '../../http/list.ts';
import type { CsvColumn } from '../../http/list.ts';
import { newId } from '../../http/new-id.ts';
import type { Server } from '../../http/server.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { insertPayee, listPayees } from './queries.ts';
import type { PayeeRow } from './queries.ts';

const kind = z.enum(['influencer', 'agency', 'operator']);

const payeeAnswer = z.object({ id: prefixedId('pye'), kind, name: z.string(), createdAt: instant });

const columns: CsvColumn<PayeeRow>[] = [
  { name: 'id', value: (payee) => payee.id },
  { name: 'kind', value: (payee) => payee.kind },
  { name: 'name', value: (payee) => payee.name },
  { name: 'createdAt', value: (payee) => payee.createdAt },
];

const tags = ['Catalogue'];

/** `/v1/payees`: the receivers of commissions. Agencies (MCN) are registered here; an influencer's payee is made with the influencer. */
export async function payeeRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  app.post(
    '/v1/payees',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Register an agency as a payee',
        tags,
        body: z.strictObject({ name: text(200) }).meta({ examples: [{ name: '星光传媒' }] }),
        response: { 201: payeeAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { name } = request.body;
      const payee = await inTransaction(db, async (tx) => {
        const inserted = await insertPayee(tx, { id: newId('pye'), kind: 'agency', name });
        const { id: objectId, kind } = inserted;
        const actor = actorOf(request.principal);
        await recordAudit(tx, { actor, action: 'payee.registered', objectId, detail: { kind, name } });
        return inserted;
      });
      return reply.code(201).send(payee);
    },
  );

  app.get(
    '/v1/payees',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'List payees',
        tags,
        querystring: z.strictObject({ ...pageQuery, kind: kind.exactOptional() }),
        response: { 200: jsonOrCsv(listOf(payeeAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor, kind } = request.query;
      const rows = await listPayees(db, { kind, afterId: readIdCursor(cursor), limit: limit + 1 });
      const page = pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf: (row) => row });
      return sendPage(request, reply, { page, columns });
    },
  );
}
