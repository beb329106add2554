import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Environment } from '../infra/config.ts';
import { claimHome, publishServices } from './home.ts';
import type { ServiceUrls } from './home.ts';
import { startLocalPostgres, stopStalePostgres } from './local-postgres.ts';
import type { LocalService, LocalServiceOptions } from './local-postgres.ts';
import { startLocalRedis, stopStaleRedis } from './local-redis.ts';
import { openHome, placeServices } from './placement.ts';

export interface LocalServices extends ServiceUrls {
  /** Stops the servers that were started here and releases the home. */
  stop(): Promise<void>;
  /** Ends the servers at once, without waiting; acknowledged writes survive. */
  kill: () => void;
}

export interface StartLocalServicesOptions {
  home: string;
  env: Environment;
  /** Receives a sentence about each step that takes long. */
  print: (sentence: string) => void;
  signal?: AbortSignal;
  /** Called with the name of a server that ended although it was not stopped here. */
  onLost?: (name: string) => void;
  /** Addresses of existing servers; only the missing server is started. */
  given?: Partial<ServiceUrls>;
  /** False, for tests: commits do not wait for the disk. They survive the end of every process, but not a crash of the machine. */
  isDurable?: boolean;
}

function cacheFolder(env: Environment): string | undefined {
  const base = env['XDG_CACHE_HOME'] ?? (env['HOME'] === undefined ? undefined : path.join(env['HOME'], '.cache'));
  return base !== undefined && path.isAbsolute(base) ? path.join(base, 'daihuo') : undefined;
}

async function watch(service: LocalService, onExit: () => unknown): Promise<void> {
  await service.exited;
  onExit();
}

async function stopAll(services: LocalService[]): Promise<void> {
  await Promise.all(services.map(async (service) => service.stop()));
}

/** Starts all servers or none: where one does not start, the others are stopped again. */
async function startAll(starts: Promise<LocalService>[]): Promise<LocalService[]> {
  const settled = await Promise.allSettled(starts);
  const started = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed === undefined) return started;
  await stopAll(started);
  throw failed.reason;
}

async function startMissing(
  options: StartLocalServicesOptions & LocalServiceOptions,
): Promise<{ urls: ServiceUrls; services: LocalService[] }> {
  const { databaseUrl, redisUrl } = options.given ?? {};
  const services = await startAll([
    ...(databaseUrl === undefined ? [startLocalPostgres(options)] : []),
    ...(redisUrl === undefined ? [startLocalRedis(options)] : []),
  ]);
  const urlOf = (name: string): string => services.find((service) => service.name === name)?.url ?? '';
  return { urls: { databaseUrl: databaseUrl ?? urlOf('postgres'), redisUrl: redisUrl ?? urlOf('redis') }, services };
}

/**
 * Runs a private Postgres and a private Redis for one home, on free ports of 127.0.0.1 with random passwords. The data stay in the home
 * (or beside it, see `placeServices`), and the next start uses them again. Servers that a killed daihuo left running are stopped first.
 *
 * @throws OperatorFault where the home is in use, or a server cannot be found or started; then no server is left running
 */
export async function startLocalServices(options: StartLocalServicesOptions): Promise<LocalServices> {
  const signal = options.signal ?? new AbortController().signal;
  const home = await openHome(options.home);
  const release = await claimHome(home);
  try {
    const placement = await placeServices(home, cacheFolder(options.env));
    const { urls, services } = await startMissing({
      ...options,
      placement,
      signal,
      isDurable: options.isDurable ?? true,
    });
    await publishServices(home, urls);
    let isStopping = false;
    for (const service of services) {
      void watch(service, () => isStopping || options.onLost?.(service.name));
    }
    return {
      ...urls,
      stop: async () => {
        isStopping = true;
        await stopAll(services);
        await release();
      },
      kill: () => {
        isStopping = true;
        for (const service of services) service.kill();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** For tests: stops the servers of a home whose daihuo has ended, and deletes the home with all its data. */
export async function removeHome(home: string): Promise<void> {
  const real = await openHome(home);
  const placement = await placeServices(real, undefined);
  await stopStalePostgres(placement);
  await stopStaleRedis(placement);
  if (placement.folder !== real) await rm(placement.folder, { recursive: true, force: true });
  await rm(real, { recursive: true, force: true });
}
