/** A whole market on a real server and a database of its own: catalogue, links, hooks, orders and commissions, and the hands to drive it. */
import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { makeKey } from '../support/make-key.ts';
import { catalogRoutes } from '../../src/catalog/routes.ts';
import { commissionsRoutes } from '../../src/commissions/routes.ts';
import { ledgerRoutes } from '../../src/ledger/routes.ts';
import { createClickIdMint, createClickIdReader } from '../../src/core/clicks/click-id.ts';
import { DEFAULT_ELIGIBILITY_RULE } from '../../src/core/catalog/eligibility.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { oneDomain } from '../links/one-domain.ts';
import type { Server } from '../../src/http/server.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { linkRoutes } from '../../src/links/routes.ts';
import type { IntakeLimits } from '../../src/orders/intake/batch-messages.ts';
import { createHookMetrics } from '../../src/orders/intake/metrics.ts';
import { hookRoutes } from '../../src/orders/intake/routes.ts';
import { orderRoutes } from '../../src/orders/reading/routes.ts';
import type { RecordDeps } from '../../src/orders/intake/record-messages.ts';
import { type Caller, callerOf, productInput, storeInput } from '../catalog/catalog-server.ts';
import { ADMIN_KEY, PUBLIC_URL, createTestServer } from '../http/test-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import type { YouzanPush } from '../support/youzan-message.ts';

export const keys = deriveKeys(Buffer.alloc(32, 7));

export interface OrderServer {
  app: Server;
  test: TestDatabase;
  db: TestDatabase['db'];
  deps: RecordDeps;
  admin: Caller;
  finance: Caller;
  close(): Promise<void>;
}

export interface HookAnswer {
  status: number;
  retryAfter?: string | undefined;
  body: Record<string, unknown>;
}

export async function createOrderServer(
  options: { inferenceDelaySeconds?: number; limits?: Partial<IntakeLimits> } = {},
): Promise<OrderServer> {
  const test = await createTestDatabase({ max: 24 });
  const { db } = test;
  const now = (): Date => new Date();
  const deps: RecordDeps = {
    db,
    sealingKeys: keys.sealingKeys,
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: options.inferenceDelaySeconds ?? 600,
  };
  const { app } = await createTestServer(db, async (server) => {
    const eligibilityRule = DEFAULT_ELIGIBILITY_RULE;
    await catalogRoutes(server, { db, now, sealingKeys: keys.sealingKeys, eligibilityRule });
    await linkRoutes(server, {
      db,
      now,
      eligibilityRule,
      entryDomains: oneDomain(PUBLIC_URL),
    });
    await hookRoutes(server, {
      ...deps,
      now,
      metrics: createHookMetrics(createMetricsRegistry()),
      ...(options.limits !== undefined && { limits: options.limits }),
    });
    await orderRoutes(server, { db });
    await commissionsRoutes(server, { db, now });
    await ledgerRoutes(server, { db });
  });
  const { key } = await inTransaction(db, async (tx) => makeKey(tx, { role: 'finance', label: 'test', actor: 'test' }));
  return {
    app,
    test,
    db,
    deps,
    admin: callerOf(app, ADMIN_KEY),
    finance: callerOf(app, key),
    close: async () => {
      await app.close();
      await test.drop();
    },
  };
}

export interface Market {
  brandId: string;
  storeId: string;
  /** `whsec_…` of the store. */
  secret: string;
  productId: string;
  itemId: string;
  influencerId: string;
  linkId: string;
  linkNumber: number;
  code: string;
}

