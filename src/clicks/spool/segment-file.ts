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

/** As much as some hundred clicks. */
const TRIAL_BYTES = 16 * 1024;

/** The file is no longer where it was written to: removed, or taken by another process together with its folder. */
export class SegmentGoneError extends Error {
  override readonly name = 'SegmentGoneError';
}

/** A segment that is being written, by this process alone. */
export interface SegmentFile {
  readonly segment: Segment;
  readonly fd: number;
  readonly inode: bigint;
  /** Where the next frame goes. */
  position: number;
  /** When the first frame was written, on the clock of `performance.now()`. */
  firstWriteAtMs: number | undefined;
}

/** Which file lies at the path; undefined: none. */
function inodeAt(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Begins a segment. Its name is on disk when this resolves: a frame in a file that a power cut takes away would be no frame. */
export async function openSegment(folder: OwnFolder, now: Date): Promise<SegmentFile> {
  const file = path.join(folder.path, newSegmentName(now));
  // Not for appending: a write that failed half-way must not move the place of the next one.
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
 * Writes at the end of the segment; on disk when it resolves. A rejection leaves unknown what is on disk: nothing may be written to this
 * segment any more.
 *
 * A disk that is nearly full takes a part of a write and says so, and refuses only the next one: hence the loop. write and fdatasync are two
 * calls although opening with O_DSYNC would save one: 0.18 against 0.17 ms for one click, no difference from 8 KB on, and so a failed
 * fdatasync is seen as what it is.
 *
 * The look at the path afterwards is what makes adoption safe. Who takes a folder renames it first and reads it then; where the file is still
 * at its path after the fdatasync, whoever takes it later reads these bytes too.
 *
 * @throws SegmentGoneError where the file is no longer at its path; else the system's error
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
    if (bytesWritten === 0) throw new Error('the disk takes no more bytes and does not say why');
    done += bytesWritten;
  }
  await syncData(fd);
}

/** Finds out whether the disk takes a write, which only a write tells. Rejects with its error where it does not. */
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
 * Ends writing. The descriptor is closed, unless the file was removed and the descriptor is the only way left to the clicks in it.
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
    // The disk does not even answer this; reading will show.
  }
  if (fate === 'removed' && segment.clicks > 0) segment.fd = fd;
  else close(fd);
  return fate;
}
