import type { OutputInfo, Sharp } from 'sharp';

export interface SmallPicture {
  /** WebP, at most 60 KB, without metadata. */
  bytes: Buffer;
  width: number;
  height: number;
}

/** `not_a_picture`: of a kind that is not read here, broken, or with more pixels than any product picture. `too_detailed`: never small enough. */
export type ShrinkResult =
  | { ok: true; picture: SmallPicture }
  | { ok: false; problem: 'not_a_picture' | 'too_detailed' };

/** What is read at all, as servers name it. */
export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/webp', 'image/gif'] as const;

export const MAX_PICTURE_BYTES = 60 * 1024;
const MAX_WIDTH_PX = 640;
/** Twice a phone's width: a longer picture pushes every button off the screen. */
const MAX_HEIGHT_PX = 1_280;
/** A camera's 32 megapixels; a picture of more is made to fill memory. */
const MAX_PIXELS = 32_000_000;
const DECODE_SECONDS = 10;
/** Tried in turn until the picture fits. Nearly all fit at the first; noise needs the last. */
const STEPS: readonly { quality: number; scale: number }[] = [
  { quality: 80, scale: 1 },
  { quality: 65, scale: 1 },
  { quality: 50, scale: 1 },
  { quality: 50, scale: 0.75 },
  { quality: 40, scale: 0.5 },
  { quality: 30, scale: 0.25 },
];
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((kind) => `VipsForeignLoad${kind}Buffer`);

type Open = (bytes: Buffer) => Sharp;
let opened: Promise<Open> | undefined;
/** Ends when the picture before has been made. */
let turn: Promise<unknown> = Promise.resolve();

/** The decoder is loaded by the first picture: processes that fetch none keep its 20 MB. */
async function loadSharp(): Promise<Open> {
  const { default: sharp } = await import('sharp');
  // Everything libvips can read beyond these four (SVG, PDF, TIFF, …) is only ways in for a hostile file.
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: LOADERS });
  sharp.cache(false);
  // The worker has other work to do: one picture, one thread.
  sharp.concurrency(1);
  return (bytes) =>
    sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true }).timeout({
      seconds: DECODE_SECONDS,
    });
}

/**
 * A picture as the middle page shows it: WebP of at most 640 × 1,280 pixels and 60 KB, upright, the first frame only, without metadata.
 *
 * One at a time: decoding holds a thread of the pool on which this process also writes its files.
 *
 * @param bytes  whatever a stranger's server sent
 * @throws Error where the decoder cannot be loaded on this machine
 */
export async function shrinkPicture(bytes: Buffer): Promise<ShrinkResult> {
  const mine = turn.then(async () => shrink(bytes));
  turn = mine.catch(() => undefined);
  return await mine;
}

async function shrink(bytes: Buffer): Promise<ShrinkResult> {
  opened ??= loadSharp();
  const open = await opened;
  try {
    for (const step of STEPS) {
      const { data, info } = await encode(open(bytes), step);
      if (data.length <= MAX_PICTURE_BYTES)
        return { ok: true, picture: { bytes: data, width: info.width, height: info.height } };
    }
  } catch {
    // The decoder's words for it help nobody: the file is not what it was said to be.
    return { ok: false, problem: 'not_a_picture' };
  }
  return { ok: false, problem: 'too_detailed' };
}

async function encode(
  picture: Sharp,
  { quality, scale }: (typeof STEPS)[number],
): Promise<{ data: Buffer; info: OutputInfo }> {
  const box = { width: Math.round(MAX_WIDTH_PX * scale), height: Math.round(MAX_HEIGHT_PX * scale) };
  return await picture
    .autoOrient()
    .resize({ ...box, fit: 'inside', withoutEnlargement: true })
    .webp({ quality })
    .toBuffer({ resolveWithObject: true });
}
