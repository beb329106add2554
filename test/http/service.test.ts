import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { guardApi } from '../../src/access/guard-api.ts';
import { accessRoutes } from '../../src/access/routes.ts';
import { createServer } from '../../src/http/create-server.ts';
import { docsRoutes } from '../../src/http/docs.ts';
import { healthRoutes, migrationsCheck, postgresCheck, redisCheck } from '../../src/http/health.ts';
import { createMetricsRegistry, createMetricsServer, metricsRoutes } from '../../src/http/metrics.ts';
import { problemCatalogue, problemPages } from '../../src/http/problem-catalogue.ts';
import { createDb } from '../../src/infra/db.ts';
import { pendingMigrations } from '../../src/infra/migrate.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { asAdmin, bearer, createTestServer } from './test-server.ts';
import type { TestServer } from './test-server.ts';

let database: TestDatabase;
let server: TestServer;
let isDraining = false;
let redis: () => Promise<unknown> = async () => 'PONG';
let migrations = async (): Promise<string[]> => pendingMigrations(database.db);
const metrics = createMetricsRegistry();

/** The page reads the document; a test reads this much of it. */
interface OpenApi {
  openapi: string;
  paths: Record<
    string,
    Record<
      string,
      {
        security: unknown;
        description: string;
        requestBody: unknown;
        responses: Record<string, { content: Record<string, { schema: unknown }> }>;
      }
    >
  >;
}

beforeAll(async () => {
  database = await createTestDatabase();
  server = await createTestServer(
    database.db,
    async (app) => {
      await healthRoutes(app, {
        isDraining: () => isDraining,
        checkTimeoutMs: 2_000,
        needed: {
          postgres: postgresCheck(database.db),
          migrations: migrationsCheck(async () => migrations()),
        },
        spare: { redis: redisCheck({ ping: async () => redis() }) },
      });
      await metricsRoutes(app, { metrics });
      await problemPages(app);
    },
    { metrics },
  );
});

afterAll(async () => {
  await server.app.close();
  await database.drop();
});

/** Checks are reused for a second; a test that changes something waits it out. */
async function readyzAnew() {
  await new Promise((resolve) => void setTimeout(resolve, 1050));
  return server.app.inject({ url: '/readyz' });
}

