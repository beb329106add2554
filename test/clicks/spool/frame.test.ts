import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_CLICKS_PER_ENTRY, joinClickLines } from '../../../src/clicks/click-batch.ts';
import {
  MAX_SPOOL_LINE_BYTES,
  MAX_SPOOL_TEXT_BYTES,
  SPOOL_HEADER_BYTES,
  encodeSpoolFrames,
  joinSpoolFrames,
  scanSpool,
} from '../../../src/clicks/spool/frame.ts';
import type { SpoolFrame, SpoolGap, SpoolLine } from '../../../src/clicks/spool/frame.ts';

const NOW_MS = 1_795_316_645_678;
const encode = (lines: readonly SpoolLine[]): Buffer => encodeSpoolFrames(lines, NOW_MS).bytes;
const lineOf = (id: number | string): string =>
  `id${id}\t${NOW_MS}\t42\tv12\tcounted\t0123456789abcdef\tdouyin\tios\t浙江`;
const linesOf = (frames: readonly SpoolFrame[]): string[] =>
  frames.flatMap(({ text }) => text.toString().split('\n').slice(1));

/** A file of frames with one to three clicks each, and where each frame ends. */
function fileOf(frameCount: number): { bytes: Buffer; ends: number[]; lines: string[][] } {
  const lines = Array.from({ length: frameCount }, (_, frame) =>
    Array.from({ length: 1 + (frame % 3) }, (_, click) => lineOf(`${frame}-${click}`)),
  );
  const frames = lines.map((of, frame) => encode(of.map((line) => ({ shard: frame % 2, line }))));
  const ends = frames.map((_, index) => Buffer.concat(frames.slice(0, index + 1)).length);
  return { bytes: Buffer.concat(frames), ends, lines };
}

/** Scans as a reader does that gets the file in pieces. */
function scanInPieces(bytes: Buffer, pieceBytes: number): { frames: SpoolFrame[]; gaps: SpoolGap[] } {
  const frames: SpoolFrame[] = [];
  const gaps: SpoolGap[] = [];
  let position = 0;
  for (let end = 0; ;) {
    const isEnd = end >= bytes.length;
    const scan = scanSpool(bytes.subarray(position, end), { isEnd });
    frames.push(...scan.frames);
    gaps.push(...scan.gaps.map((gap) => ({ ...gap, start: gap.start + position, end: gap.end + position })));
    position += scan.consumed;
    if (isEnd) return { frames, gaps };
    end = Math.min(bytes.length, end + pieceBytes);
  }
}

