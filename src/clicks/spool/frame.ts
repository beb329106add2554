/**
 * The frames of which a spool file consists, each with the text of one stream entry (`click-batch.ts`).
 *
 * A frame is 22 bytes of header and the text: magic FF 64 73 and the version 01; CRC-32 of all that follows it; bytes of text; shard; clicks;
 * time of the oldest click in ms (4, 4, 4, 2, 2, 6 bytes, big endian). Every frame has its own checksum, so a file needs no header and may end
 * anywhere. FF never occurs in UTF-8, so text cannot mislead the search for the next frame after a damaged one.
 */
import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { MAX_CLICKS_PER_ENTRY, joinClickLines } from '../click-batch.ts';

const MAGIC = Buffer.from([0xff, 0x64, 0x73, 0x01]);
const AT_CHECKSUM = 4;
const AT_TEXT_BYTES = 8;
const AT_SHARD = 12;
const AT_CLICKS = 14;
const AT_OLDEST = 16;
const OLDEST_BYTES = 6;
export const SPOOL_HEADER_BYTES = 22;
/** Limit of the text of a frame: 1,000 clicks of usual length (110 bytes). Longer texts take two frames, so that a reader's buffer is bounded. */
export const MAX_SPOOL_TEXT_BYTES = 128 * 1024;
export const MAX_SPOOL_FRAME_BYTES = SPOOL_HEADER_BYTES + MAX_SPOOL_TEXT_BYTES;

/** A click line and its shard. */
export interface SpoolLine {
  shard: number;
  line: string;
}

export interface SpoolFrame {
  shard: number;
  clicks: number;
  /** Time of the oldest click, ms. */
  oldestMs: number;
  /** The result of `joinClickLines`, in UTF-8; a view of the scanned bytes, valid as long as those are. */
  text: Buffer;
}

/** Bytes that are no frame: from `start` up to, not including, `end`. */
export interface SpoolGap {
  start: number;
  end: number;
  /** The gap ends the file and is the start of a frame or only zeros: a write that was cut short, for which no visitor was answered. */
  isTorn: boolean;
}

export interface SpoolScan {
  frames: SpoolFrame[];
  gaps: SpoolGap[];
  /** Bytes scanned. The rest is the start of a frame; scan it again with more bytes behind it. */
  consumed: number;
}

export interface EncodedFrames {
  bytes: Buffer;
  /** Time of the oldest click, ms. */
  oldestMs: number;
}

/**
 * Encodes lines in as few frames as their shards allow, in their order within each shard.
 *
 * @param nowMs  used as the time of a click whose line has none
 * @throws AssertionError on a line longer than a frame: the caller refuses those
 */
export function encodeSpoolFrames(lines: readonly SpoolLine[], nowMs: number): EncodedFrames {
  const ofShards = Map.groupBy(lines, ({ shard }) => shard);
  const frames = [...ofShards].flatMap(([shard, of]) => framesOfShard(shard, of, nowMs));
  return {
    bytes: Buffer.concat(frames.map(({ bytes }) => bytes)),
    oldestMs: frames.reduce((oldest, { oldestMs }) => Math.min(oldest, oldestMs), Infinity),
  };
}

function framesOfShard(shard: number, lines: readonly SpoolLine[], nowMs: number): EncodedFrames[] {
  const frames: EncodedFrames[] = [];
  let taken: string[] = [];
  let bytes = 0;
  const close = (): void => {
    if (taken.length > 0) frames.push(frameOf(shard, taken, nowMs));
    taken = [];
    bytes = 0;
  };
  for (const { line } of lines) {
    const lineBytes = Buffer.byteLength(line) + 1;
    if (taken.length === MAX_CLICKS_PER_ENTRY || bytes + lineBytes > MAX_SPOOL_LINE_BYTES) close();
    taken.push(line);
    bytes += lineBytes;
  }
  close();
  return frames;
}

/** Room for the first line of the text, which names the version. */
const VERSION_LINE_BYTES = 64;
/** Limit of a line; lines of `encodeClickLine` stay below 600 bytes. */
export const MAX_SPOOL_LINE_BYTES = MAX_SPOOL_TEXT_BYTES - VERSION_LINE_BYTES;

function frameOf(shard: number, lines: readonly string[], nowMs: number): EncodedFrames {
  const text = joinClickLines(lines);
  const textBytes = Buffer.byteLength(text);
  assert(textBytes <= MAX_SPOOL_TEXT_BYTES, 'the text fits into a frame');
  const frame = Buffer.allocUnsafe(SPOOL_HEADER_BYTES + textBytes);
  MAGIC.copy(frame);
  frame.writeUInt32BE(textBytes, AT_TEXT_BYTES);
  frame.writeUInt16BE(shard, AT_SHARD);
  frame.writeUInt16BE(lines.length, AT_CLICKS);
  const oldestMs = lines.reduce((oldest, line) => Math.min(oldest, clickedAtMsOf(line) ?? nowMs), Infinity);
  frame.writeUIntBE(oldestMs, AT_OLDEST, OLDEST_BYTES);
  frame.write(text, SPOOL_HEADER_BYTES, 'utf8');
  frame.writeUInt32BE(crc32(frame.subarray(AT_TEXT_BYTES)), AT_CHECKSUM);
  return { bytes: frame, oldestMs };
}

/** The second field of a line, if it is a time. */
function clickedAtMsOf(line: string): number | undefined {
  const time = line.split('\t', 2)[1] ?? '';
  return /^\d{1,14}$/.test(time) ? Number(time) : undefined;
}

