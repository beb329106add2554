import { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { rawBody } from '../../src/http/request-pipeline.ts';
import { fen, prefixedId, problemResponses, text } from '../../src/http/fields.ts';
import { createDb } from '../../src/infra/db.ts';
import { asAdmin, createTestServer, PUBLIC_URL } from './test-server.ts';
import type { TestServer } from './test-server.ts';

/** No test of this file gets as far as a database. */
const db = createDb({ url: 'postgres://127.0.0.1:1/none', applicationName: 'test', onError: () => {} });
let server: TestServer;
let thrown: unknown;

beforeAll(async () => {
  server = await createTestServer(db, async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/things',
      config: { roles: ['admin'] },
      schema: {
        body: z.strictObject({
          name: text(10),
          amountFen: fen.optional(),
          rate: z.union([z.strictObject({ rateBp: z.int() }), z.strictObject({ flatFen: fen })]).optional(),
        }),
        response: { 200: z.object({ name: z.string() }), ...problemResponses },
      },
      handler: async (request) => ({ name: request.body.name, internal: 'never shown' }),
    });
    app.route({
      method: 'GET',
      url: '/v1/things/:id',
      config: { roles: ['admin'] },
      schema: { params: z.strictObject({ id: prefixedId('brd') }) },
      handler: async () => {
        throw thrown;
      },
    });
    app.route({
      method: 'GET',
      url: '/page/:code',
      handler: async () => {
        throw thrown;
      },
    });
    await app.register(async (hooks) => {
      rawBody(hooks);
      hooks.post('/hooks/echo', (request, reply) => {
        void reply.send({ isBuffer: Buffer.isBuffer(request.body), hex: (request.body as Buffer).toString('hex') });
      });
    });
  });
});

afterAll(async () => {
  await server.app.close();
  await db.end();
});

async function post(payload: string | Buffer, contentType = 'application/json') {
  const headers = { ...asAdmin, 'content-type': contentType };
  return server.app.inject({ method: 'POST', url: '/v1/things', headers, payload });
}

async function getThing(id = 'brd_1') {
  return server.app.inject({ url: `/v1/things/${id}`, headers: asAdmin });
}

describe('a faulty request', () => {
  it('is answered with problem details that name every field', async () => {
    const answer = await post('{"name": "", "amountFen": -1, "rate": {"rateBp": "x"}, "extra": 1}');
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    const problem = answer.json<{ errors: { path: string }[]; instance: string }>();
    expect(problem).toMatchObject({
      type: `${PUBLIC_URL}/problems/validation-failed`,
      title: 'The request is not valid',
      status: 400,
      code: 'validation_failed',
    });
    expect(problem.instance).toMatch(/^urn:daihuo:request:[0-9a-f-]{36}$/);
    expect(problem.errors.map((error) => error.path).toSorted()).toEqual(['amountFen', 'extra', 'name', 'rate.rateBp']);
  });

  const unreadable: [string, string | Buffer][] = [
    ['cut off', '{"name":'],
    ['empty', ''],
    ['not an object', '[]'],
    ['NaN', '{"name": NaN}'],
    ['a __proto__ key', '{"name": "a", "__proto__": {"isAdmin": true}}'],
    ['a constructor.prototype key', '{"name": "a", "constructor": {"prototype": {}}}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['NUL in a text', String.raw`{"name": "a\u0000b"}`],
    ['a lone surrogate in a text', String.raw`{"name": "a\ud800b"}`],
    ['an amount beyond 2^53 - 1', '{"name": "a", "amountFen": 9007199254740993}'],
    ['an amount of 1e400', '{"name": "a", "amountFen": 1e400}'],
    ['an amount with decimals', '{"name": "a", "amountFen": 1.5}'],
    ['400,000 open brackets', '['.repeat(400_000)],
    ['400,000 open brackets in a field', `{"name": ${'['.repeat(400_000)}${']'.repeat(400_000)}}`],
    ['500,000 unknown fields', `{${Array.from({ length: 80_000 }, (_, index) => `"k${index}":1`).join(',')}}`],
  ];
  it.each(unreadable)('%s: 400 validation_failed', async (_name, payload) => {
    const answer = await post(payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'validation_failed', status: 400 });
    expect(answer.body.length).toBeLessThan(20_000);
  });

  it('a JSON body with a byte order mark is read', async () => {
    expect((await post(`\uFEFF{"name": "带货"}`)).json()).toEqual({ name: '带货' });
  });

  it('above 1 MiB: 413', async () => {
    const answer = await post(`{"name": "${'x'.repeat(1024 * 1024)}"}`);
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({ code: 'validation_failed', status: 413 });
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'x',
  ])('Content-Type %s: 415, never an unvalidated body', async (contentType) => {
    const answer = await post('{"extra": 1}', contentType);
    expect(answer.statusCode).toBe(415);
    expect(answer.json()).toMatchObject({ code: 'validation_failed' });
  });

  it.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=gbk',
    'application/json\t; a=b',
    'application/json ;',
    ' application/json',
    'application/json garbage',
    'application/json, text/plain',
    'application/json;application/xml',
  ])('Content-Type "%s" never skips validation', async (contentType) => {
    const answer = await post('{"name": "a", "extra": 1}', contentType);
    expect([400, 415]).toContain(answer.statusCode);
    expect(answer.json()).toMatchObject({ code: 'validation_failed' });
  });

  it('a body without Content-Type is not taken for none', async () => {
    const answer = await server.app.inject({
      method: 'POST',
      url: '/v1/things',
      headers: asAdmin,
      payload: Buffer.from('{"extra": 1}'),
    });
    expect(answer.statusCode).toBe(415);
  });

  it('a path parameter that cannot be an id answers as an unknown one', async () => {
    for (const id of ['prd_1', 'brd_%00', 'x'.repeat(500), '%F0%9F%98%80', 'BRD_1']) {
      const answer = await getThing(id);
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([404, 'not_found']);
    }
  });

  it('fields the answer schema does not name are not shown', async () => {
    expect((await post('{"name": " a "}')).body).toBe('{"name":"a"}');
  });
});