describe('health', () => {
  it('the process answers without asking anybody', async () => {
    const answer = await server.app.inject({ url: '/healthz' });
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('ready when Postgres, Redis and the migrations are; 503 while draining', async () => {
    const ready = await server.app.inject({ url: '/readyz' });
    expect([ready.statusCode, ready.json()]).toEqual([
      200,
      { status: 'ready', checks: { postgres: 'ok', migrations: 'ok', redis: 'ok' } },
    ]);
    isDraining = true;
    migrations = async () => Promise.reject(new Error('nobody asks'));
    const draining = await server.app.inject({ url: '/readyz' });
    expect([draining.statusCode, draining.json()]).toEqual([503, { status: 'draining', checks: {} }]);
    migrations = async () => pendingMigrations(database.db);
    isDraining = false;
  });

  it('not ready when something needed fails or does not answer in time, and says nothing of why', async () => {
    migrations = async () => Promise.reject(new Error('postgres://user:password@host refused'));
    const failed = await readyzAnew();
    expect([failed.statusCode, failed.json()]).toEqual([
      503,
      { status: 'unavailable', checks: { postgres: 'ok', migrations: 'failed', redis: 'ok' } },
    ]);
    const hang = Promise.withResolvers<string[]>();
    migrations = async () => hang.promise;
    expect((await readyzAnew()).statusCode).toBe(503);
    hang.resolve([]);
    migrations = async () => [];
  });

  it('ready though degraded when something it can spare fails: a shared outage must not empty the balancer', async () => {
    redis = async () => Promise.reject(new Error('redis://user:password@host refused'));
    const failed = await readyzAnew();
    expect([failed.statusCode, failed.json()]).toEqual([
      200,
      { status: 'degraded', checks: { postgres: 'ok', migrations: 'ok', redis: 'failed' } },
    ]);
    redis = async () => 'PONG';
  });

  it('not ready while migrations are missing', async () => {
    const missing = migrationsCheck(async () => ['0009_next.sql']);
    await expect(missing()).rejects.toThrow('0009_next.sql');
  });

  it('a check that hangs is not begun again by every probe', async () => {
    let asked = 0;
    const hang = Promise.withResolvers<string[]>();
    migrations = async () => {
      asked += 1;
      return hang.promise;
    };
    for (let probe = 0; probe < 3; probe += 1) expect((await readyzAnew()).statusCode).toBe(503);
    expect(asked).toBe(1);
    hang.resolve([]);
    expect((await readyzAnew()).statusCode).toBe(200);
  });

  it('a hundred probes at once ask Redis once', async () => {
    let asked = 0;
    redis = async () => (asked += 1);
    await readyzAnew();
    await Promise.all(Array.from({ length: 100 }, async () => server.app.inject({ url: '/readyz' })));
    expect(asked).toBe(1);
  });
});

describe('metrics', () => {
  it('are for admins, in OpenMetrics, by route pattern', async () => {
    await server.app.inject({ method: 'DELETE', url: '/v1/keys/key_neverlabelled', headers: asAdmin });
    const answer = await server.app.inject({ url: '/metrics', headers: asAdmin });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(answer.body).toContain(
      'http_request_duration_seconds_count{method="DELETE",route="/v1/keys/:id",status="404"} 1',
    );
    expect(answer.body).not.toContain('neverlabelled');
    expect(answer.body.trimEnd().endsWith('# EOF')).toBe(true);
    expect((await server.app.inject({ url: '/metrics' })).json()).toMatchObject({ code: 'unauthorized' });
    const created = await server.app.inject({
      method: 'POST',
      url: '/v1/keys',
      headers: asAdmin,
      payload: { role: 'finance', label: 'f' },
    });
    const asFinance = bearer(created.json<{ key: string }>().key);
    expect((await server.app.inject({ url: '/metrics', headers: asFinance })).statusCode).toBe(403);
  });

  it('are open on a server of their own', async () => {
    const own = createMetricsServer({ metrics, log: server.app.log });
    expect((await own.inject({ url: '/metrics' })).statusCode).toBe(200);
    expect((await own.inject({ url: '/v1/keys' })).statusCode).toBe(404);
    await own.close();
  });
});

describe('problem pages', () => {
  it.each(Object.keys(problemCatalogue))('%s has a page behind its type', async (code) => {
    const page = await server.app.inject({ url: `/problems/${code.replaceAll('_', '-')}` });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.body).toContain(code);
  });

  it('another has not, also not the names every object has', async () => {
    for (const slug of ['nothing', 'constructor', '__proto__', 'toString']) {
      expect((await server.app.inject({ url: `/problems/${slug}` })).statusCode).toBe(404);
    }
  });
});

describe('the documentation', () => {
  let documented: TestServer;
  const db = createDb({ url: 'postgres://127.0.0.1:1/none', applicationName: 'test', onError: () => {} });

  beforeAll(async () => {
    // Routes are registered by createTestServer before `register` runs, so the documentation goes first by hand.
    const app = await createServer({
      log: server.app.log,
      publicUrl: () => 'http://daihuo.test',
      guard: (guarded) => guardApi(guarded, { db }),
    });
    await docsRoutes(app, { version: '1.2.3' });
    await accessRoutes(app, { db, now: () => new Date() });
    await app.ready();
    documented = { app, logText: () => '' };
  });
  afterAll(async () => {
    await documented.app.close();
    await db.end();
  });

  it('is OpenAPI 3.1 with the JSON side of every field', async () => {
    const answer = await documented.app.inject({ url: '/openapi.json' });
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    const document = answer.json<OpenApi>();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(['/v1/keys', '/v1/keys/{id}']);
    const create = document.paths['/v1/keys']?.['post'];
    expect(create?.security).toEqual([{ apiKey: [] }]);
    expect(create?.description).toBe('Callers: admin.');
    expect(create?.requestBody).toMatchObject({
      required: true,
      content: {
        'application/json': {
          schema: {
            required: ['role', 'label'],
            additionalProperties: false,
            properties: { expiresAt: { type: 'string', format: 'date-time' } },
          },
        },
      },
    });
    expect(create?.responses['201']?.content['application/json']?.schema).toMatchObject({
      properties: { createdAt: { type: 'string', format: 'date-time' }, key: { type: 'string' } },
    });
    expect(Object.keys(create?.responses ?? {})).toEqual(['201', '4XX', '5XX']);
    expect(create?.responses['4XX']?.content).toHaveProperty('application/problem+json');
  });

  it('is a page that loads nothing from elsewhere', async () => {
    const page = await documented.app.inject({ url: '/docs' });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-security-policy']).toContain("script-src 'self';");
    const parts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(parts.length).toBeGreaterThan(4);
    for (const part of parts) {
      expect(part).toMatch(/^\/docs\/static\//);
      expect((await documented.app.inject({ url: part })).statusCode).toBe(200);
    }
    // No script stands in the page itself: the policy would not run it.
    expect(page.body).not.toMatch(/<script>/);
  });
});
