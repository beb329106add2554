import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { Environment } from '../infra/config.ts';
import { OperatorFault } from '../infra/failures.ts';
import { unpackDebianRedis } from './debian-redis.ts';
import type { RedisProgram } from './debian-redis.ts';
import type { Placement } from './placement.ts';
import { runCommand } from './processes.ts';

const NAMES = ['redis-server', 'valkey-server'];
/** Folders that may hold a server although an ordinary user's PATH does not name them. */
const FURTHER_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'];
const MIN_MAJOR = 7;

export interface FindRedisOptions {
  placement: Placement;
  env: Environment;
  signal: AbortSignal;
  print: (sentence: string) => void;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The reason why a program cannot be used; undefined where it can. Tries it as the user that will run it. */
async function findObstacle(program: RedisProgram, placement: Placement): Promise<string | undefined> {
  const { code, stdout, stderr } = await runCommand(program.executable, ['--version'], {
    env: redisEnvironment(program),
    timeoutMs: 10_000,
    user: placement.user,
    argv0: 'redis-server',
  });
  const version = /\bv=(\d+)\.\d+/.exec(stdout)?.[1];
  if (code !== 0 || version === undefined) return `${program.executable} does not run (${stderr.trim()})`;
  return Number(version) >= MIN_MAJOR
    ? undefined
    : `${program.executable} is version ${version}, and ${MIN_MAJOR} is needed`;
}

/** The environment of the server: the folders of its libraries, and no variable of this process. */
export function redisEnvironment(program: RedisProgram): Environment {
  return {
    PATH: '/usr/bin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(program.libraryPath === undefined ? {} : { LD_LIBRARY_PATH: program.libraryPath }),
  };
}

function adviseOnRedis(obstacles: string[]): OperatorFault {
  return new OperatorFault(
    [
      `daihuo needs Redis ${MIN_MAJOR} or newer (or Valkey) and could not bring one: ${obstacles.join('; ')}. There are three ways to get one:`,
      "  1. install it, for instance with 'sudo apt-get install redis-server' or 'brew install redis', and start daihuo again;",
      "  2. run it in a container, 'docker run -d -p 6379:6379 redis:7 redis-server --appendonly yes --appendfsync always', and set REDIS_URL=redis://127.0.0.1:6379;",
      '  3. set REDIS_URL to a Redis you already have.',
    ].join('\n'),
  );
}

/**
 * Finds a Redis 7 or newer: an installed one, else the distribution's, unpacked into a cache.
 *
 * @throws OperatorFault that names three ways to get one
 */
export async function findRedisProgram(options: FindRedisOptions): Promise<RedisProgram> {
  const obstacles: string[] = [];
  const folders = [
    ...(options.env['PATH'] ?? '').split(':').filter((folder) => path.isAbsolute(folder)),
    ...FURTHER_FOLDERS,
  ];
  for (const folder of new Set(folders)) {
    for (const name of NAMES) {
      const program = { executable: path.join(folder, name) };
      if (!isExecutable(program.executable)) continue;
      const obstacle = await findObstacle(program, options.placement);
      if (obstacle === undefined) return program;
      obstacles.push(obstacle);
    }
  }
  if (obstacles.length === 0) obstacles.push('none is installed');
  for (const cache of options.placement.caches) {
    const unpacked = await unpackDebianRedis({ ...options, cache });
    const obstacle = unpacked.ok ? await findObstacle(unpacked.program, options.placement) : unpacked.reason;
    if (unpacked.ok && obstacle === undefined) return unpacked.program;
    if (obstacle !== undefined) obstacles.push(obstacle);
  }
  throw adviseOnRedis(obstacles);
}