describe('an address that is not there', () => {
  it.each(['/v1/nothing', '/v1', '/v1/things/brd_1/more', '/hooks/nothing', '/v1?x=/page'])(
    '%s: problem details',
    async (url) => {
      const answer = await server.app.inject({ url });
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ code: 'not_found' });
    },
  );

  it('the wrong method: 405 and what is allowed', async () => {
    const answer = await server.app.inject({ method: 'PATCH', url: '/v1/things?x=1' });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers['allow']).toBe('POST');
    expect(answer.json()).toMatchObject({ code: 'method_not_allowed' });
  });

  it.each(['/', '/nothing', '/v1x/y', '/%E0%A4', '/a/b/c'])('%s: a page in Chinese, never JSON', async (url) => {
    const answer = await server.app.inject({ url });
    expect(answer.statusCode).toBe(404);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.body).toContain('页面不存在');
  });

  it('a URL under /v1 that cannot be decoded: 400', async () => {
    const answer = await server.app.inject({ url: '/v1/%E0%A4' });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'validation_failed']);
  });
});

describe('a fault of ours', () => {
  const away: [string, unknown][] = [
    ['connection refused', Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' })],
    ['all addresses refused', new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })])],
    ['the pool is exhausted', new Error('timeout exceeded when trying to connect')],
    ['Postgres shuts down', databaseError('57P01')],
    ['a statement timeout', databaseError('57014')],
    ['a deadlock', databaseError('40P01')],
    ['too many connections', databaseError('53300')],
    ['COMMIT without its tag', Object.assign(new Error('COMMIT answered ROLLBACK'), { name: 'CommitLostError' })],
    [
      'Redis is loading',
      Object.assign(new Error('LOADING Redis is loading the dataset in memory'), { name: 'ReplyError' }),
    ],
    ['Redis is silent', new Error('Command timed out')],
    ['wrapped by somebody', new Error('could not', { cause: new Error('Connection terminated unexpectedly') })],
  ];
  it.each(away)('%s: 503 with Retry-After', async (_name, error) => {
    thrown = error;
    const answer = await getThing();
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.json()).toMatchObject({ code: 'unavailable' });
  });

  const bugs: [string, unknown][] = [
    ['an assertion', new Error('secret detail')],
    ['a unique violation nobody expected', databaseError('23505')],
    ['a wrong type for Redis', Object.assign(new Error('WRONGTYPE secret detail'), { name: 'ReplyError' })],
    ['something that is no error', 'secret detail'],
    ['an error that claims to be a refusal', Object.assign(new Error('secret detail'), { statusCode: 418 })],
  ];
  it.each(bugs)('%s: 500 without any detail, logged under the request id', async (_name, error) => {
    thrown = error;
    const answer = await getThing('brd_logged');
    expect(answer.statusCode).toBe(500);
    const problem = answer.json<{ code: string; instance: string }>();
    expect(problem.code).toBe('internal_error');
    expect(answer.body).not.toContain('secret detail');
    const requestId = problem.instance.replace('urn:daihuo:request:', '');
    const line = server
      .logText()
      .split('\n')
      .find((each) => each.includes(requestId));
    expect(line).toContain('GET /v1/things/:id');
    expect(line).not.toContain('brd_logged');
  });

  it('a visitor sees a page, whatever failed', async () => {
    for (const error of [new Error('secret detail'), databaseError('57P01')]) {
      thrown = error;
      const answer = await server.app.inject({ url: '/page/abc' });
      expect(answer.statusCode).toBeGreaterThanOrEqual(500);
      expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(answer.body).toContain('请稍后再试');
      expect(answer.body).not.toContain('secret detail');
    }
  });
});

describe('raw bodies', () => {
  it.each(['application/json', 'application/x-www-form-urlencoded', 'text/plain; charset=gbk', undefined])(
    'arrive byte for byte, Content-Type %s',
    async (contentType) => {
      const bytes = Buffer.from([0x00, 0xff, 0x7b, 0x0a]);
      const headers = contentType === undefined ? {} : { 'content-type': contentType };
      const answer = await server.app.inject({ method: 'POST', url: '/hooks/echo', headers, payload: bytes });
      expect(answer.json()).toEqual({ isBuffer: true, hex: '00ff7b0a' });
    },
  );
});

it('every answer carries the security headers', async () => {
  const answer = await server.app.inject({ url: '/v1/nothing' });
  expect(answer.headers).toMatchObject({
    'content-security-policy': expect.stringContaining("default-src 'none'") as unknown,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
  expect(answer.headers).not.toHaveProperty('x-powered-by');
});

function databaseError(code: string): DatabaseError {
  const error = new DatabaseError('secret detail', 0, 'error');
  error.code = code;
  return error;
}
