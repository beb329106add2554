import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeRedis, createRedis, waitForRedis } from '../../src/infra/redis.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { shortestMs, SOON_MS } from '../support/timing.ts';

const log = pino({ level: 'silent' });
let first: TestRedis;
let second: TestRedis;

/** Stands between a client and Redis; muted, it lets the questions through and keeps the answers, as a stopped server would. */
async function createMutableProxy(target: string): Promise<{ url: string; mute(on: boolean): void; close(): void }> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isMuted = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    client.pipe(upstream);
    upstream.on('data', (answer: Buffer) => {
      if (!isMuted) client.write(answer);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [client, upstream].map((each) => each.destroy()));
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    mute: (on) => {
      isMuted = on;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

beforeAll(async () => {
  [first, second] = await Promise.all([createTestRedis(), createTestRedis()]);
});
afterAll(async () => {
  await first.drop();
  await second.drop();
});

test('two test files never see the keys of each other', async () => {
  await first.redis.set('clicks:{0}', 'mine');
  expect(await second.redis.get('clicks:{0}')).toBeNull();
  expect(new URL(first.url).pathname).not.toBe(new URL(second.url).pathname);
});

test('a command without a connection fails at once instead of waiting in memory', async () => {
  const client = createRedis({ urls: 'redis://127.0.0.1:1', role: 'commands', log });
  const tookMs = await shortestMs(async () => expect(client.get('x')).rejects.toThrow(/writeable|closed/i));
  expect(tookMs).toBeLessThan(500);
  expect(await waitForRedis(client, 50)).toBe(false);
  await closeRedis(client);
});

test('a server that falls silent is given up on: every promise is settled, and commands work again when it is back', async () => {
  const proxy = await createMutableProxy(first.url);
  const client = createRedis({ urls: proxy.url, role: 'commands', log });
  expect(await waitForRedis(client, 30_000)).toBe(true);
  proxy.mute(true);
  const startedAtMs = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, async (_, n) => await client.set(`silent:${n}`, n)),
  );
  expect(outcomes.map((each) => each.status)).toEqual(outcomes.map(() => 'rejected'));
  expect(performance.now() - startedAtMs).toBeLessThan(SOON_MS);
  await sleep(600);
  expect(client.status).not.toBe('ready');
  proxy.mute(false);
  expect(await waitForRedis(client, 30_000)).toBe(true);
  expect(await client.set('silent', 'no more')).toBe('OK');
  await closeRedis(client);
  proxy.close();
});

test('a blocking read waits as long as it asked to, beyond the limits of ordinary commands', async () => {
  const blocking = createRedis({ urls: first.url, role: 'blocking', log });
  expect(await waitForRedis(blocking, 30_000)).toBe(true);
  const startedAtMs = performance.now();
  expect(await blocking.blpop('nothing-comes', 1)).toBeNull();
  expect(performance.now() - startedAtMs).toBeGreaterThan(900);
  await closeRedis(blocking);
});

test('closing is quick with and without a server, and ends the attempts to reconnect', async () => {
  const near = createRedis({ urls: first.url, role: 'commands', log });
  await waitForRedis(near, 30_000);
  const far = createRedis({ urls: 'redis://127.0.0.1:1', role: 'commands', log });
  await Promise.all([closeRedis(near), closeRedis(far)]);
  expect([near.status, far.status]).toEqual(['end', 'end']);
});
