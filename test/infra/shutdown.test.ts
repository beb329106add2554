import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { closeHttp, createShutdown } from '../../src/infra/shutdown.ts';
import type { Shutdown } from '../../src/infra/shutdown.ts';

function quietShutdown(): Shutdown {
  return createShutdown({ log: pino({ level: 'silent' }) });
}

async function forever(): Promise<void> {
  await new Promise(() => undefined);
}

describe('an ordered stop', () => {
  test('runs the phases one after another, what was added last first, and once', async () => {
    const shutdown = quietShutdown();
    const said: string[] = [];
    for (const name of ['services', 'pool', 'http']) {
      shutdown.add(name, 1_000, async () => {
        said.push(`${name} stops`);
        await sleep(10);
        said.push(`${name} stopped`);
      });
    }
    expect(await Promise.all([shutdown.run('test'), shutdown.run('again')])).toEqual([0, 0]);
    expect(said).toEqual(['http', 'pool', 'services'].flatMap((name) => [`${name} stops`, `${name} stopped`]));
  });

  test('a phase that fails or hangs does not keep the others from stopping, is forced, and makes the exit code 1', async () => {
    const shutdown = quietShutdown();
    const said: string[] = [];
    shutdown.add('last', 1_000, () => void said.push('last'));
    shutdown.add('hangs', 30, forever, () => void said.push('forced'));
    shutdown.add('fails', 1_000, () => {
      throw new Error('no');
    });
    expect(await shutdown.run('test')).toBe(1);
    expect(said).toEqual(['forced', 'last']);
  });

  test('a stop because of a failure exits with 1 although every phase went well', async () => {
    expect(await quietShutdown().run('test', { failed: true })).toBe(1);
  });

  test('everything hanging ends within ten seconds, and the last phase still gets its chance', async () => {
    const shutdown = quietShutdown();
    const said: string[] = [];
    shutdown.add('private services', 8_000, async () => {
      await sleep(100);
      said.push('stopped');
    });
    for (const name of ['a', 'b', 'c']) shutdown.add(name, 8_000, forever);
    const startedAtMs = performance.now();
    expect(await shutdown.run('test')).toBe(1);
    expect(performance.now() - startedAtMs).toBeLessThan(11_000);
    expect(said).toEqual(['stopped']);
  });

  test('what is still starting is told to give up', async () => {
    const shutdown = quietShutdown();
    expect(shutdown.signal.aborted).toBe(false);
    await shutdown.run('test');
    expect(shutdown.signal.aborted).toBe(true);
  });
});

describe('closing HTTP', () => {
  test('answers the request in flight and ends although a client keeps its connection', async () => {
    const app = Fastify();
    const arrived = Promise.withResolvers<void>();
    app.get('/slow', async () => {
      arrived.resolve();
      await sleep(300);
      return 'answered';
    });
    const address = await app.listen({ port: 0 });
    const agent = new Agent({ keepAlive: true });
    const answer = new Promise<number | undefined>((resolve, reject) => {
      get(`${address}/slow`, { agent }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    await arrived.promise;
    const startedAtMs = performance.now();
    await closeHttp(app, app.server);
    expect(await answer).toBe(200);
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    agent.destroy();
  });

  test('cuts a request that never ends', async () => {
    const app = Fastify();
    const arrived = Promise.withResolvers<void>();
    app.get('/stuck', async () => {
      arrived.resolve();
      await forever();
    });
    const address = await app.listen({ port: 0 });
    const answer = fetch(`${address}/stuck`).then(
      () => 'answered',
      () => 'cut',
    );
    await arrived.promise;
    await closeHttp(app, app.server, { dropAfterMs: 200 });
    expect(await answer).toBe('cut');
  });
});
