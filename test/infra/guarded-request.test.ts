import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGuardedRequest } from '../../src/infra/guarded-request.ts';
import type { RequestOutcome, OutgoingRequest, GuardedRequest } from '../../src/infra/guarded-request.ts';
import { SHOP_ADDRESS, openOutside } from '../support/outside.ts';
import type { Outside } from '../support/outside.ts';

let outside: Outside;
let overTls: Outside;
let request: GuardedRequest;
const userAgent = 'daihuo/0 (+https://go.example.com)';

beforeAll(async () => {
  outside = await openOutside();
  overTls = await openOutside({ tls: true });
  request = createGuardedRequest({ userAgent, testNetwork: outside.network });
});
afterAll(async () => {
  await outside.close();
  await overTls.close();
});
beforeEach(() => {
  for (const { names, requests, lookups } of [outside, overTls]) {
    names.clear();
    names.set('shop.test', [SHOP_ADDRESS]);
    names.set('img.shop.test', [SHOP_ADDRESS]);
    requests.length = 0;
    lookups.length = 0;
  }
  outside.answer((_request, response) => response.end('hello'));
});

const LIMITS = { maxBytes: 1_000, timeoutMs: 60_000, allowsHttp: true } as const;
const ask = async (url: string, more: Partial<OutgoingRequest> = {}): Promise<RequestOutcome> =>
  request({ url, ...LIMITS, ...more });
const reasonOf = (outcome: RequestOutcome): string => (outcome.ok ? `status ${outcome.status}` : outcome.reason);

describe('an answer', () => {
  it('comes with its status, type and body', async () => {
    outside.answer((_request, response) =>
      response.writeHead(200, { 'content-type': 'Text/HTML; charset=utf-8' }).end('hello'),
    );
    expect(await ask('http://shop.test/a?b=c')).toEqual({
      ok: true,
      visited: ['http://shop.test/a?b=c'],
      status: 200,
      mediaType: 'text/html',
      body: Buffer.from('hello'),
    });
    expect(outside.requests).toEqual(['GET shop.test/a?b=c']);
  });

  it('that is no success has its status, and no body', async () => {
    outside.answer((_request, response) =>
      response.writeHead(404, { 'content-type': 'text/html' }).end('x'.repeat(9_999)),
    );
    expect(await ask('http://shop.test/', { mediaTypes: ['image/png'] })).toMatchObject({
      ok: true,
      status: 404,
      body: Buffer.alloc(0),
    });
  });

  it('to HEAD has no body', async () => {
    expect(await ask('http://shop.test/', { method: 'HEAD' })).toMatchObject({
      ok: true,
      status: 200,
      body: Buffer.alloc(0),
    });
    expect(outside.requests).toEqual(['HEAD shop.test/']);
  });

  it('is asked for with a name, and without cookies, credentials or compression', async () => {
    let headers: Record<string, unknown> = {};
    outside.answer((request, response) => {
      ({ headers } = request);
      response.writeHead(200, { 'set-cookie': 'session=1' }).end();
    });
    await ask('http://shop.test/');
    await ask('http://shop.test/', { mediaTypes: ['image/png', 'image/webp'] });
    expect(headers).toEqual({
      'user-agent': userAgent,
      accept: 'image/png, image/webp',
      'accept-encoding': 'identity',
      host: expect.stringMatching(/^shop\.test/) as string,
      connection: 'close',
    });
  });
});

describe('https', () => {
  it('is what is asked by default, and the certificate must be right', async () => {
    const secure = createGuardedRequest({ userAgent, testNetwork: overTls.network });
    overTls.answer((_request, response) => response.end('secret'));
    const limits = { maxBytes: 100, timeoutMs: 5_000 };
    expect(await secure({ url: 'https://shop.test/', ...limits })).toMatchObject({
      ok: true,
      body: Buffer.from('secret'),
    });
    overTls.names.set('elsewhere.test', [SHOP_ADDRESS]);
    expect(reasonOf(await secure({ url: 'https://elsewhere.test/', ...limits }))).toBe('unreachable');
    const { ports, resolve } = overTls.network;
    const trustsNobody = createGuardedRequest({ userAgent, testNetwork: { ports, resolve } });
    expect(reasonOf(await trustsNobody({ url: 'https://shop.test/', ...limits }))).toBe('unreachable');
    expect(overTls.requests).toEqual(['GET shop.test/']);
  });

  it('is never left for http by a redirect, unless http is allowed', async () => {
    const secure = createGuardedRequest({ userAgent, testNetwork: overTls.network });
    overTls.answer((_request, response) => response.writeHead(302, { location: 'http://shop.test/plain' }).end());
    expect(await secure({ url: 'https://shop.test/', maxBytes: 1, timeoutMs: 5_000 })).toEqual({
      ok: false,
      visited: ['https://shop.test/', 'http://shop.test/plain'],
      reason: 'address_refused',
    });
  });
});

