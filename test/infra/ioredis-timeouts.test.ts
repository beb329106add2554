import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKED_VERSION } from '../../src/infra/ioredis-timeouts.ts';
import { closeRedis, createRedis, waitForRedis } from '../../src/infra/redis.ts';
import type { RedisClient } from '../../src/infra/redis.ts';
import { CHECKOUT } from '../support/child-program.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';

const log = pino({ level: 'silent' });
let test: TestRedis;
let proxy: TcpProxy;
let commands: RedisClient;
let closes = 0;

async function connect(url: string, role: 'commands' | 'blocking'): Promise<RedisClient> {
  const client = createRedis({ urls: url, role, log });
  expect(await waitForRedis(client, 5_000)).toBe(true);
  return client;
}

beforeAll(async () => {
  test = await createTestRedis();
  proxy = await createTcpProxy(test.url);
  commands = await connect(test.url, 'commands');
  commands.on('close', () => (closes += 1));
});
afterAll(async () => {
  await closeRedis(commands);
  await proxy.cut();
  await test.drop();
});

/** Holds this thread, so that its timers are due before it reads its sockets again. */
function holdMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('was checked against the version of ioredis that is installed', () => {
  const file = path.join(CHECKOUT, 'node_modules', 'ioredis', 'package.json');
  expect((JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version).toBe(CHECKED_VERSION);
});

describe('after a stop of this process', () => {
  it('a command whose answer arrived meanwhile is answered, and the connection stays', async () => {
    for (let round = 0; round < 5; round += 1) {
      await nextTurn();
      const pong = commands.ping();
      holdMs(700);
      expect(await pong).toBe('PONG');
    }
    await nextTurn();
    expect(commands.status).toBe('ready');
    expect(closes).toBe(0);
  });

  it('a blocking read returns the entries that arrived meanwhile', async () => {
    const blocking = await connect(test.url, 'blocking');
    await test.redis.xadd('stream', '*', 'field', 'value');
    await nextTurn();
    const read = blocking.xread('BLOCK', 10, 'STREAMS', 'stream', '0');
    holdMs(2_700);
    expect(JSON.stringify(await read)).toContain('value');
    await closeRedis(blocking);
  });
});

describe('without a stop, the limits hold', () => {
  it('a command without an answer fails after 150 ms, and a silent connection ends after 500 ms', async () => {
    const client = await connect(proxy.url, 'commands');
    const closed = new Promise<number>((resolve) => {
      client.once('close', () => resolve(performance.now()));
    });
    proxy.mute(true);
    const startedAtMs = performance.now();
    await expect(client.ping()).rejects.toThrow('Command timed out');
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeGreaterThan(140);
    expect(tookMs).toBeLessThan(400);
    const silentMs = (await closed) - startedAtMs;
    expect(silentMs).toBeGreaterThan(490);
    expect(silentMs).toBeLessThan(1_000);
    proxy.mute(false);
    await closeRedis(client);
  });

  it('a blocking read that gets no answer ends after its own wait and 2,500 ms', async () => {
    const client = await connect(proxy.url, 'blocking');
    proxy.mute(true);
    const startedAtMs = performance.now();
    expect(await client.xread('BLOCK', 100, 'STREAMS', 'empty', '0')).toBeNull();
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeGreaterThan(2_590);
    expect(tookMs).toBeLessThan(4_000);
    proxy.mute(false);
    await closeRedis(client);
  });
});
