import http from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { addAlias, type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer } from '../clicks/click-server.ts';
import type { ClickServer } from '../clicks/click-server.ts';

let test: TestDatabase;
let streams: TestRedis;
let server: ClickServer;
let link: SeededLink;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  server = await createClickServer({ test, redisUrl: streams.url });
  link = await seedLink(test.db);
  await addAlias(test.db, link, 'tea-pot');
});
afterAll(async () => {
  await server.close();
  await test.drop();
  await streams.drop();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Over a connection: the path goes out byte for byte, as web views send it (Node writes it as Latin-1). */
async function ask(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.address);
    const sent = http.request(
      { hostname, port, path: '/', method: 'GET', agent: false, headers: { 'user-agent': PHONE, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    // The client refuses bytes beyond ASCII where a path is given to it; a phone does not.
    sent.path = path;
    sent.on('error', reject);
    sent.end();
  });
}

/** Follows redirects on our own host, as a browser does, until the visitor leaves it. */
async function arrive(path: string): Promise<Answer> {
  let answer = await ask(path);
  for (let hops = 0; hops < 3 && answer.headers.location?.startsWith('/') === true; hops += 1) {
    answer = await ask(answer.headers.location);
  }
  return answer;
}

const utf8 = (text: string): string => encodeURIComponent(text);
const rawUtf8 = (text: string): string => Buffer.from(text).toString('latin1');
const fullWidth = (text: string): string =>
  text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0));

/** What stands around a code when an input method, an app or a copied caption had its way; `*` is the code. */
const AROUND: readonly string[] = [
  '*',
  '*。',
  '*，',
  '*！',
  '*？',
  '*】',
  '*》',
  '*”',
  '*’',
  '*；',
  '*：',
  '*、',
  '*…',
  '*……',
  '*——',
  '*～',
  '*·',
  '*）',
  '*」',
  '*』',
  '*〉',
  '*｡',
  '*．',
  '*.',
  '*,',
  '*!',
  '*)',
  '*"',
  "*'",
  '*;',
  '*~',
  '【*】',
  '《*》',
  '“*”',
  '「*」',
  '（*）',
  '＃*',
  '*👉',
  '👉*👈',
  '*❤️',
  '*👍🏽',
  '*🇨🇳',
  '* ',
  ' *',
  '*\u3000',
  '*\u00a0',
  '*\n',
  '*\r\n',
  '*\t',
  '*\u200b',
  '\u200b*\u200b',
  '*\ufeff',
  '*\u200d',
  '\u202a*\u202c',
  '*\u2060',
  '*\ufe0f',
  '*快来看',
  '*复制打开抖音',
  '点*就到',
  '*，以下单页为准',
  '短码：*（淘宝）',
  '* 手慢无',
];

