import { close, constants, open, read } from 'node:fs';
import { mkdir, open as openHandle, rename } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { syncFolder } from './folder.ts';
import { MAX_SPOOL_FRAME_BYTES, scanSpool } from './frame.ts';
import type { SpoolFrame, SpoolGap } from './frame.ts';
import type { Segment } from './spool-index.ts';

const openFile = promisify(open);
const readFile = promisify(read);

/** Size of one read: a spool of any size is drained within the same memory, and a piece is scanned in a few ms. */
const CHUNK_BYTES = 256 * 1024;

export interface SegmentPiece {
  /** Valid until the next piece is requested. */
  frames: SpoolFrame[];
  /** Offsets in the file. Adjacent gaps are joined; a gap comes with the last piece it touches. */
  gaps: SpoolGap[];
}

/** Reads a sealed segment piece by piece. @throws the system's error when it cannot be read */
export async function* readSegment(segment: Segment): AsyncGenerator<SegmentPiece, void, void> {
  const fd = segment.fd ?? (await openFile(segment.path, constants.O_RDONLY));
  try {
    yield* readPieces(fd);
  } finally {
    if (segment.fd === undefined) close(fd);
  }
}

async function* readPieces(fd: number): AsyncGenerator<SegmentPiece, void, void> {
  // The rest of one chunk is less than a frame.
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_SPOOL_FRAME_BYTES);
  let left = 0;
  let position = 0;
  let open: SpoolGap | undefined;
  for (let isEnd = false; !isEnd;) {
    const { bytesRead } = await readFile(fd, buffer, left, CHUNK_BYTES, position + left);
    isEnd = bytesRead === 0;
    const { frames, gaps: found, consumed } = scanSpool(buffer.subarray(0, left + bytesRead), { isEnd });
    const gaps: SpoolGap[] = [];
    for (const gap of found) {
      const placed = { start: position + gap.start, end: position + gap.end, isTorn: gap.isTorn };
      if (open !== undefined && open.end === placed.start) open = { start: open.start, end: placed.end, isTorn: false };
      else {
        if (open !== undefined) gaps.push(open);
        open = placed;
      }
    }
    if (isEnd && open !== undefined) gaps.push(open);
    yield { frames, gaps };
    // Only after the yield: the frames are views of these bytes.
    left = left + bytesRead - consumed;
    buffer.copy(buffer, 0, consumed, consumed + left);
    position += consumed;
  }
}

/** Reads a segment of a dead owner for the number of its clicks and the time of the oldest. */
export async function surveySegment(segment: Segment): Promise<{ clicks: number; oldestMs: number }> {
  let clicks = 0;
  let oldestMs = Infinity;
  for await (const { frames } of readSegment(segment)) {
    for (const frame of frames) {
      clicks += frame.clicks;
      oldestMs = Math.min(oldestMs, frame.oldestMs);
    }
  }
  return { clicks, oldestMs };
}

/**
 * Copies the bytes of a gap to a file of its own in `damagedDir`, for a person to examine.
 *
 * @returns false when the copy failed
 */
export async function keepGap(segment: Segment, gap: SpoolGap, damagedDir: string): Promise<boolean> {
  try {
    await mkdir(damagedDir, { recursive: true, mode: 0o700 });
    const bytes = await readGap(segment, gap);
    const name = `${segment.spoolId}-${path.basename(segment.path, '.spool')}-${gap.start}.bin`;
    const handle = await openHandle(path.join(damagedDir, name), 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncFolder(damagedDir);
    return true;
  } catch {
    return false;
  }
}

async function readGap(segment: Segment, gap: SpoolGap): Promise<Buffer> {
  const fd = segment.fd ?? (await openFile(segment.path, constants.O_RDONLY));
  try {
    const bytes = Buffer.alloc(gap.end - gap.start);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await readFile(fd, bytes, done, bytes.length - done, gap.start + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    if (segment.fd === undefined) close(fd);
  }
}

/** Moves the whole file to `damagedDir`, which needs no space on the disk. @throws the system's error when the move fails */
export async function setAside(segment: Segment, damagedDir: string): Promise<void> {
  await mkdir(damagedDir, { recursive: true, mode: 0o700 });
  await rename(segment.path, path.join(damagedDir, `${segment.spoolId}-${path.basename(segment.path)}`));
  await syncFolder(damagedDir);
}
