import { createHash, randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, chmod, chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OperatorFault } from '../infra/failures.ts';
import { runCommand } from './processes.ts';
import type { ServiceUser } from './processes.ts';

/**
 * Where the files of the private services live, and whose they are.
 *
 * Postgres refuses to run as root. Started by root, it runs as an unprivileged user, who must be able to reach binaries and data: where the
 * home lies below a folder that only root may enter, they live under /var/lib/daihuo instead.
 */
export interface Placement {
  user: ServiceUser;
  /** Holds `postgres`, `redis` and their passwords; the service user can reach it. */
  folder: string;
  /** For programs that are copied or unpacked once and serve every checkout, best place first; the service user can reach what lies there. */
  caches: string[];
}

const SHARED_FOLDER = '/var/lib/daihuo';
/** Preferred first. `nobody` is on every system. */
const UNPRIVILEGED_USERS = ['daihuo', 'nobody'];

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** A folder with exactly this mode where it is new, whatever the umask; one that was there keeps its own. */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  if ((await mkdir(folder, { recursive: true })) !== undefined) await chmod(folder, mode);
}

/** A folder that belongs to the service user and nobody else. */
export async function makeFolderFor(user: ServiceUser, folder: string): Promise<void> {
  await makeFolder(folder, 0o700);
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
}

/** A file only its owner may read. Written beside and renamed, so that nobody ever reads half of it, and an old owner or mode is gone. */
export async function writePrivateFile(file: string, content: string, owner?: ServiceUser): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  await rm(draft, { force: true });
  await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
  await chmod(draft, 0o600);
  if (owner?.uid !== undefined && owner.gid !== undefined) await chown(draft, owner.uid, owner.gid);
  await rename(draft, file);
}

async function findUnprivilegedUser(): Promise<ServiceUser> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of UNPRIVILEGED_USERS) {
    const [, , uid, gid] = lines.find((line) => line[0] === name) ?? [];
    if (uid !== undefined && gid !== undefined && uid !== '0') return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new OperatorFault(
    'Postgres cannot run as root, and this system has no user "nobody" to run it as. Start daihuo as an ordinary user, or set DATABASE_URL.',
  );
}

/** Data made by an ordinary user stays that user's, also when root starts daihuo later. */
async function ownerOf(folder: string): Promise<ServiceUser | undefined> {
  if (!existsSync(folder)) return undefined;
  const { uid, gid } = await stat(folder);
  return uid === 0 ? undefined : { name: `user ${uid}`, uid, gid };
}

/** Whether `user` may read `file`; tried, because modes, groups and access lists all have a say. */
export async function canRead(user: ServiceUser, file: string): Promise<boolean> {
  const { code } = await runCommand('/bin/sh', ['-c', 'test -r "$1"', 'sh', file], {
    env: {},
    timeoutMs: 10_000,
    user,
  });
  return code === 0;
}

async function canEnter(user: ServiceUser, folder: string): Promise<boolean> {
  const { code } = await runCommand('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { env: {}, timeoutMs: 10_000, user });
  return code === 0;
}

/** Names this home for ever. A copy of the folder or another one at the same path gets data of its own. */
async function instanceFolder(home: string): Promise<string> {
  const file = path.join(home, 'instance-id');
  if (!existsSync(file)) await writePrivateFile(file, randomBytes(16).toString('hex'));
  const id = (await readFile(file, 'utf8')).trim();
  const hash = createHash('sha256').update(`${home}\0${id}`).digest('hex').slice(0, 16);
  return path.join(SHARED_FOLDER, hash);
}

async function placeForRoot(home: string): Promise<Placement> {
  const data = path.join(home, 'postgres');
  const user = (await ownerOf(data)) ?? (await findUnprivilegedUser());
  const outside = await instanceFolder(home);
  const isReachable = await canEnter(user, home);
  if (existsSync(data) && !isReachable) {
    throw new OperatorFault(
      `The ${user.name} account, which runs the private Postgres, can no longer enter ${home}. Let it pass with 'chmod o+x' on the folders above.`,
    );
  }
  const folder = existsSync(path.join(outside, 'postgres')) || !isReachable ? outside : home;
  try {
    await makeFolder(SHARED_FOLDER, 0o755);
    if (folder === outside) {
      await makeFolder(outside, 0o711);
      await writeFile(path.join(outside, 'BELONGS-TO'), `${home}\n`);
    }
  } catch (error) {
    throw new OperatorFault(
      `${SHARED_FOLDER} cannot be written. Set DAIHUO_HOME to a folder that every user can enter.`,
      { cause: error },
    );
  }
  return { user, folder, caches: [SHARED_FOLDER] };
}

/**
 * Makes the home where it is missing.
 *
 * @returns its real path, by which its processes are recognised later
 * @throws OperatorFault where this user cannot use it
 */
export async function openHome(home: string): Promise<string> {
  try {
    await makeFolder(home, isRoot() ? 0o711 : 0o700);
    await access(home, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(home);
  } catch (error) {
    throw new OperatorFault(`${home} cannot be written by this user. Set DAIHUO_HOME to a folder of your own.`, {
      cause: error,
    });
  }
}

/**
 * Decides who runs the services and where their files live.
 *
 * @param home         from `openHome`
 * @param cacheFolder  the user's own cache folder, if there is one
 * @throws OperatorFault where the home cannot be used
 */
export async function placeServices(home: string, cacheFolder: string | undefined): Promise<Placement> {
  if (isRoot()) return placeForRoot(home);
  const ownCache = path.join(home, 'cache');
  return {
    user: { name: 'this user' },
    folder: home,
    caches: cacheFolder === undefined ? [ownCache] : [cacheFolder, ownCache],
  };
}
