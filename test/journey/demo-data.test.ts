/** What `daihuo start` puts into an empty private database, and finds again. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { DemoFacts } from '../../src/cli/banner.ts';
import { bannerText } from '../../src/cli/banner.ts';
import { prepareDemo, rememberAddress } from '../../src/cli/demo-data.ts';
import { type Api, createApi, listAll, sendInto } from '../../src/local/demo/api.ts';
import { readDemoKeys } from '../../src/local/demo/seed.ts';
import { SEED_INFLUENCERS, SEED_STORES } from '../../src/local/demo/seed-data.ts';
import { openProcessMetrics } from '../../src/cli/process-metrics.ts';
import { openApp } from '../../src/cli/serve.ts';
import type { Runtime } from '../../src/cli/runtime.ts';
import type { Server } from '../../src/http/server.ts';
import { readConfig } from '../../src/infra/config.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { createShutdown } from '../../src/infra/shutdown.ts';
import { createTestDatabase } from '../support/database.ts';
import { createTestRedis } from '../support/redis.ts';

interface Site {
  runtime: Runtime;
  app: Server;
  home: string;
  close(): Promise<void>;
}

const log = pino({ level: 'silent' });

async function openSite(): Promise<Site> {
  const [database, redis, home] = await Promise.all([
    createTestDatabase(),
    createTestRedis(),
    mkdtemp(path.join(os.tmpdir(), 'daihuo-seed-')),
  ]);
  const read = readConfig({ DAIHUO_HOME: home });
  if (!read.ok) throw new Error(read.problems.join(' '));
  const secret = Buffer.alloc(32, 5);
  const shutdown = createShutdown({ log });
  const runtime: Runtime = {
    config: read.config,
    log,
    shutdown,
    urls: { databaseUrl: database.url, redisUrl: redis.url },
    db: database.db,
    redis: redis.redis,
    secret,
    keys: deriveKeys(secret, undefined),
  };
  const app = await openApp(runtime, await openProcessMetrics(runtime), () => undefined);
  await app.ready();
  return {
    runtime,
    app,
    home,
    close: async () => {
      await app.close();
      await shutdown.run('the test is over');
      await redis.drop();
      await database.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** The application as a process sees it that is killed after so many answers: what it asked for next is done, but it never hears of it. */
function killedAfter(app: Server, answers: number): Server {
  let left = answers;
  const inject = async (options: InjectOptions) => {
    const answer = await app.inject(options);
    left -= 1;
    if (left < 0) throw new Error('killed');
    return answer;
  };
  return { inject } as unknown as Server;
}

async function countAll({ runtime }: Site): Promise<unknown> {
  const { rows } = await runtime.db.query(
    `select (select count(*) from brands) as brands, (select count(*) from stores) as stores,
       (select count(*) from products) as products, (select count(*) from influencers) as influencers,
       (select count(*) from links) as links`,
  );
  return rows[0];
}

const SEEDED = {
  brands: 1n,
  stores: BigInt(SEED_STORES.length),
  products: BigInt(SEED_STORES.flatMap(({ products }) => products).length),
  influencers: BigInt(SEED_INFLUENCERS.length),
  links: 6n,
};

function promotionOf(facts: DemoFacts | undefined): { influencerKey: string; linkCode: string } {
  if (facts?.promotion === undefined) throw new Error('there is no promotion');
  return facts.promotion;
}

async function prepared({ runtime, app }: Site): Promise<DemoFacts> {
  const facts = await prepareDemo(runtime, app);
  if (facts === undefined) throw new Error('no demo');
  return facts;
}

