import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OperatorFault } from '../infra/failures.ts';
import { openHome, writePrivateFile } from './placement.ts';
import { processIdentity } from './processes.ts';

export interface ServiceUrls {
  databaseUrl: string;
  redisUrl: string;
}

interface Holder {
  pid: number;
  /** From `processIdentity`: distinguishes the holder from a later process with the same number. */
  identity: string;
}

const LOCK = 'running.lock';
const URLS = 'services.json';
const CLAIM_ATTEMPTS = 5;

async function readOrUndefined(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, identity } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === 'number' && typeof identity === 'string' ? { pid, identity } : undefined;
  } catch {
    return undefined;
  }
}

function isHeld(holder: Holder | undefined): holder is Holder {
  return holder !== undefined && processIdentity(holder.pid) === holder.identity;
}

/** Puts a complete lock file in place unless there is one: `link` fails where the file exists, so one process wins. */
async function tryToCreate(file: string, content: string): Promise<boolean> {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, content, { mode: 0o600 });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes the lock of a process that has ended; restores the file if another process has taken the lock meanwhile. */
async function clearStale(file: string, staleText: string): Promise<void> {
  const aside = `${file}.stale-${process.pid}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  if ((await readOrUndefined(aside)) !== staleText) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

/**
 * Claims `home`: only one process may run its services.
 *
 * @returns a function that releases the home
 * @throws OperatorFault where another daihuo has claimed it
 */
export async function claimHome(home: string): Promise<() => Promise<void>> {
  const file = path.join(home, LOCK);
  const content = JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) });
  for (let attempt = 1; attempt <= CLAIM_ATTEMPTS; attempt += 1) {
    if (await tryToCreate(file, content)) {
      return async () => {
        await rm(path.join(home, URLS), { force: true });
        await rm(file, { force: true });
      };
    }
    const text = await readOrUndefined(file);
    const holder = text === undefined ? undefined : parseHolder(text);
    if (isHeld(holder)) {
      throw new OperatorFault(
        `daihuo already runs with ${home} (process ${holder.pid}). Stop it first, or set DAIHUO_HOME to another folder.`,
      );
    }
    if (text !== undefined) await clearStale(file, text);
  }
  throw new OperatorFault(`${file} cannot be taken over. Make sure no daihuo runs there, then delete it.`);
}

/** Publishes the addresses of the running services, so that other commands of this home (`key`, `verify`) find them. */
export async function publishServices(home: string, urls: ServiceUrls): Promise<void> {
  await writePrivateFile(path.join(home, URLS), JSON.stringify(urls));
}

/** The addresses of this home's services; undefined where no daihuo runs them. */
export async function findRunningServices(home: string): Promise<ServiceUrls | undefined> {
  const lock = await readOrUndefined(path.join(home, LOCK));
  const urls = await readOrUndefined(path.join(home, URLS));
  if (lock === undefined || urls === undefined || !isHeld(parseHolder(lock))) return undefined;
  return JSON.parse(urls) as ServiceUrls;
}

/**
 * The secret of the private database: `start` makes it the first time and reads the same file at every later start.
 *
 * @returns at least 32 bytes, used like the value of `DAIHUO_SECRET`
 */
export async function keepSecret(home: string): Promise<Buffer> {
  const file = path.join(await openHome(home), 'secret');
  await tryToCreate(file, `${randomBytes(32).toString('base64')}\n`);
  return Buffer.from((await readFile(file, 'utf8')).trim(), 'utf8');
}