describe('an address is refused without a look-up or a connection', () => {
  it.each([
    'http://shop.test/',
    'ftp://shop.test/',
    'file:///etc/passwd',
    'data:text/plain,hello',
    'gopher://shop.test/',
    'https://shop.test:8443/',
    'https://user@shop.test/',
    'https://user:pass@shop.test/',
    'https://',
    'shop.test',
    '',
    'https://127.0.0.2/',
    'https://10.1.2.3/',
    'https://169.254.169.254/latest/meta-data/',
    'https://2130706434/',
    'https://0x7f000002/',
    'https://017700000002/',
    'https://127.2/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[fe80::1]/',
    'https://[fd00:ec2::254]/',
    'https://１２７.0.0.2/',
    'https://127。0。0。2/',
  ])('%s', async (url) => {
    expect(await ask(url, { allowsHttp: false })).toEqual({ ok: false, visited: [url], reason: 'address_refused' });
    expect(outside.lookups).toEqual([]);
    expect(outside.requests).toEqual([]);
  });
});

it('an address of more than 4,000 characters is refused', async () => {
  expect(reasonOf(await ask(`http://shop.test/${'x'.repeat(4_000)}`))).toBe('address_refused');
  expect(outside.lookups).toEqual([]);
});

describe('a name', () => {
  it.each([
    ['that leads inside', ['10.0.0.1']],
    ['one of whose addresses leads inside', [SHOP_ADDRESS, '192.168.1.1']],
    ['that leads to this machine by IPv6', ['::1']],
    ['that leads to a mapped address', ['::ffff:127.0.0.1']],
    ['that leads nowhere', []],
  ])('%s is refused', async (_what, addresses) => {
    outside.names.set('trap.test', addresses);
    expect(reasonOf(await ask('http://trap.test/'))).toBe('address_refused');
    expect(outside.requests).toEqual([]);
  });

  it('that does not exist is told from one that cannot be looked up now', async () => {
    expect(reasonOf(await ask('http://nobody.test/'))).toBe('no_such_host');
    const { ports } = outside.network;
    const resolve = async (): Promise<string[]> => {
      throw Object.assign(new Error('try again'), { code: 'EAI_AGAIN' });
    };
    const withoutNames = createGuardedRequest({ userAgent, testNetwork: { ports, resolve } });
    expect(reasonOf(await withoutNames({ url: 'http://shop.test/', ...LIMITS }))).toBe('unreachable');
  });

  it('that answers publicly first and privately then (rebinding) is looked up once a request, and connected to what was checked', async () => {
    const answers = [[SHOP_ADDRESS], ['127.0.0.2'], ['127.0.0.2']];
    let lookups = 0;
    const { ports } = outside.network;
    const resolve = async (): Promise<string[]> => answers[lookups++] ?? [];
    const rebound = createGuardedRequest({ userAgent, testNetwork: { ports, resolve } });
    expect(await rebound({ url: 'http://shop.test/', ...LIMITS })).toMatchObject({ ok: true, status: 200 });
    expect(lookups).toBe(1);
    // The second request sees the private answer, and goes nowhere.
    expect(reasonOf(await rebound({ url: 'http://shop.test/', ...LIMITS }))).toBe('address_refused');
    expect([lookups, outside.requests.length]).toEqual([2, 1]);
  });

  it('is checked again after a redirect, also where it is the same name', async () => {
    const answers = [[SHOP_ADDRESS], ['127.0.0.2']];
    let lookups = 0;
    const { ports } = outside.network;
    const resolve = async (): Promise<string[]> => answers[lookups++] ?? [];
    outside.answer((_request, response) => response.writeHead(302, { location: '/next' }).end());
    const rebound = createGuardedRequest({ userAgent, testNetwork: { ports, resolve } });
    expect(await rebound({ url: 'http://shop.test/', ...LIMITS })).toEqual({
      ok: false,
      visited: ['http://shop.test/', 'http://shop.test/next'],
      reason: 'address_refused',
    });
    expect(outside.requests).toEqual(['GET shop.test/']);
  });
});

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])(
    'of status %i is followed, with its address read as browsers do',
    async (status) => {
      outside.answer((request, response) => {
        if (request.url === '/a/b') response.writeHead(status, { location: '//img.shop.test/c?d#e' }).end();
        else response.end('there');
      });
      expect(await ask('http://shop.test/a/b')).toMatchObject({
        ok: true,
        visited: ['http://shop.test/a/b', 'http://img.shop.test/c?d'],
        body: Buffer.from('there'),
      });
    },
  );

  it.each([
    'http://10.0.0.1/',
    'http://[::1]/',
    'http://shop.test:22/',
    'http://u@shop.test/',
    'file:///etc/passwd',
    'http://%/',
    'javascript:alert(1)',
  ])('to %s goes nowhere', async (location) => {
    outside.answer((_request, response) => response.writeHead(302, { location }).end());
    expect(reasonOf(await ask('http://shop.test/'))).toBe('address_refused');
    expect(outside.requests).toHaveLength(1);
  });

  it('is followed three times, and no more', async () => {
    const hopTo = (last: number) =>
      outside.answer((request, response) => {
        const hop = Number(request.url?.slice(1));
        if (hop === last) response.end('there');
        else response.writeHead(302, { location: `/${hop + 1}` }).end();
      });
    hopTo(3);
    expect(await ask('http://shop.test/0')).toMatchObject({ ok: true, status: 200 });
    outside.requests.length = 0;
    hopTo(4);
    expect(reasonOf(await ask('http://shop.test/0'))).toBe('too_many_redirects');
    expect(outside.requests).toHaveLength(4);
  });

  it('without an address, and a status that is no redirect, are answers', async () => {
    outside.answer((_request, response) => response.writeHead(302).end());
    expect(reasonOf(await ask('http://shop.test/'))).toBe('status 302');
    outside.answer((_request, response) => response.writeHead(201, { location: 'http://10.0.0.1/' }).end());
    expect(reasonOf(await ask('http://shop.test/'))).toBe('status 201');
  });
});