describe('the demo data', () => {
  let site: Site;
  let facts: DemoFacts;
  const connect = (key: string): Api => createApi(sendInto(site.app), key);
  beforeAll(async () => {
    site = await openSite();
    facts = await prepared(site);
  });
  afterAll(async () => {
    await site.close();
  });

  it('are a brand with eligible stores whose products are on offer, and a link that leads to the first of them', async () => {
    expect(await countAll(site)).toEqual(SEEDED);
    const { influencerKey, linkCode } = promotionOf(facts);
    const offers = await listAll(connect(influencerKey), '/v1/products', z.object({ title: z.string() }));
    expect(offers).toHaveLength(Number(SEEDED.products));
    const preview = await site.app.inject({ method: 'GET', url: `/${linkCode}/preview` });
    expect(preview.statusCode).toBe(200);
    expect(preview.payload).toContain('https://item.taobao.com/item.htm?id=600000000101');
  });

  it('are kept with keys that each open what their role may see, in a file only its owner can read', async () => {
    const file = path.join(site.home, 'demo-keys.json');
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600');
    const kept = await readDemoKeys(site.home);
    expect(kept?.keys.admin).toBe(facts.adminKey);
    const totals = '/v1/commissions/totals';
    const paths = { admin: '/v1/brands', influencer: '/v1/links', brand: '/v1/stores', finance: totals };
    for (const [role, where] of Object.entries(paths)) {
      const key = kept?.keys[role as keyof typeof paths] ?? '';
      const answer = await site.app.inject({ method: 'GET', url: where, headers: { authorization: `Bearer ${key}` } });
      expect([role, answer.statusCode]).toEqual([role, 200]);
    }
    expect(kept?.data?.stores.map(({ webhookSecret }) => webhookSecret.slice(0, 6))).toEqual(
      SEED_STORES.map(() => 'whsec_'),
    );
  });

  it('are the same at the next start: same keys, same link, nothing new', async () => {
    const before = await readFile(path.join(site.home, 'demo-keys.json'), 'utf8');
    expect(await prepared(site)).toEqual(facts);
    expect(await readFile(path.join(site.home, 'demo-keys.json'), 'utf8')).toBe(before);
    expect(await countAll(site)).toEqual(SEEDED);
  });

  it('keep the address of the server for the demo command, and show it with keys and link in the banner', async () => {
    await rememberAddress(site.runtime, 'http://127.0.0.1:3456');
    expect((await readDemoKeys(site.home))?.address).toBe('http://127.0.0.1:3456');
    const banner = bannerText({ address: 'http://127.0.0.1:3456', demo: facts });
    const { influencerKey, linkCode } = promotionOf(facts);
    for (const shown of [facts.adminKey, influencerKey, `http://127.0.0.1:3456/${linkCode}`, 'npm run demo']) {
      expect(banner).toContain(shown);
    }
  });

  it('get new keys when the file is lost, unreadable or of another database; the old link stays', async () => {
    const file = path.join(site.home, 'demo-keys.json');
    const strangers = JSON.stringify({ keys: { admin: `dh_admin_${'x'.repeat(43)}` } });
    for (const content of [undefined, '{"keys":', strangers]) {
      await (content === undefined ? rm(file) : writeFile(file, content));
      const renewed = await prepared(site);
      expect(renewed.adminKey).not.toBe(facts.adminKey);
      expect(promotionOf(renewed).linkCode).toBe(promotionOf(facts).linkCode);
      expect(await countAll(site)).toEqual(SEEDED);
      await expect(connect(renewed.adminKey).get('/v1/keys?limit=1', z.unknown())).resolves.toBeDefined();
    }
  });
});

describe('the demo data of a seeding that is killed', () => {
  it('are completed by the next start, wherever it was killed, without anything twice', async () => {
    const site = await openSite();
    try {
      let kills = 0;
      let facts: DemoFacts | undefined;
      while (facts === undefined && kills < 200) {
        facts = await prepareDemo(site.runtime, killedAfter(site.app, kills)).catch((error: unknown) => {
          if (error instanceof Error && error.message === 'killed') return undefined;
          throw error;
        });
        kills += facts === undefined ? 1 : 0;
      }
      expect(kills).toBeGreaterThan(10);
      expect(promotionOf(facts).linkCode).toMatch(/^[2-9a-z]{7}$/);
      expect(await countAll(site)).toEqual(SEEDED);
    } finally {
      await site.close();
    }
  });
});

describe('a private database in real use', () => {
  it('gets no demo data, only an admin key', async () => {
    const site = await openSite();
    try {
      const first = await prepareDemo(site.runtime, killedAfter(site.app, 0)).catch(() => undefined);
      expect(first).toBeUndefined();
      const admin = (await readDemoKeys(site.home))?.keys.admin ?? '';
      await createApi(sendInto(site.app), admin).post('/v1/brands', { name: '真品牌' }, z.unknown());
      const facts = await prepared(site);
      expect(facts).toEqual({ adminKey: admin });
      expect(await countAll(site)).toEqual({ brands: 1n, stores: 0n, products: 0n, influencers: 0n, links: 0n });
      expect(bannerText({ address: 'http://127.0.0.1:1', demo: facts })).toContain(admin);
    } finally {
      await site.close();
    }
  });
});