/** A brand, a store, one product at 15 % and an influencer with a link to it. */
export async function makeMarket(
  server: OrderServer,
  changes: { store?: Record<string, unknown>; product?: Record<string, unknown>; brand?: Record<string, unknown> } = {},
): Promise<Market> {
  const { admin } = server;
  const brand = await admin.post<{ id: string }>('/v1/brands', { name: '品牌', ...changes.brand });
  const store = await admin.post<{ id: string; webhookSecret: string }>('/v1/stores', {
    brandId: brand.body.id,
    ...storeInput(changes.store),
  });
  const itemId = String(600_000_000_000 + Number.parseInt(randomBytes(4).toString('hex'), 16));
  const url = changes.product?.['url'] ?? `https://item.taobao.com/item.htm?id=${itemId}`;
  const product = await admin.post<{ id: string }>(
    '/v1/products',
    productInput(store.body.id, { ...changes.product, url }),
  );
  const influencer = await admin.post<{ id: string }>('/v1/influencers', { name: '达人' });
  const link = await admin.post<{ id: string; code: string }>('/v1/links', {
    productId: product.body.id,
    influencerId: influencer.body.id,
  });
  // The market has stood for a day: orders of the last minutes come after its links, not before them.
  await server.db.query(
    "update status_changes set changed_at = changed_at - interval '1 day' where subject_id = any ($1)",
    [[link.body.id, product.body.id, influencer.body.id]],
  );
  const { rows } = await server.db.query<{ number: bigint }>('select number from links where id = $1', [link.body.id]);
  return {
    brandId: brand.body.id,
    storeId: store.body.id,
    secret: store.body.webhookSecret,
    productId: product.body.id,
    itemId,
    influencerId: influencer.body.id,
    linkId: link.body.id,
    linkNumber: Number(rows[0]?.number),
    code: link.body.code,
  };
}

const mint = createClickIdMint(keys.clickIdKeys[0] ?? { number: 0, key: Buffer.alloc(16) });

/** An authentic click id of the link, as the redirect would have handed out at that time. */
export function clickIdOf(market: Pick<Market, 'linkNumber'>, clickedAt: Date): string {
  return mint({ linkNumber: market.linkNumber, clickedAtMs: clickedAt.getTime(), random: randomBytes(8) });
}

/** Posts events as the brand's own shop does, signed by the standardwebhooks library. */
export async function postShop(
  server: Pick<OrderServer, 'app'>,
  market: Pick<Market, 'storeId' | 'secret'>,
  message: object | string,
  options: { id?: string; at?: Date; secret?: string; headers?: Record<string, string> } = {},
): Promise<HookAnswer> {
  const id = options.id ?? `msg_${randomBytes(8).toString('hex')}`;
  const at = options.at ?? new Date();
  const payload = typeof message === 'string' ? message : JSON.stringify(message);
  const answer = await server.app.inject({
    method: 'POST',
    url: `/hooks/shops/${market.storeId}`,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(options.secret ?? market.secret).sign(id, at, payload),
      ...options.headers,
    },
    payload,
  });
  const retryAfter = answer.headers['retry-after'];
  return {
    status: answer.statusCode,
    body: JSON.parse(answer.payload) as Record<string, unknown>,
    ...(retryAfter !== undefined && { retryAfter }),
  };
}

/** Posts a Youzan push as it stands. */
export async function postYouzan(
  server: Pick<OrderServer, 'app'>,
  push: { headers: Partial<YouzanPush['headers']>; rawBody: Buffer },
): Promise<HookAnswer> {
  const answer = await server.app.inject({
    method: 'POST',
    url: '/hooks/youzan',
    headers: push.headers,
    payload: push.rawBody,
  });
  return { status: answer.statusCode, body: JSON.parse(answer.payload) as Record<string, unknown> };
}

/** Every row of the tables a message may change, as text: equal before and after means that nothing changed. */
export async function moneyTables(db: OrderServer['db']): Promise<string> {
  const { rows } = await db.query<{ content: string }>(`
    select (select coalesce(jsonb_agg(to_jsonb(m) order by m.id), '[]') from inbox_messages m)::text
      || (select coalesce(jsonb_agg(to_jsonb(o) order by o.id), '[]') from orders o)::text
      || (select coalesce(jsonb_agg(to_jsonb(e) order by e.message_id, e.position), '[]') from order_events e)::text
      || (select coalesce(jsonb_agg(to_jsonb(l) order by l.id), '[]') from order_lines l)::text
      || (select coalesce(jsonb_agg(to_jsonb(a) order by a.line_id), '[]') from attributions a)::text
      || (select coalesce(jsonb_agg(to_jsonb(j) order by j.id), '[]') from journal_entries j)::text
      || (select coalesce(jsonb_agg(to_jsonb(e) order by e.entry_id, e.position), '[]') from postings e)::text as content`);
  return rows[0]?.content ?? '';
}