describe('a body', () => {
  it('longer than allowed is refused, whether its length is said or not, and exactly as long is taken', async () => {
    for (const isSaid of [true, false]) {
      outside.answer((request, response) => {
        const length = Number(request.url?.slice(1));
        if (isSaid) response.setHeader('content-length', length);
        else response.setHeader('transfer-encoding', 'chunked');
        response.end('x'.repeat(length));
      });
      expect(await ask('http://shop.test/1000')).toMatchObject({ ok: true, body: Buffer.from('x'.repeat(1_000)) });
      expect(reasonOf(await ask('http://shop.test/1001'))).toBe('too_large');
      const cut = await ask('http://shop.test/5000', { whenLonger: 'cut' });
      expect(cut).toMatchObject({ ok: true, body: Buffer.from('x'.repeat(1_000)) });
    }
  });

  it('without an end is left after what is allowed', async () => {
    let sent = 0;
    outside.answer((_request, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
      };
      response.on('drain', pour);
      pour();
    });
    expect(reasonOf(await ask('http://shop.test/', { maxBytes: 100_000 }))).toBe('too_large');
    expect(sent).toBeLessThan(20_000_000);
  });

  it('that trickles, and a server that says nothing, end with the time', async () => {
    outside.answer((_request, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const startedMs = performance.now();
    expect(reasonOf(await ask('http://shop.test/', { timeoutMs: 300 }))).toBe('timeout');
    outside.answer(() => undefined);
    expect(reasonOf(await ask('http://shop.test/', { timeoutMs: 300 }))).toBe('timeout');
    const { ports } = outside.network;
    const resolve = async (): Promise<string[]> => new Promise(() => undefined);
    const withSilentNames = createGuardedRequest({ userAgent, testNetwork: { ports, resolve } });
    expect(reasonOf(await withSilentNames({ url: 'http://shop.test/', ...LIMITS, timeoutMs: 300 }))).toBe('timeout');
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });

  it('that breaks off is no answer', async () => {
    outside.answer((_request, response) => {
      response.writeHead(200, { 'content-length': 500 });
      response.write('x');
      setTimeout(() => response.destroy(), 20);
    });
    expect(reasonOf(await ask('http://shop.test/'))).toBe('unreachable');
  });

  it('that is compressed is refused: a bomb of 100 MB is never inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    expect(bomb.length).toBeLessThan(200_000);
    outside.answer((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    expect(reasonOf(await ask('http://shop.test/', { maxBytes: 1_000_000 }))).toBe('encoding_refused');
  });

  it('of another type than wanted is refused', async () => {
    for (const type of ['text/html', 'image/svg+xml', 'image/pngx', '']) {
      outside.answer((_request, response) =>
        response.writeHead(200, type === '' ? {} : { 'content-type': type }).end('x'),
      );
      expect(reasonOf(await ask('http://shop.test/', { mediaTypes: ['image/png'] }))).toBe('media_type_refused');
    }
    outside.answer((_request, response) => response.writeHead(200, { 'content-type': 'IMAGE/PNG ; a=b' }).end('x'));
    expect(await ask('http://shop.test/', { mediaTypes: ['image/png'] })).toMatchObject({
      ok: true,
      mediaType: 'image/png',
    });
  });
});

describe('a POST', () => {
  const content = { mediaType: 'application/json; charset=utf-8', body: Buffer.from([0, 255, 13, 10, 0x7b, 0xe5]) };
  const post = async (url: string, more: Partial<OutgoingRequest> = {}): Promise<RequestOutcome> =>
    ask(url, { method: 'POST', content, ...more });
  /** Answers `ok` when the whole body has arrived. */
  const receive = (): { bodies: Buffer[]; headers: Record<string, unknown>[] } => {
    const seen = { bodies: [] as Buffer[], headers: [] as Record<string, unknown>[] };
    outside.answer((incoming, response) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.on('end', () => {
        seen.bodies.push(Buffer.concat(pieces));
        seen.headers.push(incoming.headers);
        response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
      });
    });
    return seen;
  };

  it('carries its bytes, their type and length, and the headers given, exactly', async () => {
    const seen = receive();
    expect(await post('http://shop.test/hook', { headers: { 'webhook-signature': 'v1,abc=' } })).toEqual({
      ok: true,
      visited: ['http://shop.test/hook'],
      status: 200,
      mediaType: 'text/plain',
      body: Buffer.from('ok'),
    });
    expect(outside.requests).toEqual(['POST shop.test/hook']);
    expect(seen.bodies).toEqual([content.body]);
    expect(seen.headers).toEqual([
      {
        'webhook-signature': 'v1,abc=',
        'user-agent': userAgent,
        accept: '*/*',
        'accept-encoding': 'identity',
        'content-type': content.mediaType,
        'content-length': '6',
        host: expect.stringMatching(/^shop\.test/) as string,
        connection: 'close',
      },
    ]);
  });

  it('of no bytes, and of more than fit into one packet, arrives whole', async () => {
    const seen = receive();
    const large = Buffer.alloc(3_000_000, 'daihuo');
    for (const body of [Buffer.alloc(0), large]) await post('http://shop.test/', { content: { ...content, body } });
    expect(seen.bodies.map((body) => body.length)).toEqual([0, 3_000_000]);
    expect(seen.bodies[1]?.equals(large)).toBe(true);
  });

  it.each([301, 302, 303, 307, 308])('that is answered by a redirect of status %i ends there', async (status) => {
    outside.answer((_request, response) => response.writeHead(status, { location: 'http://img.shop.test/b' }).end());
    expect(await post('http://shop.test/a')).toEqual({
      ok: false,
      visited: ['http://shop.test/a', 'http://img.shop.test/b'],
      reason: 'redirect_refused',
    });
    expect(outside.requests).toEqual(['POST shop.test/a']);
  });

  it('has an answer no longer than allowed: refused, or cut', async () => {
    outside.answer((_request, response) => response.end('x'.repeat(5_000)));
    expect(reasonOf(await post('http://shop.test/'))).toBe('too_large');
    expect(await post('http://shop.test/', { whenLonger: 'cut' })).toMatchObject({
      ok: true,
      body: Buffer.from('x'.repeat(1_000)),
    });
  });

  it('ends with the time, also while the server does not read the body', async () => {
    outside.answer(() => undefined);
    const startedMs = performance.now();
    expect(reasonOf(await post('http://shop.test/', { timeoutMs: 300 }))).toBe('timeout');
    const body = Buffer.alloc(50_000_000);
    expect(reasonOf(await post('http://shop.test/', { timeoutMs: 300, content: { ...content, body } }))).toBe(
      'timeout',
    );
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it('to an address inside is refused, and nothing is sent', async () => {
    outside.names.set('trap.test', ['10.0.0.1']);
    for (const url of ['http://trap.test/', 'http://127.0.0.2/', 'http://[::1]/', 'http://169.254.169.254/'])
      expect(reasonOf(await post(url))).toBe('address_refused');
    expect(reasonOf(await post('http://shop.test/', { allowsHttp: false }))).toBe('address_refused');
    expect(outside.requests).toEqual([]);
  });

  it('without content, a GET with content, and a header that is not the caller’s to set are bugs', async () => {
    await expect(ask('http://shop.test/', { method: 'POST' })).rejects.toThrow('a POST has content');
    await expect(ask('http://shop.test/', { content })).rejects.toThrow('a POST has content');
    for (const name of ['Host', 'Content-Length', 'Transfer-Encoding', 'cookie'])
      await expect(post('http://shop.test/', { headers: { [name]: 'x' } })).rejects.toThrow(`the header ${name}`);
    expect(outside.requests).toEqual([]);
  });
});

// A token that follows a redirect belongs to whoever controls its target.
it('headers given with a GET stay within the origin for which they were given', async () => {
  const tokens: unknown[] = [];
  outside.answer((incoming, response) => {
    tokens.push(incoming.headers['authorization']);
    if (incoming.url === '/a') response.writeHead(302, { location: '/b' }).end();
    else if (incoming.url === '/b') response.writeHead(302, { location: 'http://img.shop.test/c' }).end();
    else response.end('there');
  });
  expect(await ask('http://shop.test/a', { headers: { authorization: 'Bearer x' } })).toMatchObject({ ok: true });
  expect(tokens).toEqual(['Bearer x', 'Bearer x', undefined]);
});

describe('a request', () => {
  it('ends when it is told to, and says so', async () => {
    outside.answer(() => undefined);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    expect(reasonOf(await ask('http://shop.test/', { signal: stop.signal }))).toBe('stopped');
    expect(reasonOf(await ask('http://shop.test/', { signal: stop.signal }))).toBe('stopped');
  });

  it('of something that is not HTTP, or has endless headers, is no answer', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    for (const answer of [
      'SSH-2.0-OpenSSH_9.9\r\n',
      switching,
      '',
      `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
    ]) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined).resume();
        socket.end(answer, () => socket.destroySoon());
      });
      await new Promise<void>((resolve) => {
        server.listen(0, SHOP_ADDRESS, resolve);
      });
      const ports = new Map([[SHOP_ADDRESS, (server.address() as AddressInfo).port]]);
      const toThat = createGuardedRequest({ userAgent, testNetwork: { ...outside.network, ports } });
      expect(reasonOf(await toThat({ url: 'http://shop.test/', ...LIMITS }))).toBe('unreachable');
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('where nobody listens is no answer', async () => {
    const closed = await openOutside();
    await closed.close();
    closed.names.set('shop.test', [SHOP_ADDRESS]);
    const toNobody = createGuardedRequest({ userAgent, testNetwork: closed.network });
    expect(reasonOf(await toNobody({ url: 'http://shop.test/', ...LIMITS }))).toBe('unreachable');
  });

  it('as the program makes it reaches nothing of this machine', async () => {
    const real = createGuardedRequest({ userAgent });
    const { port } = new URL(`http://x:${outside.network.ports.get(SHOP_ADDRESS) ?? 0}`);
    for (const url of ['http://127.0.0.1/', `http://127.0.0.1:${port}/`, 'http://localhost/', 'http://[::1]/'])
      expect(reasonOf(await real({ url, ...LIMITS }))).toBe('address_refused');
    expect(outside.requests).toEqual([]);
  });
});
