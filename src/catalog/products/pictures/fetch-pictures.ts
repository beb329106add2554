import { createHash } from 'node:crypto';
import type { Db } from '../../../infra/db.ts';
import type { RequestFailure, GuardedRequest } from '../../../infra/guarded-request.ts';
import { allOrThrow } from '../../../infra/all-or-throw.ts';
import { type DuePicture, storePicture, storePictureProblem, takeDuePictures } from './queries.ts';
import { PICTURE_TYPES, type ShrinkResult, type SmallPicture, shrinkPicture } from './shrink-picture.ts';

/** Why a product has no picture: what went wrong on the way, the status that was not 200, or what is wrong with the file. */
export type PictureProblem = RequestFailure | 'status_not_ok' | Extract<ShrinkResult, { ok: false }>['problem'];

export interface PictureDeps {
  db: Db;
  fetch: GuardedRequest;
  /** Told of each picture: `stored`, or why not. */
  onResult: (result: 'stored' | PictureProblem) => void;
}

const MAX_SOURCE_BYTES = 10 * 1024 * 1024;
const FETCH_MS = 10_000;
/** Longer than fetching and decoding at their worst. */
const LEASE_MS = 120_000;
/** At once: waiting for servers is most of the work, and four decoded pictures fit in memory. */
const BATCH = 4;
const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
/** The first eleven pauses last about six days in all. */
const MAX_TRIES = 12;

/**
 * Fetches the pictures of products whose `image_url` is new or changed, and of earlier tries that are due again. Any number of workers may run it.
 *
 * @param signal  ends it early; what was under way is tried again two minutes later
 */
export async function fetchDuePictures(deps: PictureDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const due = await takeDuePictures(deps.db, { limit: BATCH, leaseMs: LEASE_MS });
    await allOrThrow(due.map((picture) => fetchOne(deps, picture, signal)));
    if (due.length < BATCH) return;
  }
}

async function fetchOne({ db, fetch, onResult }: PictureDeps, due: DuePicture, signal: AbortSignal): Promise<void> {
  const { productId, sourceUrl, tries } = due;
  const result = await fetchAndShrink(fetch, sourceUrl, signal);
  if (result.ok) {
    const { bytes, width, height } = result.picture;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await storePicture(db, { productId, sourceUrl, sha256, bytes, width, height, mediaType: 'image/webp' });
    onResult('stored');
    return;
  }
  // Nothing went wrong with it: this process ends.
  if (result.problem === 'stopped') return;
  await storePictureProblem(db, { productId, sourceUrl, problem: result.problem, retryAfterMs: pauseAfterMs(tries) });
  onResult(result.problem);
}

async function fetchAndShrink(
  fetch: GuardedRequest,
  url: string,
  signal: AbortSignal,
): Promise<{ ok: true; picture: SmallPicture } | { ok: false; problem: PictureProblem }> {
  const limits = { maxBytes: MAX_SOURCE_BYTES, timeoutMs: FETCH_MS };
  const answer = await fetch({ url, mediaTypes: PICTURE_TYPES, ...limits, signal });
  if (!answer.ok) return { ok: false, problem: answer.reason };
  if (answer.status !== 200) return { ok: false, problem: 'status_not_ok' };
  return await shrinkPicture(answer.body);
}

/** 1, 4, 16, 64, 256 and 1,024 minutes, then a day each; undefined after the twelfth try. */
function pauseAfterMs(tries: number): number | undefined {
  return tries >= MAX_TRIES ? undefined : Math.min(MINUTE_MS * 4 ** (tries - 1), DAY_MS);
}
