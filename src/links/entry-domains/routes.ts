import { z } from 'zod';

import { DOMAIN_STATES } from '../../core/vocabulary.ts';
import { actorOf } from '../../access/principal.ts';
import { instant, isStorableText, problemResponses } from '../../http/fields.ts';
import type { Server } from '../../http/server.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import type { EntryDomains } from './entry-domains.ts';
import { listEntryDomains, replaceEntryDomains } from './queries.ts';

const MAX_DOMAINS = 50;

const host = z
  .string()
  .max(259)
  .regex(/^(?=.{1,253}(?::|$))[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d{1,5})?$/, {
    error: 'must be a host in lower case, with a port where it is not the usual one',
  });
const state = z.enum(DOMAIN_STATES).meta({
  description: 'healthy: links are shown on it; suspect, blocked: they are not, but are answered as before',
});
const note = z.string().max(500).refine(isStorableText, { error: 'must not contain NUL or broken characters' });

const body = z
  .strictObject({
    domains: z
      .array(z.strictObject({ host, state, note: note.exactOptional() }))
      .max(MAX_DOMAINS)
      .refine((domains) => new Set(domains.map((domain) => domain.host)).size === domains.length, {
        error: 'must not name a host twice',
      }),
  })
  .meta({
    examples: [
      {
        domains: [
          { host: 'go.example.com', state: 'healthy' },
          { host: 'dh.example.net', state: 'blocked', note: '2026-11-20 抖音内打不开' },
        ],
      },
    ],
  });
const answer = z.object({
  domains: z.array(z.object({ host: z.string(), state: z.enum(DOMAIN_STATES), note: z.string(), changedAt: instant })),
});

/** `/v1/entry-domains`: the hosts of short links. PUT replaces the whole list. */
export async function entryDomainRoutes(
  app: Server,
  { db, entryDomains }: { db: Db; entryDomains: EntryDomains },
): Promise<void> {
  const tags = ['Links'];
  app.get(
    '/v1/entry-domains',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'The hosts of short links, in the order in which they are shown',
        tags,
        response: { 200: answer, ...problemResponses },
      },
    },
    async () => ({ domains: await listEntryDomains(db) }),
  );
  app.put(
    '/v1/entry-domains',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Replace the hosts of short links; every process uses the new list within five seconds',
        description:
          'With at least one host configured, visitors of any other host but that of the public URL are refused (421).',
        tags,
        body,
        response: { 200: answer, ...problemResponses },
      },
    },
    async (request) => {
      const domains = request.body.domains.map((domain) => ({ ...domain, note: domain.note ?? '' }));
      await inTransaction(db, async (tx) => {
        const before = await replaceEntryDomains(tx, domains);
        const actor = actorOf(request.principal);
        const detail = { before, after: domains };
        await recordAudit(tx, { actor, action: 'entry_domains.replaced', objectId: 'entry_domains', detail });
      });
      await entryDomains.refresh();
      return { domains: await listEntryDomains(db) };
    },
  );
}
