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
  /** See `processIdentity`: tells the holder from a later process of the same number. */
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

/** Puts a complete lock file in place if there is none: `link` fails where one is, so one process wins. */
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

/** Takes away the lock of a process that is gone; puts it back if it is by now another's. */
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
 * Makes this process the one that runs the services of `home`.
 *
 * @returns a function that gives the home back
 * @throws OperatorFault where another daihuo runs them
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

/** Lets other commands of this home (`key`, `verify`) find the services while they run. */
export async function publishServices(home: string, urls: ServiceUrls): Promise<void> {
  await writePrivateFile(path.join(home, URLS), JSON.stringify(urls));
}

/** The services that a running daihuo keeps for this home; undefined where none runs. */
export async function findRunningServices(home: string): Promise<ServiceUrls | undefined> {
  const lock = await readOrUndefined(path.join(home, LOCK));
  const urls = await readOrUndefined(path.join(home, URLS));
  if (lock === undefined || urls === undefined || !isHeld(parseHolder(lock))) return undefined;
  return JSON.parse(urls) as ServiceUrls;
}

/**
 * The secret that `start` keeps for its private database: made the first time, the same at every later start.
 *
 * @returns at least 32 bytes, as `DAIHUO_SECRET` would give them
 */
export async function keepSecret(home: string): Promise<Buffer> {
  const file = path.join(await openHome(home), 'secret');
  await tryToCreate(file, `${randomBytes(32).toString('base64')}\n`);
  return Buffer.from((await readFile(file, 'utf8')).trim(), 'utf8');
}
