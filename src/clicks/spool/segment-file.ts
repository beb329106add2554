import { close, constants, fdatasync, fstatSync, open, statSync, write } from 'node:fs';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { newSegmentName, segmentBeganAtMs, syncFolder } from './folder.ts';
import type { OwnFolder } from './folder.ts';
import type { Segment } from './spool-index.ts';

const openFile = promisify(open);
const writeFile = promisify(write);
const syncData = promisify(fdatasync);

/** As much as about 150 clicks. */
const TRIAL_BYTES = 16 * 1024;

/** The file is no longer at its path: removed, or taken by another process together with its folder. */
export class SegmentGoneError extends Error {
  override readonly name = 'SegmentGoneError';
}

/** An open segment; only this process writes to it. */
export interface SegmentFile {
  readonly segment: Segment;
  readonly fd: number;
  readonly inode: bigint;
  /** Offset of the next frame. */
  position: number;
  /** When the first frame was written, on the clock of `performance.now()`. */
  firstWriteAtMs: number | undefined;
}

/** Inode of the file at the path; undefined when there is none. */
function inodeAt(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Opens a segment. Its name is on disk when this resolves, so that a power cut cannot remove the file with frames in it. */
export async function openSegment(folder: OwnFolder, now: Date): Promise<SegmentFile> {
  const file = path.join(folder.path, newSegmentName(now));
  // Without O_APPEND: a write that failed halfway must not move the offset of the next one.
  const fd = await openFile(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await syncFolder(folder.path);
    const inode = inodeAt(file);
    if (inode === undefined) throw new SegmentGoneError(file);
    const segment: Segment = {
      path: file,
      spoolId: folder.id,
      beganAtMs: segmentBeganAtMs(file) ?? now.getTime(),
      bytes: 0,
      clicks: 0,
      oldestMs: Infinity,
      isSealed: false,
      syncedBytes: 0,
    };
    return { segment, fd, inode, position: 0, firstWriteAtMs: undefined };
  } catch (error) {
    close(fd);
    await unlink(file).catch(() => undefined);
    throw error;
  }
}

/**
 * Writes at the end of the segment; the bytes are on disk when it resolves. After a rejection it is unknown what is on disk, and nothing more may
 * be written to this segment.
 *
 * A nearly full disk accepts a part of a write, reports its length, and refuses only the next write: hence the loop. write and fdatasync are two
 * calls although O_DSYNC would save one (0.18 against 0.17 ms for one click, no difference from 8 KB on), because a failed fdatasync is then
 * recognised as such.
 *
 * The check of the path afterwards makes adoption safe. A process that takes a folder renames it first and reads it then; when the file is still
 * at its path after the fdatasync, a process that takes it later reads these bytes too.
 *
 * @throws SegmentGoneError when the file is no longer at its path; else the system's error
 */
export async function appendDurably(file: SegmentFile, bytes: Buffer): Promise<void> {
  file.firstWriteAtMs ??= performance.now();
  await writeDurably(file.fd, bytes, file.position);
  if (inodeAt(file.segment.path) !== file.inode) throw new SegmentGoneError(file.segment.path);
  file.position += bytes.length;
}

async function writeDurably(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await writeFile(fd, bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error('the disk took no byte of a write, and reported no error');
    done += bytesWritten;
  }
  await syncData(fd);
}

/** Tests the disk by a write of its own. Rejects with the system's error when the write fails. */
export async function tryDisk(folder: OwnFolder): Promise<void> {
  const file = path.join(folder.path, 'trial');
  const fd = await openFile(file, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    await writeDurably(fd, Buffer.alloc(TRIAL_BYTES), 0);
  } finally {
    close(fd);
    await unlink(file).catch(() => undefined);
  }
}

/**
 * Ends writing. The descriptor is closed, unless the file was removed and the descriptor is the only access left to its clicks.
 *
 * @returns `in_place`: the file is at its path; `removed`: it is kept as `segment.fd`; `taken`: another process has it
 */
export function sealSegment(file: SegmentFile): 'in_place' | 'removed' | 'taken' {
  const { segment, fd } = file;
  segment.isSealed = true;
  segment.syncedBytes = file.position;
  let fate: 'in_place' | 'removed' | 'taken' = 'in_place';
  try {
    if (inodeAt(segment.path) !== file.inode) fate = fstatSync(fd).nlink === 0 ? 'removed' : 'taken';
  } catch {
    // The disk does not answer even this; the reader will find out.
  }
  if (fate === 'removed' && segment.clicks > 0) segment.fd = fd;
  else close(fd);
  return fate;
}
