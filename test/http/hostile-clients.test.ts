import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createDb } from '../../src/infra/db.ts';
import { asAdmin, createTestServer } from './test-server.ts';
import type { TestServer } from './test-server.ts';
import { SOON_MS } from '../support/timing.ts';

const REQUEST_TIMEOUT_MS = 1000;
const db = createDb({ url: 'postgres://127.0.0.1:1/none', applicationName: 'test', onError: () => {} });
let server: TestServer;
let port: number;

beforeAll(async () => {
  server = await createTestServer(
    db,
    (app) => {
      app.route({ method: 'POST', url: '/page/take', handler: async () => 'taken' });
      app.route({
        method: 'GET',
        url: '/page/address',
        handler: async (request) => ({ address: request.ip }),
      });
    },
    { requestTimeoutMs: REQUEST_TIMEOUT_MS, trustProxy: ['10.0.0.0/8'] },
  );
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  port = (server.app.server.address() as AddressInfo).port;
});

afterAll(async () => {
  await server.app.close();
  await db.end();
});

/** Sends raw bytes and waits until the server ends the connection. */
async function raw(bytes: string): Promise<{ text: string; tookMs: number }> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve({ text, tookMs: performance.now() - startedMs }));
  });
}

it.each([
  ['no HTTP at all', 'hello\r\n\r\n', '400'],
  [
    'Content-Length and chunked at once',
    'POST /page/take HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    '400',
  ],
  [
    'two Content-Lengths',
    'POST /page/take HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd',
    '400',
  ],
  ['a bare line feed in a header', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\nc\r\n\r\n', '400'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', '400'],
  ['a header of 20 KB', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, '431'],
  ['10,000 headers', `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(10_000)}\r\n`, '431'],
  ['a URL of 64 KB', `GET /${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`, '431'],
])('%s is refused plainly and the connection ends', async (_name, bytes, status) => {
  const { text } = await raw(bytes);
  expect(text.startsWith(`HTTP/1.1 ${status} `)).toBe(true);
  expect(text.split('HTTP/1.1 ')).toHaveLength(2);
  expect(text.toLowerCase()).not.toContain('json');
});

it.each([
  ['headers', 'GET / HTTP/1.1\r\nHost: x\r\nA: '],
  ['a body', 'POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'],
])('a client that never finishes %s is cut off soon after the time limit', async (_name, bytes) => {
  const headers = Object.entries(asAdmin).map(([name, value]) => `${name}: ${value}\r\n`);
  const { tookMs } = await raw(bytes.replace('Host: x\r\n', `Host: x\r\n${headers.join('')}`));
  expect(tookMs).toBeLessThan(REQUEST_TIMEOUT_MS + SOON_MS);
});

it.each(['TRACE', 'PROPFIND', 'OPTIONS'])('the method %s opens nothing', async (method) => {
  const { text } = await raw(`${method} /v1/keys HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(text).toMatch(/^HTTP\/1\.1 (400|404|405) /);
});

it('a method override header overrides nothing', async () => {
  const { text } = await raw(
    'GET /page/take HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n',
  );
  expect(text).toMatch(/^HTTP\/1\.1 404 /);
});

async function addressSeen(remoteAddress: string): Promise<string> {
  const headers = { 'x-forwarded-for': '203.0.113.7' };
  const answer = await server.app.inject({ url: '/page/address', remoteAddress, headers });
  return answer.json<{ address: string }>().address;
}

it('X-Forwarded-For counts only behind a trusted proxy', async () => {
  expect(await addressSeen('10.1.2.3')).toBe('203.0.113.7');
  expect(await addressSeen('192.0.2.1')).toBe('192.0.2.1');
});
