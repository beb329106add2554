/** `daihuo redirect`: visitors only, and at work whatever is away. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Program } from '../support/child-program.ts';
import { createTestDatabase } from '../support/database.ts';
import { seedLink } from '../support/promotion.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { install, outcomeOf } from './daihuo-process.ts';
import type { Installation } from './daihuo-process.ts';
import { shortestMs, waitUntil } from '../support/timing.ts';

const TIMEOUT_MS = 240_000;
const DESKTOP = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) aweme_32.1.0' };

let installation: Installation;
let code: string;
let unknownToAll: string;

beforeAll(async () => {
  installation = await install();
  ({ code } = await seedLink(installation.database.db));
  unknownToAll = (await seedLink(installation.database.db)).code;
});
afterAll(async () => {
  await installation.remove();
});

interface Answer {
  status: number;
  type: string;
  headers: Headers;
  text: string;
}

async function ask(origin: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${origin}${path}`, { redirect: 'manual', headers: DESKTOP, ...init });
  const { status, headers } = response;
  return { status, headers, type: headers.get('content-type') ?? '', text: await response.text() };
}

/** Whether a visit is redirected with a click id. */
async function isTracked(origin: string, path: string): Promise<boolean> {
  const { status, headers } = await ask(origin, path);
  expect(status).toBe(302);
  return new URL(headers.get('location') ?? '').searchParams.has('dh_click');
}

interface Readiness {
  status: number;
  body: { status: string; checks: Record<string, string> };
}

async function readiness(origin: string): Promise<Readiness> {
  const { status, text } = await ask(origin, '/readyz');
  return { status, body: JSON.parse(text) as Readiness['body'] };
}

async function originOf(program: Program): Promise<string> {
  return (await program.line(/^daihuo ready on /)).split(' ').at(-1) ?? '';
}