describe('a frame', () => {
  it('is read back as it was written, with its shard, its clicks and the oldest of them', () => {
    const older = lineOf(2).replace(String(NOW_MS), String(NOW_MS - 5_000));
    const encoded = encodeSpoolFrames(
      [
        { shard: 7, line: lineOf(1) },
        { shard: 7, line: older },
      ],
      NOW_MS,
    );
    expect(encoded.oldestMs).toBe(NOW_MS - 5_000);
    expect(scanSpool(encoded.bytes, { isEnd: true })).toEqual({
      frames: [
        { shard: 7, clicks: 2, oldestMs: NOW_MS - 5_000, text: Buffer.from(joinClickLines([lineOf(1), older])) },
      ],
      gaps: [],
      consumed: encoded.bytes.length,
    });
  });

  // Spools of two versions lie beside each other after an upgrade: these bytes may never change their meaning.
  it('has the bytes it has always had', () => {
    expect(encode([{ shard: 1, line: 'a\t7\tb' }]).toString('hex')).toBe(
      'ff647301' +
        'a5c025ed' +
        '0000000e' +
        '0001' +
        '0001' +
        '000000000007' +
        Buffer.from('clicks/1\na\t7\tb').toString('hex'),
    );
  });

  it('takes the time of writing for a click that has none', () => {
    expect(encodeSpoolFrames([{ shard: 0, line: 'x' }], NOW_MS).oldestMs).toBe(NOW_MS);
  });

  it('holds at most 1,000 clicks and 128 KiB: more take more frames, in order, each shard its own', () => {
    const many = Array.from({ length: 2_500 }, (_, index) => ({ shard: index % 2, line: lineOf(index) }));
    const { frames } = scanSpool(encode(many), { isEnd: true });
    for (const shard of [0, 1]) {
      const of = frames.filter((frame) => frame.shard === shard);
      expect(linesOf(of)).toEqual(many.filter((each) => each.shard === shard).map(({ line }) => line));
    }
    expect(Math.max(...frames.map(({ clicks }) => clicks))).toBeLessThanOrEqual(MAX_CLICKS_PER_ENTRY);
    const long = Array.from({ length: 10 }, (_, index) => ({
      shard: 0,
      line: `${index}`.repeat(MAX_SPOOL_LINE_BYTES / 3),
    }));
    const longFrames = scanSpool(encode(long), { isEnd: true }).frames;
    expect(linesOf(longFrames)).toEqual(long.map(({ line }) => line));
    expect(Math.max(...longFrames.map(({ text }) => text.length))).toBeLessThanOrEqual(MAX_SPOOL_TEXT_BYTES);
  });

  it('is read the same however the file is cut into pieces', () => {
    const { bytes, lines } = fileOf(40);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), (pieceBytes) => {
        const { frames, gaps } = scanInPieces(bytes, pieceBytes);
        expect(linesOf(frames)).toEqual(lines.flat());
        expect(gaps).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('F19: a file that was cut or damaged', () => {
  const { bytes, ends, lines } = fileOf(60);

  it('cut anywhere, gives every click before the cut and no other, and says that the tail is torn', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length), (length) => {
        const { frames, gaps, consumed } = scanSpool(bytes.subarray(0, length), { isEnd: true });
        const whole = ends.filter((end) => end <= length).length;
        expect(linesOf(frames)).toEqual(lines.slice(0, whole).flat());
        const start = ends[whole - 1] ?? 0;
        expect(gaps).toEqual(start === length ? [] : [{ start, end: length, isTorn: true }]);
        expect(consumed).toBe(length);
      }),
      { numRuns: 500 },
    );
  });

  it('with any bit flipped, loses the one frame that holds it, never gives a wrong click, and names the bytes', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), fc.integer({ min: 300, max: 5_000 }), (at, bit, pieceBytes) => {
        const damaged = Buffer.from(bytes);
        damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << bit), at);
        const { frames, gaps } = scanInPieces(damaged, pieceBytes);
        const hit = ends.findIndex((end) => at < end);
        expect(linesOf(frames)).toEqual(lines.toSpliced(hit, 1).flat());
        expect([gaps.at(0)?.start, gaps.at(-1)?.end]).toEqual([ends[hit - 1] ?? 0, ends[hit]]);
        expect(gaps.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(
          (ends[hit] ?? 0) - (ends[hit - 1] ?? 0),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('with a stretch overwritten by anything, gives only clicks that were written, and every one outside the stretch', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 700 }), (at, junk) => {
        const damaged = Buffer.from(bytes);
        damaged.set(junk.subarray(0, bytes.length - at), at);
        const { frames } = scanSpool(damaged, { isEnd: true });
        const first = ends.findIndex((end) => at < end);
        const last = ends.findIndex((end) => Math.min(at + junk.length, bytes.length) <= end);
        const survivors = linesOf(frames);
        const untouched = [...lines.slice(0, first), ...lines.slice(last + 1)].flat();
        expect(survivors.filter((line) => untouched.includes(line))).toEqual(untouched);
        const written = new Set(lines.flat());
        expect(survivors.filter((line) => !written.has(line))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('made of nothing but noise gives nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (noise) => {
        const { frames, gaps } = scanSpool(Buffer.from(noise), { isEnd: true });
        expect(frames).toEqual([]);
        expect(gaps.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(noise.length);
      }),
    );
  });

  it('with zeros at the end, as a power cut leaves them, is torn there; with other bytes it is damaged', () => {
    const zeros = scanSpool(Buffer.concat([bytes, Buffer.alloc(500)]), { isEnd: true });
    expect(zeros.gaps).toEqual([{ start: bytes.length, end: bytes.length + 500, isTorn: true }]);
    const noise = scanSpool(Buffer.concat([bytes, Buffer.alloc(500, 7)]), { isEnd: true });
    expect(noise.gaps).toEqual([{ start: bytes.length, end: bytes.length + 500, isTorn: false }]);
  });

  it('is not led astray by a frame that names a longer text than there may be', () => {
    const [first = 0] = ends;
    const damaged = Buffer.from(bytes);
    damaged.writeUInt32BE(0xffff_fff0, 8);
    const { frames, gaps } = scanInPieces(damaged, 64);
    expect(linesOf(frames)).toEqual(lines.slice(1).flat());
    expect(gaps.at(-1)?.end).toBe(first);
    expect(first).toBeGreaterThan(SPOOL_HEADER_BYTES);
  });
});

describe('frames put together to entries', () => {
  const frame = (shard: number, ids: number[], version = 'clicks/1'): SpoolFrame => ({
    shard,
    clicks: ids.length,
    oldestMs: NOW_MS - (ids[0] ?? 0),
    text: Buffer.from([version, ...ids.map(lineOf)].join('\n')),
  });

  it('keep every line, in the order of its shard, under one version line', () => {
    const entries = joinSpoolFrames([frame(0, [1, 2]), frame(1, [3]), frame(0, [4])]);
    expect(entries).toEqual([
      { shard: 0, clicks: 3, oldestMs: NOW_MS - 4, text: Buffer.from(joinClickLines([1, 2, 4].map(lineOf))) },
      { shard: 1, clicks: 1, oldestMs: NOW_MS - 3, text: Buffer.from(joinClickLines([lineOf(3)])) },
    ]);
  });

  it('never mix two encodings', () => {
    const entries = joinSpoolFrames([frame(0, [1]), frame(0, [2], 'clicks/2'), frame(0, [3])]);
    expect(entries.map(({ text }) => text.toString().split('\n'))).toEqual([
      ['clicks/1', lineOf(1), lineOf(3)],
      ['clicks/2', lineOf(2)],
    ]);
  });

  it('stay within 1,000 clicks an entry', () => {
    const frames = Array.from({ length: 700 }, (_, index) => frame(0, [3 * index, 3 * index + 1, 3 * index + 2]));
    const entries = joinSpoolFrames(frames);
    expect(Math.max(...entries.map(({ clicks }) => clicks))).toBeLessThanOrEqual(MAX_CLICKS_PER_ENTRY);
    expect(linesOf(entries)).toEqual(linesOf(frames));
  });

  it('keep their text when the bytes that were scanned are overwritten, as a reader does with the next piece', () => {
    const bytes = encode([{ shard: 0, line: lineOf(1) }]);
    const [entry] = joinSpoolFrames(scanSpool(bytes, { isEnd: true }).frames);
    bytes.fill(0);
    expect(entry?.text.toString()).toBe(joinClickLines([lineOf(1)]));
  });
});
