import { makeKey } from '../support/make-key.ts';
import { catalogRoutes } from '../../src/catalog/routes.ts';
import { addDays, shanghaiDay } from '../../src/core/calendar.ts';
import { DEFAULT_ELIGIBILITY_RULE } from '../../src/core/catalog/eligibility.ts';
import { linkPageRoutes } from '../../src/visits/link-pages.ts';
import { NO_UNKNOWN_CODE_LIMIT } from '../../src/visits/unknown-code-limit.ts';
import type { Server } from '../../src/http/server.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { pino } from 'pino';
import { createEntryDomains } from '../../src/links/entry-domains/entry-domains.ts';
import { linkRoutes } from '../../src/links/routes.ts';
import { ADMIN_KEY, PUBLIC_URL, bearer, createTestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

export interface Answer<Body = Record<string, unknown>> {
  statusCode: number;
  headers: Record<string, unknown>;
  text: string;
  body: Body;
}

/** One caller of the API. The type of the answer is what the test expects; a wrong expectation fails on its values. */
export interface Caller {
  get<Body = Record<string, unknown>>(url: string, headers?: Record<string, string>): Promise<Answer<Body>>;
  post<Body = Record<string, unknown>>(
    url: string,
    body: object,
    headers?: Record<string, string>,
  ): Promise<Answer<Body>>;
  patch<Body = Record<string, unknown>>(url: string, body: object): Promise<Answer<Body>>;
  put<Body = Record<string, unknown>>(url: string, body: object): Promise<Answer<Body>>;
}

export interface CatalogServer {
  app: Server;
  test: TestDatabase;
  db: TestDatabase['db'];
  admin: Caller;
  asBrand(brandId: string): Promise<Caller>;
  asInfluencer(influencerId: string): Promise<Caller>;
  /** What the next generated link codes are; then random ones again. */
  nextCodes: string[];
  close(): Promise<void>;
}

export const sealingKeys = deriveKeys(Buffer.alloc(32, 7)).sealingKeys;
export { PUBLIC_URL };

/** The catalogue and link routes on a real server and a database of their own. */
export async function createCatalogServer(): Promise<CatalogServer> {
  const test = await createTestDatabase({ max: 24 });
  const { db } = test;
  const nextCodes: string[] = [];
  const now = (): Date => new Date();
  const entryDomains = createEntryDomains({ db, publicUrl: () => PUBLIC_URL, log: pino({ level: 'silent' }) });
  const { app } = await createTestServer(db, async (server) => {
    await catalogRoutes(server, { db, now, sealingKeys, eligibilityRule: DEFAULT_ELIGIBILITY_RULE });
    await linkRoutes(server, {
      db,
      now,
      eligibilityRule: DEFAULT_ELIGIBILITY_RULE,
      entryDomains,
      newCode: () => nextCodes.shift() ?? randomCode(),
    });
    await linkPageRoutes(server, { db, entryDomains, unknownCodeLimit: NO_UNKNOWN_CODE_LIMIT });
  });
  const keyFor = async (subject: Parameters<typeof makeKey>[1]): Promise<Caller> => {
    const { key } = await inTransaction(db, async (tx) => makeKey(tx, subject));
    return callerOf(app, key);
  };
  return {
    app,
    test,
    db,
    nextCodes,
    admin: callerOf(app, ADMIN_KEY),
    asBrand: async (brandId) => keyFor({ role: 'brand', brandId, label: 'test', actor: 'test' }),
    asInfluencer: async (influencerId) => keyFor({ role: 'influencer', influencerId, label: 'test', actor: 'test' }),
    close: async () => {
      await app.close();
      await entryDomains.stop();
      await test.drop();
    },
  };
}

export function callerOf(app: Server, key: string): Caller {
  const call = async <Body>(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT',
    url: string,
    { body, headers }: { body?: object; headers?: Record<string, string> | undefined },
  ): Promise<Answer<Body>> => {
    const request = { method, url, headers: { ...bearer(key), ...headers } };
    const {
      statusCode,
      headers: sent,
      payload,
    } = await app.inject(body === undefined ? request : { ...request, payload: body });
    const isJson = String(sent['content-type']).includes('json');
    return { statusCode, headers: sent, text: payload, body: (isJson ? JSON.parse(payload) : undefined) as Body };
  };
  return {
    get: async (url, headers) => call('GET', url, { headers }),
    post: async (url, body, headers) => call('POST', url, { body, headers }),
    patch: async (url, body) => call('PATCH', url, { body }),
    put: async (url, body) => call('PUT', url, { body }),
  };
}

function randomCode(): string {
  const alphabet = '23456789abcdefghjkmnpqrstvwxyz';
  const tail = Array.from({ length: 5 }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join('');
  return `k7${tail}`;
}

/** How many answers have each status. */
export function tally(answers: readonly { statusCode: number }[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { statusCode } of answers) counts[statusCode] = (counts[statusCode] ?? 0) + 1;
  return counts;
}

/** The Shanghai day `days` before today. */
export function daysAgo(days: number): string {
  return shanghaiDay(addDays(new Date(), -days));
}

let shopNumber = 0;

/** A store that is eligible, of a shop nobody else has. */
export function storeInput(changes: Record<string, unknown> = {}): Record<string, unknown> {
  shopNumber += 1;
  return {
    platform: 'taobao',
    externalShopId: `shop-${shopNumber}`,
    name: '测试店铺',
    rating: { score: 4.8, scale: 5 },
    openedOn: '2020-03-01',
    ...changes,
  };
}

let itemNumber = 600_000_000_000;

/** A product of a Taobao store, of an item nobody else has: 199.00 yuan at 15 %. */
export function productInput(storeId: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  itemNumber += 1;
  return {
    storeId,
    title: '手冲咖啡壶',
    url: `https://item.taobao.com/item.htm?id=${itemNumber}`,
    priceFen: 19_900,
    commission: { rateBp: 1500 },
    ...changes,
  };
}

export interface Made {
  id: string;
}

export async function makeBrand(
  server: CatalogServer,
  changes: Record<string, unknown> = {},
): Promise<{ id: string; caller: Caller }> {
  const { body } = await server.admin.post<Made>('/v1/brands', { name: '品牌', ...changes });
  return { id: body.id, caller: await server.asBrand(body.id) };
}

export async function makeInfluencer(
  server: CatalogServer,
  changes: Record<string, unknown> = {},
): Promise<{ id: string; caller: Caller }> {
  const { body } = await server.admin.post<Made>('/v1/influencers', { name: '达人', ...changes });
  return { id: body.id, caller: await server.asInfluencer(body.id) };
}

/** A brand with a store and a product that can be promoted. */
export async function makeOffer(
  server: CatalogServer,
  changes: { store?: Record<string, unknown>; product?: Record<string, unknown> } = {},
): Promise<{ brand: { id: string; caller: Caller }; storeId: string; productId: string }> {
  const brand = await makeBrand(server);
  const store = await brand.caller.post<Made>('/v1/stores', storeInput(changes.store));
  const product = await brand.caller.post<Made>('/v1/products', productInput(store.body.id, changes.product));
  return { brand, storeId: store.body.id, productId: product.body.id };
}
