import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { readKeyArguments } from '../../src/cli/database-commands.ts';
import { removeHome } from '../../src/local/local-services.ts';
import { CHECKOUT, processesWith, runProgram } from '../support/child-program.ts';
import type { Program } from '../support/child-program.ts';
import { waitUntil } from '../support/timing.ts';

const MAIN = path.join(CHECKOUT, 'src', 'main.ts');
const TIMEOUT_MS = 240_000;
let folder: string;
let home: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'daihuo-cli-'));
  await chmod(folder, 0o711);
  home = path.join(folder, 'home');
});
afterEach(async () => {
  await removeHome(home);
  await rm(folder, { recursive: true, force: true });
});

function daihuo(args: string[], env: Record<string, string> = {}): Program {
  return runProgram(MAIN, args, {
    PATH: process.env['PATH'] ?? '',
    HOME: os.homedir(),
    DAIHUO_HOME: home,
    OUTGOING_REQUESTS: 'off',
    LOG_LEVEL: 'warn',
    ...env,
  });
}

async function outcome(program: Program): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return { code: await program.ended, stdout: program.stdout(), stderr: program.stderr() };
}

async function takePort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

describe('the command line', () => {
  test('help goes to standard output, an unknown command to standard error with exit code 2', async () => {
    const help = await outcome(daihuo(['help']));
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: daihuo <command>');
    const unknown = await outcome(daihuo(['strat']));
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toMatch(/^There is no command 'strat'\.\n\ndaihuo: .*\n\nUsage:/);
  });

  test('help may be asked of any command, and a word it does not know starts nothing', async () => {
    const help = await outcome(daihuo(['start', '--help']));
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: daihuo <command>');
    const mistaken = await outcome(daihuo(['start', '--port', '8080']));
    expect(mistaken).toMatchObject({ code: 2, stdout: '' });
    expect(mistaken.stderr).toMatch(/^'daihuo start' takes no arguments; settings are environment variables\.\n\n/);
  });

  test('help names every setting', async () => {
    const settings = [...(await readFile(path.join(CHECKOUT, '.env.example'), 'utf8')).matchAll(/^#? ?([A-Z_]+)=/gm)];
    expect(settings.length).toBeGreaterThan(12);
    const { stdout } = await outcome(daihuo(['help']));
    expect(settings.filter(([, name]) => !new RegExp(`\\b${name}\\b`).test(stdout))).toEqual([]);
  });

  test('faulty settings are all said, one sentence each, with exit code 1', async () => {
    const result = await outcome(daihuo(['start'], { PORT: 'x', LOG_LEVEL: 'loud' }));
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(
      result.stderr
        .trimEnd()
        .split('\n')
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual([expect.stringMatching(/^LOG_LEVEL must be/), expect.stringMatching(/^PORT must be/)]);
  });

  test('serve, redirect and worker say what they need', async () => {
    for (const command of ['serve', 'redirect', 'worker']) {
      const result = await outcome(daihuo([command]));
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toMatch(new RegExp(`^'daihuo ${command}' needs DATABASE_URL and REDIS_URL`));
    }
  });

  test.each([['--workers'], ['--workers', '0'], ['--workers', 'many'], ['--workers', '257'], ['--port', '80'], ['2']])(
    'serve %s %s is refused before anything starts',
    async (...args) => {
      const services = { DATABASE_URL: 'postgres://u@127.0.0.1:1/x', REDIS_URL: 'redis://127.0.0.1:1' };
      const result = await outcome(daihuo(['serve', ...args], { ...services, DAIHUO_SECRET: 's'.repeat(32) }));
      expect(result).toMatchObject({ code: 2, stdout: '' });
      expect(result.stderr).toMatch(/^'daihuo serve' takes only --workers, with a number from 1 to 256 or 'auto'; /);
    },
  );

  test.each(['127.0.0.1:1/x', 'no-such-host.invalid/x'])(
    'migrate on a database that is not there (%s) is one sentence, without the password',
    async (place) => {
      const result = await outcome(
        daihuo(['migrate'], { DATABASE_URL: `postgres://u:hunter2@${place}`, DAIHUO_SECRET: 's'.repeat(32) }),
      );
      expect(result).toEqual({
        code: 1,
        stdout: '',
        stderr: `Postgres at ${place} does not answer. Check DATABASE_URL.\n`,
      });
    },
  );

  test('a database that refuses is one sentence with its reason', async () => {
    const url = new URL(inject('adminDatabaseUrl'));
    url.pathname = '/no_such_database';
    const result = await outcome(daihuo(['verify'], { DATABASE_URL: url.href, DAIHUO_SECRET: 's'.repeat(32) }));
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(
      /^Postgres at \S+ cannot be used: database "no_such_database" does not exist\. Check DATABASE_URL\.\n$/,
    );
  });

  test.each([
    [['create', '--role', 'admin'], { role: 'admin', label: 'made on the command line' }],
    [
      ['create', '--role', 'brand', '--brand', 'brd_1', '--label', 'shop'],
      { role: 'brand', brandId: 'brd_1', label: 'shop' },
    ],
    [['create', '--role', 'finance'], { role: 'finance', label: 'made on the command line' }],
    [
      ['create', '--role', 'finance', '--brand', 'brd_1', '--label', 'x'],
      { role: 'finance', brandId: 'brd_1', label: 'x' },
    ],
    [
      ['create', '--role', 'influencer', '--influencer', 'inf_1', '--label', 'x'],
      { role: 'influencer', influencerId: 'inf_1', label: 'x' },
    ],
  ])('key %j is understood', (args, request) => {
    expect(readKeyArguments(args)).toEqual(request);
  });

  test.each([
    [[], /create/],
    [['delete', '--role', 'admin'], /create/],
    [['create'], /--role must be/],
    [['create', '--role', 'root'], /--role must be/],
    [['create', '--role', 'brand'], /needs --brand/],
    [['create', '--role', 'admin', '--brand', 'brd_1'], /takes no --brand/],
    [['create', '--role', 'influencer'], /--influencer/],
    [['create', '--role', 'admin', '--influencer', 'inf_1'], /--influencer/],
    [['create', '--role', 'admin', '--colour', 'red'], /colour/],
  ])('key %j is refused', (args, message) => {
    expect(() => readKeyArguments(args)).toThrow(message);
  });
});

describe('start', () => {
  test(
    'brings its own services, serves, stops cleanly on SIGTERM within 10 s, leaves nothing running, and starts again on its data',
    async () => {
      const secrets: string[] = [];
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        const program = daihuo(['start'], { PORT: '0' });
        const address = (await program.line(/^daihuo ready on /)).split(' ').at(-1) ?? '';
        expect((await fetch(`${address}/healthz`)).status).toBe(200);
        // A connection that Postgres has just forked bears the postmaster's command line for a moment.
        await waitUntil(() => expect(processesWith(home)).toHaveLength(2));
        const startedAtMs = performance.now();
        program.child.kill(signal);
        expect(await program.ended).toBe(0);
        expect(performance.now() - startedAtMs).toBeLessThan(20_000);
        expect(processesWith(home)).toEqual([]);
        secrets.push(await readFile(path.join(home, 'secret'), 'utf8'));
      }
      expect(secrets[0]).toBe(secrets[1]);
    },
    TIMEOUT_MS,
  );

  test(
    'a signal given twice at once, as npm does, is one orderly stop',
    async () => {
      const program = daihuo(['start'], { PORT: '0' });
      await program.line(/^daihuo ready on /);
      program.child.kill('SIGINT');
      program.child.kill('SIGINT');
      expect(await program.ended).toBe(0);
      expect(processesWith(home)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'stopped while it starts, it leaves nothing running',
    async () => {
      const program = daihuo(['start'], { PORT: '0', LOG_LEVEL: 'debug' });
      await waitUntil(() => processesWith(home).length > 0);
      program.child.kill('SIGTERM');
      expect(await program.ended).toBe(0);
      expect(program.stdout()).not.toContain('daihuo ready on');
      expect(processesWith(home)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'a PORT that is set and taken is said in one sentence, and nothing is left running',
    async () => {
      const { server, port } = await takePort();
      const result = await outcome(daihuo(['start'], { PORT: String(port), LOG_LEVEL: 'silent' }));
      server.close();
      expect(result.code).toBe(1);
      expect(result.stderr).toBe(
        `Port ${port} on 127.0.0.1 is taken by another program. Stop that, or set PORT to another one.\n`,
      );
      expect(processesWith(home)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'without PORT a second daihuo takes the next free port, and a second start of one home is refused in one sentence',
    async () => {
      const one = daihuo(['start']);
      const first = Number((await one.line(/^daihuo ready on /)).split(':').at(-1));
      const two = daihuo(['start'], { DAIHUO_HOME: path.join(folder, 'other') });
      const second = Number((await two.line(/^daihuo ready on /)).split(':').at(-1));
      expect(first).toBeGreaterThanOrEqual(3_000);
      expect(second).toBeGreaterThan(first);
      const refused = await outcome(daihuo(['start'], { LOG_LEVEL: 'silent' }));
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(
        /^daihuo already runs with .* Stop it first, or set DAIHUO_HOME to another folder\.\n$/,
      );
      one.child.kill('SIGTERM');
      two.child.kill('SIGTERM');
      expect(await Promise.all([one.ended, two.ended])).toEqual([0, 0]);
      await removeHome(path.join(folder, 'other'));
    },
    TIMEOUT_MS,
  );
});