describe('a code in the path', () => {
  it('is found in more than 60 spellings that input methods and apps make of it', async () => {
    expect(new Set(AROUND).size).toBeGreaterThanOrEqual(60);
    const failed: string[] = [];
    for (const around of AROUND) {
      const { headers } = await arrive(`/${utf8(around.replace('*', link.code))}`);
      if (headers.location?.startsWith('https://item.taobao.com/') !== true) failed.push(around);
    }
    expect(failed).toEqual([]);
  });

  it.each([
    ['in capitals', () => link.code.toUpperCase()],
    ['in mixed case', () => link.code.slice(0, 3).toUpperCase() + link.code.slice(3)],
    ['in full width', () => utf8(fullWidth(link.code))],
    ['in full-width capitals', () => utf8(fullWidth(link.code.toUpperCase()))],
    ['in groups', () => utf8(`${link.code.slice(0, 3)} ${link.code.slice(3)}`)],
    ['letter by letter', () => utf8(link.code.split('').join(' '))],
    ['with a zero-width space inside', () => utf8(`${link.code.slice(0, 3)}\u200b${link.code.slice(3)}`)],
    ['with a full stop in GBK', () => `${link.code}%A1%A3`],
    ['with words in GBK', () => `${link.code}%BF%EC%C0%B4`],
    ['with half a character of UTF-8', () => `${link.code}%E3%80`],
    ['with a broken escape', () => `${link.code}%`],
    ['with a full stop in bare UTF-8 bytes', () => `${link.code}${rawUtf8('。')}`],
    ['with words in bare UTF-8 bytes', () => `${link.code}${rawUtf8('快来看')}`],
    ['with a full stop in bare GBK bytes', () => `${link.code}\u00a1\u00a3`],
    ['with a tag in GBK company', () => `${link.code}/v12%A1%A3`],
    [
      'in escapes',
      () =>
        link.code
          .split('')
          .map((char) => `%${char.charCodeAt(0).toString(16)}`)
          .join(''),
    ],
    ['as an alias', () => 'tea-pot'],
    ['as an alias in full width with a full stop', () => utf8(`${fullWidth('Tea-Pot')}。`)],
    ['as an alias with a full stop in GBK', () => 'TEA-POT%A1%A3'],
  ])('%s, leads to the shop', async (_name, spelled) => {
    const { status, headers } = await arrive(`/${spelled()}`);
    expect([status, headers.location]).toEqual([302, expect.stringMatching(/^https:\/\/item\.taobao\.com\//)]);
  });

  it.each(['/%zz', '/%A1%A3', '/%FF%FE', '/%00', '/%E2%80%AE', '//evil.example', '/%2F%2Fevil.example'])(
    '%j names nothing: a page, never an error or a way out',
    async (path) => {
      const { status, headers, body } = await ask(path);
      expect([status, headers['content-type'], headers.location]).toEqual([404, 'text/html; charset=utf-8', undefined]);
      expect(body).toContain('没有找到这个链接');
    },
  );
});

describe('bytes that are no HTTP', () => {
  it.each(['/\u00ff\u00fe', `/v1/${rawUtf8('。')}`, `/${rawUtf8('快')}`])(
    '%j is refused in a page, and leads nowhere',
    async (path) => {
      const { status, headers, body } = await ask(path);
      expect([status, headers['content-type'], headers.location]).toEqual([400, 'text/html; charset=utf-8', undefined]);
      expect(body).toContain('请求有误');
    },
  );
});

describe('the box', () => {
  const find = async (text: string, headers?: Record<string, string>) => ask(`/-/find?code=${utf8(text)}`, headers);

  it('leads to the link, however the code was typed', async () => {
    for (const around of AROUND) {
      const { status, headers } = await find(around.replace('*', link.code));
      expect([around, status, headers.location]).toEqual([around, 303, `/${link.code}`]);
    }
  });

  it.each([
    ['a short link', (code: string) => `https://go.example.com/${code}`, ''],
    ['one without a scheme', (code: string) => `go.example.com/${code}`, ''],
    ['one of another of our hosts, with a tag', (code: string) => `http://127.0.0.1:3000/${code}/V12。`, '/v12'],
    [
      'a whole caption',
      (code: string) => `【广告】手冲壶\n淘宝价 ¥199.00，以下单页为准\n👉 https://go.example.com/${code}/v12 手慢无`,
      '/v12',
    ],
  ])('takes %s', async (_name, write, rest) => {
    expect((await find(write(link.code))).headers.location).toBe(`/${link.code}${rest}`);
  });

  it('takes what old web views send: GBK in escapes', async () => {
    for (const typed of [`${link.code}%A1%A3`, `%BF%EC%C0%B4${link.code}`]) {
      expect((await ask(`/-/find?code=${typed}`)).headers.location).toBe(`/${link.code}`);
    }
  });

  it('looks nothing up: a code that nobody has is led to its address like one that somebody has', async () => {
    const [real, free] = await Promise.all([find(link.code), find('z2z3z4z')]);
    const answer = ({ status, headers: { date: _date, location, ...headers } }: Answer) => ({
      status,
      headers,
      length: location?.length,
    });
    expect(answer(free ?? (await find('')))).toEqual(answer(real ?? (await find(''))));
  });

  it.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    'https:evil.example',
    '../../v1/keys',
    'http://evil.example\r\nset-cookie: a=b',
    'evil.example#@',
  ])('%j leads nowhere but to this host', async (text) => {
    const { status, headers } = await find(text);
    expect([303, 404]).toContain(status);
    expect(headers.location ?? '/').toMatch(/^\/[a-z0-9-]*(?:\/[a-z0-9_-]+)?$/);
    expect(headers['set-cookie']).toBeUndefined();
  });

  it.each(['healthz', 'metrics', 'openapi.json', 'hooks', 'v1', '没有', '   ', '', '!!!', 'a/b/c'])(
    '%j is no code: the page to check it',
    async (text) => {
      const { status, headers } = await find(text);
      expect([status, headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    },
  );

  it('shows again what was typed, and never as markup', async () => {
    const { body } = await find('"><script>k7 0 l');
    expect(body).toContain('value="scriptk70l"');
    expect(body).not.toContain('<script');
    expect((await find('x'.repeat(5_000))).body).toContain(`value="${'x'.repeat(32)}"`);
  });

  it('several codes, or none, are no error', async () => {
    expect((await ask(`/-/find?code=${link.code}&code=other`)).headers.location).toBe(`/${link.code}`);
    expect((await ask('/-/find')).status).toBe(404);
  });
});

describe('the pages', () => {
  it('the front door has a box that works without a script, in Chinese or English', async () => {
    const chinese = await ask('/', { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' });
    expect(chinese.status).toBe(200);
    expect(chinese.body).toContain('<form action="/-/find" method="get"');
    expect(chinese.body).toContain('<html lang="zh-CN">');
    expect(chinese.headers['content-security-policy']).toContain("form-action 'self' https:");
    const english = await ask('/', { 'accept-language': 'en-US,en;q=0.9,zh;q=0.5' });
    expect(english.body).toContain('<html lang="en">');
    expect(english.body).toContain('Type the code');
  });

  it('the page to check a code has the box filled with the code, and as many bytes for any code of its length', async () => {
    const [one, other] = await Promise.all([ask('/k7q2m8z'), ask('/Z9Z9Z9Z')]);
    expect(one?.body).toContain('value="k7q2m8z"');
    expect(other?.body).toContain('value="z9z9z9z"');
    expect(one?.body.length).toBe(other?.body.length);
    expect((await ask(`/${utf8('k7q2m80。')}`)).body).toContain('value="k7q2m80"');
  });
});