describe('what it answers', () => {
  it(
    'links, their pictures and preview, health and metrics; the rest is unknown: JSON for programs, a page for people',
    async () => {
      const program = installation.run(['redirect']);
      const origin = await originOf(program);
      await waitUntil(async () => expect(await isTracked(origin, `/${code}/v12`)).toBe(true));
      for (const path of ['/', `/${code}/qr.svg`, `/${code}/qr.png`, `/${code}/preview`, '/healthz', '/readyz'])
        expect([path, (await ask(origin, path)).status]).toEqual([path, 200]);
      const admin = { authorization: `Bearer ${installation.adminKey}` };
      expect((await ask(origin, '/metrics', { headers: admin })).text).toContain(
        'redirects_total{outcome="tracked"} 1\n',
      );
      expect((await ask(origin, '/metrics')).status).toBe(401);

      for (const path of [
        '/v1/brands',
        '/v1/links',
        '/v1/keys',
        '/hooks/youzan',
        '/hooks/shops/str_x',
        '/openapi.json',
      ]) {
        for (const method of ['GET', 'POST']) {
          const { status, type, text } = await ask(origin, path, { method, headers: admin });
          expect([method, path, status, type]).toEqual([method, path, 404, 'application/problem+json; charset=utf-8']);
          expect(JSON.parse(text)).toMatchObject({ code: 'not_found' });
        }
      }
      const unknown = await ask(origin, '/a2zzzzz');
      // The box holds what was asked for; everything else is alike.
      const withoutBox = (page: string): string => page.replace(/ value="[a-z0-9-]{0,32}"/, '');
      for (const path of ['/docs', '/docs/', '/docs/json', '/problems/not-found']) {
        const { status, text } = await ask(origin, path);
        expect([path, status, withoutBox(text)]).toEqual([path, 404, withoutBox(unknown.text)]);
      }
      program.child.kill('SIGINT');
      expect(await program.ended).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'shares its port among processes like serve',
    async () => {
      const program = installation.run(['redirect', '--workers', '2']);
      const origin = await originOf(program);
      expect((await ask(origin, `/${code}`)).status).toBe(302);
      expect((await ask(origin, '/v1/brands')).status).toBe(404);
      program.child.kill('SIGINT');
      expect(await program.ended).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('with things away', () => {
  let postgres: TcpProxy;
  let redis: TcpProxy;

  beforeEach(async () => {
    [postgres, redis] = await Promise.all([
      createTcpProxy(installation.database.url),
      createTcpProxy(installation.redis.url),
    ]);
  });
  afterEach(async () => {
    await Promise.all([postgres.cut(), redis.cut()]);
  });

  function start(): Program {
    return installation.run(['redirect'], { DATABASE_URL: postgres.url, REDIS_URL: redis.url });
  }

  async function stop(program: Program): Promise<void> {
    program.child.kill('SIGINT');
    expect(await program.ended).toBe(0);
  }

  it(
    'started with everything down it says so and shows visitors a page with Retry-After, and recovers by itself',
    async () => {
      await Promise.all([postgres.cut(), redis.cut()]);
      const program = start();
      const origin = await originOf(program);
      const down = await ask(origin, `/${code}`);
      expect([down.status, down.headers.get('retry-after'), down.type]).toEqual([503, '5', 'text/html; charset=utf-8']);
      expect((await ask(origin, '/healthz')).status).toBe(200);
      expect(await readiness(origin)).toEqual({
        status: 503,
        body: { status: 'unavailable', checks: { migrations: 'failed', postgres: 'failed', redis: 'failed' } },
      });

      await postgres.heal();
      await waitUntil(async () => expect((await readiness(origin)).status).toBe(200));
      expect((await readiness(origin)).body.status).toBe('degraded');
      await waitUntil(async () => expect((await ask(origin, `/${code}`)).status).toBe(302));

      await redis.heal();
      await waitUntil(async () => expect((await readiness(origin)).body.status).toBe('ready'));
      await waitUntil(async () => expect(await isTracked(origin, `/${code}`)).toBe(true));
      await stop(program);
    },
    TIMEOUT_MS,
  );

  it(
    'once it has seen Postgres it stays in the balancer, with Postgres, Redis or both away',
    async () => {
      const program = start();
      const origin = await originOf(program);
      await waitUntil(async () => expect((await ask(origin, `/${code}`)).status).toBe(302));
      expect((await readiness(origin)).body.status).toBe('ready');
      await redis.cut();
      await waitUntil(async () => expect((await readiness(origin)).body.checks['redis']).toBe('failed'));
      expect(await readiness(origin)).toMatchObject({ status: 200, body: { status: 'degraded' } });
      expect((await ask(origin, `/${code}`)).status).toBe(302);
      await postgres.cut();
      await waitUntil(async () => expect((await readiness(origin)).body.checks['postgres']).toBe('failed'));
      expect(await readiness(origin)).toMatchObject({ status: 200, body: { status: 'degraded' } });
      // What it knows goes on; of what it never heard of, nobody can tell.
      expect((await ask(origin, `/${code}`)).status).toBe(302);
      expect((await ask(origin, `/${unknownToAll}`)).status).toBe(503);
      await stop(program);
    },
    TIMEOUT_MS,
  );

  it(
    'a Postgres that takes connections and never answers keeps it neither from starting nor from stopping',
    async () => {
      // Not one that Redis still knows of another test.
      const { code: fresh } = await seedLink(installation.database.db);
      await postgres.set({ kind: 'dark' });
      const startedAtMs = performance.now();
      const program = start();
      const origin = await originOf(program);
      expect(performance.now() - startedAtMs).toBeLessThan(60_000);
      const answeredMs = await shortestMs(async () => expect((await ask(origin, `/${fresh}`)).status).toBe(503), 3);
      expect(answeredMs).toBeLessThan(3_000);
      const stoppedAtMs = performance.now();
      program.child.kill('SIGTERM');
      await program.ended;
      // Usually 4.2 s. A stop that waits for Postgres is cut off after 9.5 s.
      expect(performance.now() - stoppedAtMs).toBeLessThan(9_000);
    },
    TIMEOUT_MS,
  );

  it('a schema that is too old, or a password that is wrong, is a refusal as for serve', async () => {
    const empty = await createTestDatabase({ isEmpty: true });
    try {
      const old = await outcomeOf(installation.run(['redirect'], { DATABASE_URL: empty.url }));
      expect([old.code, old.stdout]).toEqual([1, '']);
      expect(old.stderr).toMatch(/^The database lacks graphile_worker 20, 0001_[^\n]* Run 'daihuo migrate' first\.\n$/);
      const url = new URL(installation.database.url);
      url.pathname = '/no_such_database';
      const absent = await outcomeOf(installation.run(['redirect'], { DATABASE_URL: url.href }));
      expect([absent.code, absent.stdout]).toEqual([1, '']);
      expect(absent.stderr).toMatch(/^Postgres at [^ ]*\/no_such_database cannot be used: /);
    } finally {
      await empty.drop();
    }
  });
});
