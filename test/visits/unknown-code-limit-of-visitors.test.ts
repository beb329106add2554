import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer } from '../clicks/click-server.ts';
import type { ClickServer } from '../clicks/click-server.ts';

let test: TestDatabase;
let streams: TestRedis;
let server: ClickServer;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  // One token in a minute: the test is over before a refill.
  server = await createClickServer({
    test,
    redisUrl: streams.url,
    unknownCodeLimits: { burst: 10, perSecond: 1 / 60 },
  });
});
afterAll(async () => {
  await server.close();
  await test.drop();
  await streams.drop();
});

const visit = async (url: string, address: string) =>
  server.app.inject({ method: 'GET', url, headers: { 'user-agent': PHONE, 'x-forwarded-for': address } });

const codeOf = (number: number): string => `z${(100_000 + number).toString(30).replace(/[^2-9a-hjkmnp-tv-z]/g, '2')}x2`;

describe('who tries codes that name nothing', () => {
  it('gets the page to check the code ten times, then a page with Retry-After, and no lookup', async () => {
    const address = '203.0.113.50';
    const answers = [];
    for (let number = 0; number < 14; number += 1) answers.push(await visit(`/${codeOf(number)}`, address));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([
      ...Array.from({ length: 10 }, () => 404),
      ...Array.from({ length: 4 }, () => 429),
    ]);
    const last = answers.at(-1);
    expect(last?.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
    expect(last?.body).toContain('请稍等片刻');
    expect(await server.metric('redirects_total', 'outcome="limited"')).toBe(4);
  });

  it('is held back on every address that tells whether a code exists', async () => {
    const address = '203.0.113.51';
    for (let number = 0; number < 10; number += 1) await visit(`/${codeOf(number)}/v1`, address);
    for (const url of ['/z9z9z9z', '/z9z9z9z/v1', '/z9z9z9z/qr.svg', '/z9z9z9z/qr.png', '/z9z9z9z/preview']) {
      const { statusCode, headers } = await visit(url, address);
      expect([url, statusCode, headers['content-type']]).toEqual([url, 429, 'text/html; charset=utf-8']);
    }
  });

  it('is sent on all the same by a link that the process knows, and so is everybody behind the same address', async () => {
    const address = '203.0.113.52';
    const link = await seedLink(test.db);
    expect((await visit(`/${link.code}`, '203.0.113.99')).statusCode).toBe(302);
    for (let number = 0; number < 11; number += 1) await visit(`/${codeOf(number)}`, address);
    expect((await visit('/z9z9z9z', address)).statusCode).toBe(429);
    expect((await visit(`/${link.code}`, address)).statusCode).toBe(302);
    expect((await visit('/', address)).statusCode).toBe(200);
    // Nothing is looked up for these, so nothing is counted: browsers ask for such by themselves.
    expect((await visit('/favicon.ico', address)).statusCode).toBe(404);
    expect((await visit('/z9z9z9z', '203.0.113.98')).statusCode).toBe(404);
  });
});