type FrameReading = { kind: 'frame'; frame: SpoolFrame; bytes: number } | { kind: 'none' } | { kind: 'unfinished' };

/** Reads the frame at `start`. `unfinished`: the header announces more bytes than there are. */
function readFrameAt(bytes: Buffer, start: number): FrameReading {
  const available = bytes.length - start;
  const magic = bytes.subarray(start, start + MAGIC.length);
  if (!magic.equals(MAGIC.subarray(0, available))) return { kind: 'none' };
  if (available < SPOOL_HEADER_BYTES) return { kind: 'unfinished' };
  const textBytes = bytes.readUInt32BE(start + AT_TEXT_BYTES);
  if (textBytes > MAX_SPOOL_TEXT_BYTES) return { kind: 'none' };
  const textStart = start + SPOOL_HEADER_BYTES;
  const end = textStart + textBytes;
  if (end > bytes.length) return { kind: 'unfinished' };
  const checksum = bytes.readUInt32BE(start + AT_CHECKSUM);
  if (crc32(bytes.subarray(start + AT_TEXT_BYTES, end)) !== checksum) return { kind: 'none' };
  const frame = {
    shard: bytes.readUInt16BE(start + AT_SHARD),
    clicks: bytes.readUInt16BE(start + AT_CLICKS),
    oldestMs: bytes.readUIntBE(start + AT_OLDEST, OLDEST_BYTES),
    text: bytes.subarray(textStart, end),
  };
  return { kind: 'frame', frame, bytes: end - start };
}

/** The next offset from `from` on at which a frame may start; the end when there is none. */
function nextMagic(bytes: Buffer, from: number): number {
  const found = bytes.indexOf(MAGIC, from);
  if (found !== -1) return found;
  // The end of the bytes may cut the magic in two.
  for (let start = Math.max(from, bytes.length - MAGIC.length + 1); start < bytes.length; start += 1) {
    if (bytes.subarray(start).equals(MAGIC.subarray(0, bytes.length - start))) return start;
  }
  return bytes.length;
}

/**
 * Reads the frames of a piece of a file that begins at the start of the file or where the previous scan stopped. After damage it continues at
 * the next frame whose checksum is right.
 *
 * @param options.isEnd  the file ends with these bytes; all of them are then consumed
 */
export function scanSpool(bytes: Buffer, { isEnd }: { isEnd: boolean }): SpoolScan {
  const frames: SpoolFrame[] = [];
  const gaps: SpoolGap[] = [];
  let at = 0;
  let gapStart: number | undefined;
  const closeGap = (end: number): void => {
    if (gapStart === undefined) return;
    const isTorn = isEnd && end === bytes.length && isCutShort(bytes.subarray(gapStart));
    gaps.push({ start: gapStart, end, isTorn });
    gapStart = undefined;
  };
  while (at < bytes.length) {
    const reading = readFrameAt(bytes, at);
    if (reading.kind === 'frame') {
      closeGap(at);
      frames.push(reading.frame);
      at += reading.bytes;
    } else if (reading.kind === 'unfinished' && !isEnd) {
      break;
    } else {
      gapStart ??= at;
      at = nextMagic(bytes, at + 1);
    }
  }
  closeGap(at);
  return { frames, gaps, consumed: at };
}

function isCutShort(bytes: Buffer): boolean {
  return readFrameAt(bytes, 0).kind === 'unfinished' || bytes.every((byte) => byte === 0);
}

/** Clicks for one stream entry. Its text is a copy in a buffer: a string would only be more work for the garbage collector. */
export type SpoolEntry = SpoolFrame;

const LINE_END = 0x0a;

interface FrameGroup {
  frames: SpoolFrame[];
  clicks: number;
  textBytes: number;
}

/** Frames that can share an entry: same shard, same version line. */
function groupKey({ shard, text }: SpoolFrame): string {
  return `${shard} ${text.toString('latin1', 0, Math.max(0, text.indexOf(LINE_END)))}`;
}

/**
 * Joins frames of the same shard and the same encoding into entries of up to 1,000 clicks: a spool that was written click by click is drained
 * about a hundred times as fast. The lines stay unchanged.
 */
export function joinSpoolFrames(frames: readonly SpoolFrame[]): SpoolEntry[] {
  const groups: FrameGroup[] = [];
  const open = new Map<string, FrameGroup>();
  for (const frame of frames) {
    const key = groupKey(frame);
    const group = open.get(key);
    const fits =
      group !== undefined &&
      group.clicks + frame.clicks <= MAX_CLICKS_PER_ENTRY &&
      group.textBytes + frame.text.length <= MAX_SPOOL_TEXT_BYTES;
    if (fits) {
      group.frames.push(frame);
      group.clicks += frame.clicks;
      group.textBytes += frame.text.length;
    } else {
      const started = { frames: [frame], clicks: frame.clicks, textBytes: frame.text.length };
      groups.push(started);
      open.set(key, started);
    }
  }
  return groups.map(entryOf);
}

function entryOf({ frames, clicks }: FrameGroup): SpoolEntry {
  // The first frame keeps its version line; of the others only what follows it is taken, with the line end before it.
  const parts = frames.map(({ text }, index) => (index === 0 ? text : text.subarray(text.indexOf(LINE_END))));
  return {
    shard: frames[0]?.shard ?? 0,
    clicks,
    oldestMs: frames.reduce((oldest, { oldestMs }) => Math.min(oldest, oldestMs), Infinity),
    text: Buffer.concat(parts),
  };
}
