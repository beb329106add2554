import http from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { PUBLIC_URL, createCatalogServer, makeInfluencer, makeOffer } from '../catalog/catalog-server.ts';
import type { CatalogServer } from '../catalog/catalog-server.ts';
import { createClickServer, PHONE } from '../clicks/click-server.ts';
import type { ClickServer } from '../clicks/click-server.ts';
import { asAdmin } from '../http/test-server.ts';
import { seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

let server: CatalogServer;
let streams: TestRedis;
let clicks: ClickServer;

beforeAll(async () => {
  [server, streams] = await Promise.all([createCatalogServer(), createTestRedis()]);
  clicks = await createClickServer({ test: server.test, redisUrl: streams.url });
});
afterAll(async () => {
  await clicks.close();
  await streams.drop();
  await server.close();
});
beforeEach(async () => {
  await put([]);
});

interface Domains {
  code?: string;
  domains: { host: string; state: string; note: string; changedAt: string }[];
}

async function put(domains: unknown[]): Promise<{ statusCode: number; body: Domains }> {
  const request = { method: 'PUT', url: '/v1/entry-domains', headers: asAdmin, payload: { domains } } as const;
  const { statusCode, payload } = await server.app.inject(request);
  await clicks.entryDomains.refresh();
  return { statusCode, body: JSON.parse(payload) as Domains };
}

const HEALTHY = { host: 'go.example.com', state: 'healthy' };
const SECOND = { host: 'dh.example.net:8443', state: 'healthy' };
const BLOCKED = { host: 'old.example.org', state: 'blocked', note: '抖音内打不开' };

describe('the list of hosts', () => {
  it('is replaced whole, keeps its order, and the time of a change only where there was one', async () => {
    const first = await put([BLOCKED, HEALTHY]);
    expect([first.statusCode, first.body.domains.map(({ host }) => host)]).toEqual([200, [BLOCKED.host, HEALTHY.host]]);
    const second = await put([HEALTHY, { ...BLOCKED, state: 'suspect' }]);
    expect(second.body.domains.map(({ host, state }) => [host, state])).toEqual([
      [HEALTHY.host, 'healthy'],
      [BLOCKED.host, 'suspect'],
    ]);
    expect(second.body.domains[0]?.changedAt).toBe(first.body.domains[1]?.changedAt);
    expect(second.body.domains[1]?.changedAt).not.toBe(first.body.domains[0]?.changedAt);
    expect((await server.admin.get<Domains>('/v1/entry-domains')).body).toEqual(second.body);
    expect((await put([])).body.domains).toEqual([]);
  });

  it.each([
    [[{ host: 'Go.example.com', state: 'healthy' }]],
    [[{ host: 'https://go.example.com', state: 'healthy' }]],
    [[{ host: 'go.example.com/path', state: 'healthy' }]],
    [[{ host: 'user@go.example.com', state: 'healthy' }]],
    [[{ host: 'go..example.com', state: 'healthy' }]],
    [[{ host: '', state: 'healthy' }]],
    [[{ host: 'go.example.com', state: 'fine' }]],
    [[HEALTHY, HEALTHY]],
    [[{ ...HEALTHY, url: 'x' }]],
  ])('%j is refused and changes nothing', async (domains) => {
    await put([SECOND]);
    const { statusCode, body } = await put(domains);
    expect([statusCode, body.code]).toEqual([400, 'validation_failed']);
    expect((await server.admin.get<Domains>('/v1/entry-domains')).body.domains).toHaveLength(1);
  });

  it('decides where links are shown: on the first healthy host, and on all of them', async () => {
    const { caller } = await makeInfluencer(server);
    const { productId } = await makeOffer(server);
    const { body: link } = await caller.post<{ code: string }>('/v1/links', { productId });
    interface Shown {
      url: string;
      urls: string[];
      kit: { shortLine: string };
    }
    const shown = async (): Promise<Shown> => (await caller.get<Shown>(`/v1/links/${link.code}`)).body;
    expect((await shown()).urls).toEqual([`${PUBLIC_URL}/${link.code}`]);
    await put([BLOCKED, HEALTHY, SECOND]);
    const { url, urls, kit } = await shown();
    expect(url).toBe(`http://go.example.com/${link.code}`);
    expect(urls).toEqual([url, `http://dh.example.net:8443/${link.code}`]);
    expect(kit.shortLine).toBe(`go.example.com/${link.code}`);
    await put([BLOCKED]);
    expect((await shown()).url).toBe(`${PUBLIC_URL}/${link.code}`);
  });
});

describe('the Host header', () => {
  /** Over a connection, as `early` routes are only asked there. */
  const statusFor = async (url: string, host: string): Promise<{ status: number; body: string; type: string }> => {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(clicks.address);
      const headers = { host, 'user-agent': PHONE };
      const sent = http.request({ hostname, port, path: url, headers, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, type: response.headers['content-type'] ?? '' }),
        );
      });
      sent.on('error', reject);
      sent.end();
    });
  };

  it('does not matter as long as no host is configured', async () => {
    const link = await seedLink(server.db);
    expect((await statusFor(`/${link.code}`, 'whatever.example')).status).toBe(302);
    expect((await statusFor('/', 'whatever.example')).status).toBe(200);
  });

  it('must be one of ours once there are some: a page says so, known link or not', async () => {
    const link = await seedLink(server.db);
    await put([HEALTHY, BLOCKED]);
    for (const url of [
      `/${link.code}`,
      `/${link.code}/v1`,
      '/',
      '/zzzzzzz',
      `/${link.code}/qr.svg`,
      '/-/find?code=x',
    ]) {
      const { status, body, type } = await statusFor(url, 'evil.example');
      expect([url, status, type]).toEqual([url, 421, 'text/html; charset=utf-8']);
      expect(body).not.toContain('evil');
    }
    for (const host of [
      'go.example.com',
      'GO.Example.com',
      'go.example.com:80',
      'go.example.com.',
      BLOCKED.host,
      'daihuo.test',
    ]) {
      expect([host, (await statusFor(`/${link.code}`, host)).status]).toEqual([host, 302]);
    }
    for (const host of ['go.example.com.evil.example', 'xgo.example.com', 'go.example.com:81', '', '127.0.0.1']) {
      expect([host, (await statusFor(`/${link.code}`, host)).status]).toEqual([host, 421]);
    }
    // Programs come under any host: a probe by address, a shop by whatever its proxy says.
    expect((await statusFor('/v1/links', '127.0.0.1')).status).toBe(404);
    expect((await statusFor('/healthz', '10.0.0.7:3000')).status).not.toBe(421);
  });
});
