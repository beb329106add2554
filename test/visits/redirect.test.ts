import { once } from 'node:events';
import http from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import net from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { decodeClicks } from '../../src/clicks/click-batch.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import { comparable } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { addAlias, type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer, readClickId } from '../clicks/click-server.ts';
import type { ClickServer } from '../clicks/click-server.ts';
import { waitUntil } from '../support/timing.ts';

let test: TestDatabase;
let streams: TestRedis;
let server: ClickServer;
let link: SeededLink;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  server = await createClickServer({ test, redisUrl: streams.url });
});
afterAll(async () => {
  await server.close();
  await test.drop();
  await streams.drop();
});
beforeEach(async () => {
  link = await seedLink(test.db);
  await streams.inspector.del('clicks:{0}');
});

interface Visit {
  url?: string;
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
}

interface Answer {
  statusCode: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Asks the router itself: whatever stands in front of it is passed by. */
async function askRouter({ url, method, headers }: Required<Visit>): Promise<Answer> {
  const answer = await server.app.inject({ method, url, headers });
  return { statusCode: answer.statusCode, headers: answer.headers as IncomingHttpHeaders, body: answer.body };
}

/** Asks over a connection, as visitors do. The link is known beforehand, so that nothing but its spelling decides who answers. */
async function askServer({ url, method, headers }: Required<Visit>): Promise<Answer> {
  await server.resolver.resolve(link.code);
  return new Promise((resolve, reject) => {
    const sent = http.request(server.address, { path: url, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          statusCode: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

let ask = askRouter;

async function visit({ url = `/${link.code}`, method = 'GET', headers = {} }: Visit = {}): Promise<Answer> {
  return ask({ method, url, headers: { 'user-agent': PHONE, ...headers } });
}

/** Every click in the stream, in order. */
async function loggedClicks(): Promise<Click[]> {
  const entries = await streams.inspector.xrange('clicks:{0}', '-', '+');
  return entries.flatMap(([, [, text]]) => {
    const reading = decodeClicks(text ?? '');
    if (!reading.ok) throw new Error(reading.reason);
    expect(reading.badLines).toEqual([]);
    return reading.clicks;
  });
}

function clickIdIn(location: string | undefined): string {
  return new URL(location ?? '').searchParams.get('dh_click') ?? '';
}

describe.each([
  { name: 'by the router', entry: askRouter },
  { name: 'over a connection', entry: askServer },
])('$name', ({ entry }) => {
  beforeEach(() => {
    ask = entry;
  });

  describe('a visit', () => {
    it('is sent on with a click id that is in the stream before the answer, and belongs to this link and moment', async () => {
      const before = Date.now();
      const answer = await visit();
      expect(answer.statusCode).toBe(302);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.body).toBe('');
      const location = answer.headers.location;
      const clickId = clickIdIn(location);
      expect(location).toBe(`https://item.taobao.com/item.htm?id=600000000001&dh_click=${clickId}#detail`);
      const [click, ...others] = await loggedClicks();
      expect(others).toEqual([]);
      expect(click).toMatchObject({
        clickId,
        linkNumber: link.linkNumber,
        verdict: 'counted',
        app: 'other',
        os: 'ios',
      });
      expect(readClickId(clickId)).toMatchObject({
        ok: true,
        linkNumber: link.linkNumber,
        clickedAt: click?.clickedAt,
      });
      expect(click?.clickedAt.getTime()).toBeGreaterThanOrEqual(before);
    });

    it('answers HEAD as GET, and records it as head', async () => {
      const head = await visit({ method: 'HEAD' });
      expect(head.statusCode).toBe(302);
      expect(head.headers['cache-control']).toBe('no-store');
      expect(readClickId(clickIdIn(head.headers.location))).toMatchObject({ ok: true });
      expect((await loggedClicks()).map(({ verdict }) => verdict)).toEqual(['head']);
    });

    it.each<[string, Record<string, string>, string]>([
      ['a prefetch', { 'sec-purpose': 'prefetch;prerender' }, 'prefetch'],
      ['a bot', { 'user-agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' }, 'bot'],
      ['a program', { 'user-agent': 'curl/8.5.0' }, 'bot'],
      ['a request without an agent', { 'user-agent': '' }, 'bot'],
      ['a link preview', { 'user-agent': 'WhatsApp/2.23.20.0 A' }, 'preview'],
      [
        'a Douyin scanner',
        {
          'user-agent': 'Mozilla/5.0 (Linux; Android 10; HD1900) aweme_230400 app_version/23.4.0 WebView/075113004008',
        },
        'scanner',
      ],
    ])('%s gets the same answer as people, and its verdict', async (_name, headers, verdict) => {
      const answer = await visit({ headers });
      expect(answer.statusCode).toBe(302);
      expect(answer.headers.location).toMatch(
        /^https:\/\/item\.taobao\.com\/item\.htm\?id=600000000001&dh_click=[\w-]{38}#detail$/,
      );
      expect((await loggedClicks()).map((click) => click.verdict)).toEqual([verdict]);
    });

    it('to an opaque destination gets no parameter, but is logged all the same', async () => {
      link = await seedLink(test.db, { url: 'https://s.click.taobao.com/t?e=abc' });
      expect((await visit()).headers.location).toBe('https://s.click.taobao.com/t?e=abc');
      expect(await loggedClicks()).toHaveLength(1);
    });

    it('nothing of the request changes the destination', async () => {
      const tricks = [
        '?url=https://evil.example',
        '?dh_click=forged&sls=x',
        '?id=1',
        '?next=%0d%0aLocation:%20https://evil.example',
      ];
      for (const trick of tricks) {
        const { location } = (
          await visit({
            url: `/${link.code}${trick}`,
            headers: { host: 'evil.example', referer: 'https://evil.example/' },
          })
        ).headers;
        expect(location).toBe(
          `https://item.taobao.com/item.htm?id=600000000001&dh_click=${clickIdIn(location)}#detail`,
        );
        expect(readClickId(clickIdIn(location))).toMatchObject({ ok: true });
      }
    });

    it('names no visitor: neither the address nor the agent is in the stream, and the hash tells visitors apart', async () => {
      await visit({ headers: { 'x-forwarded-for': '203.0.113.7' } });
      await visit({ headers: { 'x-forwarded-for': '203.0.113.7' } });
      await visit({ headers: { 'x-forwarded-for': '203.0.113.8' } });
      const [first, same, other] = (await loggedClicks()).map(({ visitor }) => visitor);
      expect(same).toBe(first);
      expect(other).not.toBe(first);
      const text = JSON.stringify(await streams.inspector.xrange('clicks:{0}', '-', '+'));
      expect(text).not.toContain('203.0.113');
      expect(text).not.toContain('Safari');
    });

    it('many visits at one moment share stream entries, and every one has its own click', async () => {
      let visits = 0;
      // On a busy machine some visitors are redirected without a click id rather than kept waiting: then once more.
      const ids = await waitUntil(async () => {
        visits += 200;
        const answers = await Promise.all(Array.from({ length: 200 }, () => visit()));
        const given = answers.map((answer) => clickIdIn(answer.headers.location)).filter((id) => id !== '');
        return given.length === 200 && given;
      });
      expect(new Set(ids).size).toBe(200);
      const logged = (await loggedClicks()).map(({ clickId }) => clickId);
      expect(new Set(logged).size).toBe(logged.length);
      expect(new Set(logged).isSupersetOf(new Set(ids))).toBe(true);
      expect(logged.length).toBeLessThanOrEqual(visits);
      // How many depends on how many visits come while one append is under way; without sharing there is one for each visit.
      expect(await streams.inspector.xlen('clicks:{0}')).toBeLessThan(logged.length);
    });
  });

  describe('codes and tags', () => {
    it('a code is found however it was typed', async () => {
      const full = link.code.replace(/./g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0));
      for (const typed of [link.code.toUpperCase(), `${link.code}。`, `“${link.code}”`, full]) {
        expect((await visit({ url: `/${encodeURIComponent(typed)}` })).statusCode).toBe(302);
      }
    });

    it('an alias leads where the code leads', async () => {
      await addAlias(test.db, link, `sale-${link.linkNumber}`);
      expect((await visit({ url: `/Sale-${link.linkNumber}` })).statusCode).toBe(302);
    });

    it.each([
      ['/v12', 'v12'],
      ['/V12', 'v12'],
      [`/${encodeURIComponent('v12。')}`, 'v12'],
      [`/${encodeURIComponent('视频')}`, undefined],
      [`/${encodeURIComponent('v12 快来')}`, undefined],
      ['/a%00b', undefined],
      [`/${'x'.repeat(33)}`, undefined],
      ['/', undefined],
      ['/nothing.svg', undefined],
    ])('with %j behind the code, the visitor arrives and the tag is %j', async (suffix, tag) => {
      const answer = await visit({ url: `/${link.code}${suffix}` });
      expect(answer.statusCode).toBe(302);
      expect(answer.headers.location).not.toContain('v12');
      expect((await loggedClicks()).map((click) => click.tag)).toEqual([tag]);
    });

    it('the pictures and the preview of a link are not visits', async () => {
      for (const page of ['qr.svg', 'qr.png', 'preview']) {
        expect((await visit({ url: `/${link.code}/${page}` })).statusCode).toBe(200);
      }
      expect(await loggedClicks()).toEqual([]);
    });

    it('whatever names no link answers 404 with one and the same page, but for its own letters in the box', async () => {
      const urls = ['/k7q2m8z', '/zzzzzzz/v1', '/x', '/favicon.ico', '/a%00b', '/%E2%80%AE', `/${'a'.repeat(64)}`];
      const strange = ['/no/such/page', "/'--", '/nobody-has-this?x=1', '/admin', '/dashboard/x', '/-/nothing'];
      const withoutBox = (text: string): string => text.replace(/ value="[a-z0-9-]{0,32}"/, ' value=""');
      const answers = await Promise.all([...urls, ...strange].map((url) => visit({ url })));
      const [first, ...others] = answers.map((answer) => {
        const headers = { ...answer.headers };
        delete headers['content-length'];
        return comparable({ ...answer, headers, body: withoutBox(answer.body) });
      });
      expect(first).toMatchObject({ status: 404 });
      for (const other of others) expect(other).toEqual(first);
      expect(answers[0]?.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(answers[0]?.body).toContain('没有找到这个链接');
      expect(await loggedClicks()).toEqual([]);
    });

    it.each(['/%zz', `/${'a'.repeat(200)}`, `/a/${'b'.repeat(200)}`])(
      '%j, which the router cannot take, is a 404 page too',
      async (url) => {
        const answer = await visit({ url });
        expect(answer.statusCode).toBe(404);
        expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
      },
    );

    it('an address of programs under a code’s shape stays a problem in JSON', async () => {
      for (const url of ['/v1/nothing', '/v1', '/hooks/nothing']) {
        const answer = await visit({ url });
        expect(answer.statusCode).toBe(404);
        expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      }
    });

    it.each([
      ['paused', `update links set status = 'paused' where id = $1`, 'linkId', '推广暂停中'],
      ['off sale', `update products set status = 'off_sale' where id = $1`, 'productId', '商品已下架'],
    ] as const)('a link that is %s answers 410 with a page, and comes back', async (_name, sql, subject, title) => {
      let visits = 0;
      const statusOfVisit = async (): Promise<number> => {
        visits += 1;
        return (await visit()).statusCode;
      };
      await statusOfVisit();
      await test.db.query(sql, [link[subject]]);
      await waitUntil(async () => expect(await statusOfVisit()).toBe(410));
      await waitUntil(async () => expect(await loggedClicks()).toHaveLength(visits));
      expect((await loggedClicks()).at(-1)?.verdict).toBe('inactive');
      const clicks = visits;
      const answer = await visit();
      expect(answer.body).toContain(title);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.headers.location).toBeUndefined();
      // The answer waits for no click whose id it does not hand out.
      await waitUntil(async () =>
        expect((await loggedClicks()).slice(clicks).map(({ verdict }) => verdict)).toEqual(['inactive']),
      );
      await test.db.query(`update links set status = 'active' where id = $1`, [link.linkId]);
      await test.db.query(`update products set status = 'active' where id = $1`, [link.productId]);
      await waitUntil(async () => expect((await visit()).statusCode).toBe(302));
    });

    it('pages are complete in themselves and allowed by their own policy', async () => {
      const { body, headers } = await visit({ url: '/' });
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(body).toContain('<html lang="zh-CN">');
      expect(body).toContain('name="viewport"');
      expect(body).not.toMatch(/<script|src=|url\(|http:/);
      const style = /<style>([\s\S]*)<\/style>/.exec(body)?.[1] ?? '';
      const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(style))).toString('base64');
      expect(headers['content-security-policy']).toContain(`style-src 'sha256-${digest}'`);
      expect(headers['x-content-type-options']).toBe('nosniff');
    });
  });

  describe('outcomes', () => {
    it('are counted', async () => {
      const before = await server.metric('redirects_total', 'outcome="tracked"');
      await visit();
      await visit({ url: '/zzzzzzz' });
      await waitUntil(async () => expect(await server.metric('redirects_total', 'outcome="tracked"')).toBe(before + 1));
      expect(await server.metric('redirects_total', 'outcome="unknown"')).toBeGreaterThan(0);
      expect(await server.metric('clicks_appended_total')).toBeGreaterThan(0);
    });
  });
});

describe('in front of the router', () => {
  /** Only the router's answers carry the headers of pages. */
  async function isRouted(one: Visit): Promise<boolean> {
    const { headers } = await askServer({
      url: `/${link.code}`,
      method: 'GET',
      ...one,
      headers: { 'user-agent': PHONE },
    });
    return headers['x-content-type-options'] !== undefined;
  }

  it('only a plain GET of a known and active link is answered', async () => {
    expect(await isRouted({})).toBe(false);
    expect(await isRouted({ url: `/${link.code}/v12` })).toBe(false);
    for (const url of [`/${link.code}?a=1`, `/${link.code.toUpperCase()}`, `/${link.code}/preview`, '/zzzzzzz', '/']) {
      expect(await isRouted({ url })).toBe(true);
    }
    expect(await isRouted({ method: 'HEAD' })).toBe(true);
  });

  it('says no more than a redirect must, and never lets it be kept', async () => {
    const answer = await askServer({ url: `/${link.code}`, method: 'GET', headers: { 'user-agent': PHONE } });
    expect(Object.keys(answer.headers).toSorted()).toEqual([
      'cache-control',
      'connection',
      'content-length',
      'date',
      'location',
      'referrer-policy',
    ]);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
  });

  it('a visitor who is gone before the answer disturbs nobody', async () => {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { hostname, port } = new URL(server.address);
        const socket = net.connect(Number(port), hostname);
        await once(socket, 'connect');
        socket.write(`GET /${link.code} HTTP/1.1\r\nhost: daihuo.test\r\n\r\n`);
        socket.resetAndDestroy();
      }),
    );
    const answer = await askServer({ url: `/${link.code}`, method: 'GET', headers: { 'user-agent': PHONE } });
    expect(answer.statusCode).toBe(302);
  });
});
