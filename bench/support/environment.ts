import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pinningNote } from './pin.ts';
import { CHECKOUT } from './program.ts';
import type { BenchServices } from './services.ts';

/** Where and with what the figures were made. */
export interface Environment {
  date: string;
  machine: string;
  kernel: string;
  /** Name and version. */
  versions: Record<string, string>;
  pinning: string;
  command: string;
}

function packageVersion(name: string): string {
  const file = path.join(CHECKOUT, 'node_modules', name, 'package.json');
  return String((JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown }).version);
}

function commitOf(folder: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', 'src') === '' ? '' : ' with changes');
  } catch {
    return 'not a git checkout';
  }
}

/** Versions of the servers, asked of themselves. */
export async function serverVersions({
  db,
  redis,
}: Pick<BenchServices, 'db' | 'redis'>): Promise<Record<string, string>> {
  const { rows } = await db.query<{ version: string; sharedBuffers: string }>(
    `select current_setting('server_version') as "version", current_setting('shared_buffers') as "sharedBuffers"`,
  );
  const redisVersion = /^(?:valkey_version|redis_version):(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'unknown';
  return {
    Redis: redisVersion,
    Postgres: `${rows[0]?.version ?? 'unknown'} (shared_buffers ${rows[0]?.sharedBuffers ?? 'unknown'})`,
  };
}

export function describeEnvironment(servers: Record<string, string>): Environment {
  const cpus = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    machine: `${cpus.length} × ${cpus[0]?.model ?? 'unknown CPU'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: `${os.type()} ${os.release()}`,
    versions: {
      daihuo: commitOf(CHECKOUT),
      Node: process.versions.node,
      fastify: packageVersion('fastify'),
      ioredis: packageVersion('ioredis'),
      pg: packageVersion('pg'),
      ...servers,
    },
    pinning: pinningNote(),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
  };
}
