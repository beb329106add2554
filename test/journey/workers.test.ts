/** One server in several processes: `serve --workers`. Real processes, killed and stopped. */
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Program } from '../support/child-program.ts';
import { createTestDatabase } from '../support/database.ts';
import { seedLink } from '../support/promotion.ts';
import { install, outcomeOf } from './daihuo-process.ts';
import type { Installation } from './daihuo-process.ts';
import { waitUntil } from '../support/timing.ts';

const TIMEOUT_MS = 240_000;
const DESKTOP = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) aweme_32.1.0';

let installation: Installation;
let code: string;

beforeAll(async () => {
  installation = await install();
  ({ code } = await seedLink(installation.database.db));
});
afterAll(async () => {
  await installation.remove();
});

interface Server {
  program: Program;
  origin: string;
  metricsUrl: string;
  pids: number[];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function serve(args: string[], env: Record<string, string> = {}): Promise<Server> {
  const metricsPort = await freePort();
  const program = installation.run(args, { METRICS_PORT: String(metricsPort), ...env });
  const origin = (await program.line(/^daihuo ready on /)).split(' ').at(-1) ?? '';
  const pids = (await program.line(/^daihuo runs in \d+ processes: /)).split(': ').at(-1) ?? '';
  return { program, origin, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, pids: pids.split(', ').map(Number) };
}

function isRunning(pid: number): boolean {
  try {
    // A process that has ended and was not fetched by its parent yet is one no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** Sockets that a process holds. */
function socketsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** How a program ended, with all it had to say where it was not in order. */
async function endOf(program: Program): Promise<string> {
  const exitCode = await program.ended;
  return exitCode === 0 ? 'in order' : `with ${exitCode}: ${program.stderr()}`;
}

/** Half a request for each process, which waits seconds for the rest before it ends. @returns gives them up */
async function occupy(origin: string, pids: readonly number[]): Promise<() => void> {
  const before = pids.map(socketsOf);
  const { hostname, port } = new URL(origin);
  const sockets = Array.from({ length: 8 }, () => connect(Number(port), hostname).on('error', () => undefined));
  for (const socket of sockets) socket.write('GET /healthz HTTP/1.1\r\nHost: half\r\n');
  const isHeld = (pid: number, index: number): boolean => socketsOf(pid) > (before[index] ?? 0);
  await waitUntil(() => expect(pids.every(isHeld)).toBe(true));
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

/** One visit; over `agent` where its connection is to stay. @returns the status */
async function visit(origin: string, agent?: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${origin}/${code}`, { agent: agent ?? false, headers: { 'user-agent': DESKTOP } }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    }).once('error', reject);
  });
}

async function metric(url: string, name: string): Promise<number> {
  return valueOf(await (await fetch(url)).text(), name);
}

function valueOf(text: string, name: string): number {
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? Number.NaN,
  );
}

/** Visits that were redirected; the busier the machine, the more of them without a click id. */
async function redirects(url: string, headers: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(url, { headers })).text();
  const counts = ['tracked', 'untracked'].map((outcome) => valueOf(text, `redirects_total{outcome="${outcome}"}`));
  return counts.filter((count) => !Number.isNaN(count)).reduce((sum, count) => sum + count, 0);
}

describe('serve --workers 2', () => {
  it(
    'connections are shared out evenly, and every process shows the sum of what all measure',
    async () => {
      const { program, origin, metricsUrl, pids } = await serve(['serve', '--workers', '2']);
      expect(new Set(childrenOf(program.child.pid ?? 0))).toEqual(new Set(pids));
      const before = pids.map(socketsOf);
      const agents = Array.from({ length: 40 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      const statuses = await Promise.all(agents.map(async (agent) => visit(origin, agent)));
      expect(new Set(statuses)).toEqual(new Set([302]));
      const more = pids.map((pid, index) => socketsOf(pid) - (before[index] ?? 0));
      // By turns, but a process that is busy at the moment is passed over.
      for (const count of more) expect(count).toBeGreaterThan(5);

      const admin = { authorization: `Bearer ${installation.adminKey}` };
      // Whichever process answers: asked often enough, both do.
      for (let time = 0; time < 4; time += 1) expect(await redirects(`${origin}/metrics`, admin)).toBe(40);
      expect(await redirects(metricsUrl)).toBe(40);
      expect(await metric(metricsUrl, 'http_processes{state="wanted"}')).toBe(2);
      expect(await metric(metricsUrl, 'http_processes{state="ready"}')).toBe(2);
      const text = await (await fetch(metricsUrl)).text();
      expect(text).not.toContain('_total_total');
      expect(text.endsWith('# EOF\n')).toBe(true);
      for (const agent of agents) agent.destroy();
      program.child.kill('SIGTERM');
      expect(await program.ended).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'a process that was killed is replaced, the others serve meanwhile, and no counter falls',
    async () => {
      const { program, origin, metricsUrl, pids } = await serve(['serve', '--workers', '2']);
      for (let time = 0; time < 20; time += 1) await visit(origin);
      expect(await redirects(metricsUrl)).toBe(20);
      process.kill(pids[0] ?? 0, 'SIGKILL');
      await waitUntil(async () => expect(await metric(metricsUrl, 'http_process_ends_total')).toBe(1));
      for (let time = 0; time < 20; time += 1) expect(await visit(origin)).toBe(302);
      await waitUntil(async () => expect(await metric(metricsUrl, 'http_processes{state="ready"}')).toBe(2));
      expect(await redirects(metricsUrl)).toBe(40);
      expect(childrenOf(program.child.pid ?? 0)).toContain(pids[1]);
      program.child.kill('SIGTERM');
      expect(await program.ended).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'SIGTERM reaches all of them, answers what is under way, and leaves none behind, within 5 s',
    async () => {
      const { program, origin, pids } = await serve(['serve', '--workers', '2'], { LOG_LEVEL: 'info' });
      const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      await Promise.all(agents.map(async (agent) => visit(origin, agent)));
      const startedAtMs = performance.now();
      program.child.kill('SIGTERM');
      // The second round goes over the connections of the first, while all of them stop.
      expect(new Set(await Promise.all(agents.map(async (agent) => visit(origin, agent))))).toEqual(new Set([302]));
      expect(await program.ended).toBe(0);
      expect(performance.now() - startedAtMs).toBeLessThan(15_000);
      expect(pids.filter(isRunning)).toEqual([]);
      for (const agent of agents) agent.destroy();
      const lines = program.stderr().trimEnd().split('\n');
      const stopping = lines.map((line) => JSON.parse(line) as { pid: number; msg: string; reason?: string });
      const told = stopping
        .filter(({ msg, reason }) => msg === 'stopping' && reason === 'SIGTERM')
        .map(({ pid }) => pid);
      expect(told).toHaveLength(3);
      expect(new Set(told)).toEqual(new Set([program.child.pid ?? 0, ...pids]));
    },
    TIMEOUT_MS,
  );

  it(
    'Ctrl-C, which a terminal gives to all of them at once, is one stop without a wait',
    async () => {
      const { program, pids } = await serve(['serve', '--workers', '2'], { SHUTDOWN_GRACE_MS: '60000' });
      const startedAtMs = performance.now();
      for (const pid of [program.child.pid ?? 0, ...pids]) process.kill(pid, 'SIGINT');
      expect(await endOf(program)).toBe('in order');
      // Far from the minute that would be waited, and from what a busy machine needs.
      expect(performance.now() - startedAtMs).toBeLessThan(20_000);
      expect(pids.filter(isRunning)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s, which a terminal or a supervisor gives to all of them, is one stop also where the one that keeps them hears it late and passes it on',
    async (signal) => {
      const { program, origin, pids } = await serve(['serve', '--workers', '2'], { SHUTDOWN_GRACE_MS: '0' });
      const release = await occupy(origin, pids);
      const keeper = program.child.pid ?? 0;
      process.kill(keeper, 'SIGSTOP');
      for (const pid of pids) process.kill(pid, signal);
      await sleep(1_300);
      expect(pids.every(isRunning)).toBe(true);
      process.kill(keeper, signal);
      process.kill(keeper, 'SIGCONT');
      expect(await endOf(program)).toBe('in order');
      expect(pids.filter(isRunning)).toEqual([]);
      release();
    },
    TIMEOUT_MS,
  );

  it(
    'a second Ctrl-C a second later ends all of them at once',
    async () => {
      const { program, origin, pids } = await serve(['serve', '--workers', '2']);
      const release = await occupy(origin, pids);
      const group = [program.child.pid ?? 0, ...pids];
      for (const pid of group) process.kill(pid, 'SIGINT');
      await sleep(1_200);
      for (const pid of group.filter(isRunning)) process.kill(pid, 'SIGINT');
      expect(await program.ended).toBe(1);
      await waitUntil(() => expect(pids.filter(isRunning)).toEqual([]));
      release();
    },
    TIMEOUT_MS,
  );

  it(
    'when the one that keeps them is killed, none of them stays',
    async () => {
      const { program, pids } = await serve(['serve', '--workers', '2']);
      program.child.kill('SIGKILL');
      await program.ended;
      await waitUntil(() => expect(pids.filter(isRunning)).toEqual([]));
    },
    TIMEOUT_MS,
  );

  it('where none can start, the reason is said once and the exit code is 1', async () => {
    const empty = await createTestDatabase({ isEmpty: true });
    try {
      const program = installation.run(['serve', '--workers', '3'], { DATABASE_URL: empty.url, LOG_LEVEL: 'silent' });
      const { code: exitCode, stdout, stderr } = await outcomeOf(program);
      expect([exitCode, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /^The database lacks graphile_worker 20, 0001_[^\n]* Run 'daihuo migrate' first\.\nNo process of daihuo gets ready; the last one ended with 1\.\n$/,
      );
    } finally {
      await empty.drop();
    }
  });

  it('a port that is taken is said in one sentence', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const program = installation.run(['serve', '--workers', '2'], { PORT: String(port) });
    const { code: exitCode, stderr } = await outcomeOf(program);
    server.close();
    expect([exitCode, stderr]).toEqual([
      1,
      `Port ${port} on 127.0.0.1 is taken by another program. Stop that, or set PORT to another one.\n`,
    ]);
  });

  it('one worker is no cluster: the process that was started serves', async () => {
    const program = installation.run(['serve', '--workers', '1']);
    const origin = (await program.line(/^daihuo ready on /)).split(' ').at(-1) ?? '';
    expect(await visit(origin)).toBe(302);
    expect(childrenOf(program.child.pid ?? 0)).toEqual([]);
    program.child.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });
});
