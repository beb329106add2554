import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { Dirent } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import path from 'node:path';

/**
 * Every process that spools has its own folder, named by time, process number and random bytes, and listens on a socket in it while it lives.
 * Connections to the socket of a process that has ended fail, however it ended; a process that is only stopped still accepts, in the kernel.
 * This also works between containers that share the volume of one machine, where process numbers say nothing.
 */

const SOCKET = 'owner.sock';
/** A folder is created under this prefix and renamed when its socket listens, so that a living owner never looks dead. */
const MAKING = '.new-';
const FOLDER_NAME = /^\d{13}-\d+-[0-9a-f]{16}$/;
const MAKING_NAME = /^\.new-(\d{13})-\d+-[0-9a-f]{16}$/;
const SEGMENT_NAME = /^(\d{13})-[0-9a-f]{16}\.spool$/;
/** The system allows 104 (macOS) or 108 (Linux) bytes with the closing zero. */
const MAX_SOCKET_PATH_BYTES = 103;
/** An owner that does not accept within this time is stopped or busy, and therefore alive. */
const CONNECT_WITHIN_MS = 1_000;
/** A folder that is still under the prefix after this time belongs to a process that died while creating it. */
const MAKING_ENDS_AFTER_MS = 60_000;

export interface OwnFolder {
  /** Name of the folder, and id of its row in click_spools. */
  id: string;
  path: string;
  /** Stops listening, so that another process may take the folder. Deletes it when it is empty. */
  release(options: { isEmpty: boolean }): Promise<void>;
}

/** Syncs a folder, so that files created, renamed or deleted in it survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Runs `work` with a path of the socket that is short enough: on Linux a descriptor gives any folder a short name. The descriptor stays open
 * until the returned handle, if any, is closed.
 */
async function withSocketPath<T>(
  folder: string,
  work: (socketPath: string) => Promise<T>,
): Promise<{ result: T; handle: FileHandle | undefined }> {
  const plain = path.join(folder, SOCKET);
  if (Buffer.byteLength(plain) <= MAX_SOCKET_PATH_BYTES) return { result: await work(plain), handle: undefined };
  if (process.platform !== 'linux') {
    throw new Error(`the path of the spool is too long for a socket (${MAX_SOCKET_PATH_BYTES} bytes): ${plain}`);
  }
  const handle = await open(folder, constants.O_RDONLY);
  try {
    return { result: await work(`/proc/self/fd/${handle.fd}/${SOCKET}`), handle };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function listen(socketPath: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Exclusive: under node:cluster the primary would listen instead, and would look alive when this process is not.
    server.listen({ path: socketPath, exclusive: true }, resolve);
  });
  server.on('error', () => undefined);
  server.unref();
  return server;
}

/** Makes `dir` and what is missing above it, each name on disk before anything is put into it. */
async function makeDurably(dir: string): Promise<void> {
  const first = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = dir; made.length >= first.length; made = path.dirname(made)) await syncFolder(path.dirname(made));
}

/** Makes a folder for this process in `dir`, and `dir` where it is missing. Throws the system's error where that cannot be done. */
export async function claimFolder(dir: string, now: Date): Promise<OwnFolder> {
  const id = `${String(now.getTime()).padStart(13, '0')}-${process.pid}-${randomBytes(8).toString('hex')}`;
  const making = path.join(dir, MAKING + id);
  const own = path.join(dir, id);
  await makeDurably(dir);
  await mkdir(making, { mode: 0o700 });
  let server: Server | undefined;
  try {
    const { result, handle } = await withSocketPath(making, listen);
    server = result;
    // The server deletes its socket by this path when it closes: the descriptor must name this folder until then.
    server.once('close', () => void handle?.close());
    await rename(making, own);
    await syncFolder(dir);
  } catch (error) {
    server?.close();
    await rm(making, { recursive: true, force: true });
    throw error;
  }
  const listening = server;
  return {
    id,
    path: own,
    release: async ({ isEmpty }) => {
      await new Promise((resolve) => {
        listening.close(resolve);
      });
      if (isEmpty) await removeFolder(own);
    },
  };
}

/** Deletes a folder that holds at most a socket; any other folder stays as it is. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await unlink(path.join(folder, SOCKET)).catch(() => undefined);
    await rmdir(folder);
  } catch {
    // The folder holds other files, or is gone: in both cases there is nothing to do.
  }
}

const OWNERLESS = new Set(['ECONNREFUSED', 'ENOENT']);

/** Whether a living process listens in the folder. Unclear cases count as yes: a folder can be adopted later. */
async function isOwned(folder: string): Promise<boolean> {
  try {
    const { handle } = await withSocketPath(folder, connectOnce);
    await handle?.close();
    return true;
  } catch (error) {
    return !OWNERLESS.has(codeOf(error) ?? '');
  }
}

async function connectOnce(socketPath: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(socketPath);
    socket.setTimeout(CONNECT_WITHIN_MS, () => {
      socket.destroy();
      resolve();
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export interface AdoptedFolder {
  id: string;
  path: string;
}

/**
 * Moves the folders of dead owners in `dir` into `own`, with the folders that a dead owner had itself adopted. The rename is atomic: of several
 * processes one succeeds, and the others find nothing.
 */
export async function adoptFolders(dir: string, own: OwnFolder, now: Date): Promise<AdoptedFolder[]> {
  const adopted: AdoptedFolder[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === own.id) continue;
    const folder = path.join(dir, entry.name);
    if (FOLDER_NAME.test(entry.name) && !(await isOwned(folder))) adopted.push(...(await takeFolder(folder, own)));
    if (isLeftInTheMaking(entry, now) && !(await isOwned(folder))) await removeFolder(folder);
  }
  return adopted;
}

function isLeftInTheMaking(entry: Dirent, now: Date): boolean {
  const startedAt = MAKING_NAME.exec(entry.name)?.[1];
  return startedAt !== undefined && now.getTime() - Number(startedAt) > MAKING_ENDS_AFTER_MS;
}

async function takeFolder(folder: string, own: OwnFolder): Promise<AdoptedFolder[]> {
  const id = path.basename(folder);
  const target = path.join(own.path, id);
  try {
    await rename(folder, target);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const taken: AdoptedFolder[] = [{ id, path: target }];
  for (const entry of await readdir(target, { withFileTypes: true })) {
    if (entry.isDirectory() && FOLDER_NAME.test(entry.name)) {
      taken.push(...(await takeFolder(path.join(target, entry.name), own)));
    }
  }
  return taken;
}

export function newSegmentName(now: Date): string {
  return `${String(now.getTime()).padStart(13, '0')}-${randomBytes(8).toString('hex')}.spool`;
}

/** Time at which the segment was opened, ms, from its name; undefined for a file that is no segment. */
export function segmentBeganAtMs(name: string): number | undefined {
  const match = SEGMENT_NAME.exec(path.basename(name));
  return match === null ? undefined : Number(match[1]);
}

/** The segments in a folder with their sizes; other files are left alone. */
export async function listSegments(folder: string): Promise<{ path: string; bytes: number }[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && segmentBeganAtMs(entry.name) !== undefined);
  return Promise.all(
    files.map(async ({ name }) => {
      const file = path.join(folder, name);
      return { path: file, bytes: (await stat(file)).size };
    }),
  );
}
