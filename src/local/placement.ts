import { createHash, randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, chmod, chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { OperatorFault } from '../infra/failures.ts';
import { runCommand } from './processes.ts';
import type { ServiceUser } from './processes.ts';

/**
 * The folders of the private services, and the user that owns them.
 *
 * Postgres refuses to run as root, so root starts it as an unprivileged user. This user must be able to reach programs and data: where the
 * home is below a folder that only root may enter, they are placed under /var/lib/daihuo.
 */
export interface Placement {
  user: ServiceUser;
  /** Holds `postgres`, `redis` and their passwords; the service user can reach it. */
  folder: string;
  /** Folders for programs that are copied or unpacked once and serve every checkout, best first; the service user can reach them. */
  caches: string[];
}

const SHARED_FOLDER = '/var/lib/daihuo';
/** In the order of preference. Every system has `nobody`. */
const UNPRIVILEGED_USERS = ['daihuo', 'nobody'];

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Makes a folder with exactly this mode, whatever the umask. An existing folder keeps its mode. */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  if ((await mkdir(folder, { recursive: true })) !== undefined) await chmod(folder, mode);
}

/** Makes a folder that only the service user can enter. */
export async function makeFolderFor(user: ServiceUser, folder: string): Promise<void> {
  await makeFolder(folder, 0o700);
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
}

/** Writes a file that only its owner may read. Writes a draft and renames it, so that no reader sees a part and an old owner or mode is lost. */
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

/** The owner of existing data. Data of an ordinary user stay with that user, also when root starts daihuo later. */
async function ownerOf(folder: string): Promise<ServiceUser | undefined> {
  if (!existsSync(folder)) return undefined;
  const { uid, gid } = await stat(folder);
  return uid === 0 ? undefined : { name: `user ${uid}`, uid, gid };
}

/** Whether `user` may read `file`. Tries it, because modes, groups and access lists all matter. */
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

/** A folder name for this home that never changes. A copy of the home, or a later home at the same path, gets its own name. */
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
 * @returns its real path, by which later starts recognise its processes
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
 * Decides which user runs the services and where their files are placed.
 *
 * @param home         from `openHome`
 * @param cacheFolder  the user's own cache folder, where there is one
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
