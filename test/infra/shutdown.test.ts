import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { drainHttp } from '../../src/infra/drain-http.ts';
import { createShutdown } from '../../src/infra/shutdown.ts';
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
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
    expect(said).toEqual(['stopped']);
  });

  test('after SIGTERM the first phase waits as long as was asked for; nothing else is waited for', async () => {
    for (const [reason, isWaitedFor] of [
      ['SIGTERM', true],
      ['SIGINT', false],
      ['it could not start', false],
    ] as const) {
      const shutdown = quietShutdown();
      let stoppedAtMs = 0;
      shutdown.add('http', 1_000, () => void (stoppedAtMs = performance.now()));
      const waitMs = isWaitedFor ? 200 : 20_000;
      shutdown.waitAfterSigterm(waitMs);
      shutdown.waitAfterSigterm(waitMs / 2);
      const startedAtMs = performance.now();
      const stopped = shutdown.run(reason);
      // Whoever asks is told at once: a load balancer looks while the wait lasts.
      expect(shutdown.signal.aborted).toBe(true);
      await stopped;
      expect([reason, stoppedAtMs - startedAtMs >= waitMs - 1]).toEqual([reason, isWaitedFor]);
    }
  });

  test('what is still starting is told to give up', async () => {
    const shutdown = quietShutdown();
    expect(shutdown.signal.aborted).toBe(false);
    await shutdown.run('test');
    expect(shutdown.signal.aborted).toBe(true);
  });
});

/** One request over `agent`, its body read. */
async function ask(url: string, agent: Agent): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume().once('end', () => {
        resolve({ status: response.statusCode, connection: response.headers.connection });
      });
    }).once('error', reject);
  });
}

/** When a connection that should not be waited for was waited for, closing takes at least this long. */
const DROP_AFTER_MS = 30_000;

describe('draining HTTP', () => {
  test('announced, it goes on listening and tells every client in an answer to come back on another connection', async () => {
    const app = Fastify();
    app.get('/', async () => 'answered');
    const drain = drainHttp(app, app.server);
    const address = await app.listen({ port: 0 });
    const agent = new Agent({ keepAlive: true });
    expect(await ask(address, agent)).toEqual({ status: 200, connection: 'keep-alive' });
    drain.announce();
    expect(await ask(address, agent)).toEqual({ status: 200, connection: 'close' });
    // The agent has no connection left: this one is new, and still served.
    expect(await ask(address, agent)).toEqual({ status: 200, connection: 'close' });
    await drain.close();
    await expect(ask(address, agent)).rejects.toThrow('ECONNREFUSED');
    agent.destroy();
  });

  test('answers that set their headers all at once, past the framework, say so too', async () => {
    const app = Fastify({
      serverFactory: (handle) => {
        const server = createServer((request, response) => {
          if (request.url === '/fast') response.writeHead(302, ['location', 'https://example.com/', 'x', '1']).end();
          else handle(request, response);
        });
        return server;
      },
    });
    const drain = drainHttp(app, app.server);
    const address = await app.listen({ port: 0 });
    drain.announce();
    const agent = new Agent({ keepAlive: true });
    expect(await ask(`${address}/fast`, agent)).toEqual({ status: 302, connection: 'close' });
    await drain.close();
    agent.destroy();
  });

  test('answers the request in flight and ends although a client keeps its connection', async () => {
    const app = Fastify();
    const arrived = Promise.withResolvers<void>();
    app.get('/slow', async () => {
      arrived.resolve();
      await sleep(300);
      return 'answered';
    });
    const drain = drainHttp(app, app.server, { dropAfterMs: DROP_AFTER_MS });
    const address = await app.listen({ port: 0 });
    const agent = new Agent({ keepAlive: true });
    const answer = ask(`${address}/slow`, agent);
    await arrived.promise;
    const startedAtMs = performance.now();
    await drain.close();
    expect((await answer).status).toBe(200);
    expect(performance.now() - startedAtMs).toBeLessThan(DROP_AFTER_MS / 2);
    agent.destroy();
  });

  test('serves a request that was sent, and not read yet, when it closed', async () => {
    const app = Fastify();
    app.get('/', async () => 'answered');
    const drain = drainHttp(app, app.server);
    const address = await app.listen({ port: 0 });
    const agent = new Agent({ keepAlive: true });
    await ask(address, agent);
    const [socket] = Object.values(agent.freeSockets).flat();
    // In the kernel, and with a server that is busy: it can read it only after it was told to close.
    const answer = ask(address, agent);
    const written = Promise.withResolvers<void>();
    socket?.once('drain', written.resolve);
    setImmediate(written.resolve);
    await written.promise;
    await drain.close();
    expect((await answer).status).toBe(200);
    agent.destroy();
  });

  test('connections that wait to be accepted are, and a new one has time to speak; one that stays silent is not waited for', async () => {
    const app = Fastify();
    app.get('/', async () => 'answered');
    const drain = drainHttp(app, app.server, { dropAfterMs: DROP_AFTER_MS });
    const { hostname, port } = new URL(await app.listen({ port: 0 }));
    const sockets = Array.from({ length: 20 }, () => connect(Number(port), hostname));
    await Promise.all(sockets.map(async (socket) => once(socket, 'connect')));
    // The kernel has made all of them by now; the event loop has taken few.
    const startedAtMs = performance.now();
    const closed = drain.close();
    const [silent, ...speakers] = sockets;
    await sleep(50);
    const answers = speakers.map(async (socket) => {
      socket.write('GET / HTTP/1.1\r\nhost: daihuo.test\r\nconnection: close\r\n\r\n');
      return (await socket.setEncoding('utf8').toArray()).join('');
    });
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    await closed;
    expect(performance.now() - startedAtMs).toBeLessThan(DROP_AFTER_MS / 2);
    silent?.destroy();
  });

  test('cuts a request that never ends', async () => {
    const app = Fastify();
    const arrived = Promise.withResolvers<void>();
    app.get('/stuck', async () => {
      arrived.resolve();
      await forever();
    });
    const drain = drainHttp(app, app.server, { dropAfterMs: 200 });
    const address = await app.listen({ port: 0 });
    const answer = fetch(`${address}/stuck`).then(
      () => 'answered',
      () => 'cut',
    );
    await arrived.promise;
    await drain.close();
    expect(await answer).toBe('cut');
  });
});
