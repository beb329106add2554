import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Db } from '../../../infra/db.ts';
import type { RequestFailure, GuardedRequest } from '../../../infra/guarded-request.ts';
import { handleTask, RetryLater, type Task, type TaskHandler } from '../../../infra/work-queue.ts';
import { findPictureSource, storePicture, storePictureProblem } from './queries.ts';
import { PICTURE_TYPES, type ShrinkResult, type SmallPicture, shrinkPicture } from './shrink-picture.ts';

/** Why a product has no picture: a failed request, a status other than 200, or a fault of the file. */
export type PictureProblem = RequestFailure | 'status_not_ok' | Extract<ShrinkResult, { ok: false }>['problem'];

export interface PictureDeps {
  db: Db;
  fetch: GuardedRequest;
  /** Runs after each attempt, with `stored` or the reason why not. */
  onResult: (result: 'stored' | PictureProblem) => void;
}

const payload = z.object({ brandId: z.string(), productId: z.string() });
type Payload = z.infer<typeof payload>;

/** The trigger `queue_product_picture` (migrations/0003_catalog.sql) enqueues it, by this name and with this payload. */
const FETCH_PRODUCT_PICTURE: Task<Payload> = { name: 'fetch_product_picture', payload };

const MAX_SOURCE_BYTES = 10 * 1024 * 1024;
const FETCH_MS = 10_000;

type Fetched = { ok: true; picture: SmallPicture } | { ok: false; problem: PictureProblem; isFinal: boolean };

/**
 * Fetches the picture of a product whose `image_url` is new or changed, and stores it or the problem. A picture that cannot be had (404, a wrong
 * type, too large) is final until `image_url` changes; trouble of the network or of the server is tried again.
 */
export function pictureTask(deps: PictureDeps): TaskHandler {
  return handleTask(FETCH_PRODUCT_PICTURE, async (product, signal) => fetchPicture(deps, product, signal));
}

async function fetchPicture(
  { db, fetch, onResult }: PictureDeps,
  product: Payload,
  signal: AbortSignal,
): Promise<void> {
  const sourceUrl = await findPictureSource(db, product);
  // The product has no image_url any more.
  if (sourceUrl === undefined) return;
  const fetched = await fetchAndShrink(fetch, sourceUrl, signal);
  if (fetched.ok) {
    const { bytes, width, height } = fetched.picture;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await storePicture(db, { ...product, sourceUrl, sha256, bytes, width, height, mediaType: 'image/webp' });
    onResult('stored');
    return;
  }
  const { problem, isFinal } = fetched;
  // The end of the process is no problem of the picture.
  if (problem === 'stopped') throw new RetryLater('the process stops');
  await storePictureProblem(db, { ...product, sourceUrl, problem });
  onResult(problem);
  if (!isFinal) throw new RetryLater(`the picture could not be fetched: ${problem}`);
}

async function fetchAndShrink(fetch: GuardedRequest, url: string, signal: AbortSignal): Promise<Fetched> {
  const limits = { maxBytes: MAX_SOURCE_BYTES, timeoutMs: FETCH_MS };
  const answer = await fetch({ url, mediaTypes: PICTURE_TYPES, ...limits, signal });
  if (!answer.ok) return { ok: false, problem: answer.reason, isFinal: !isNetworkTrouble(answer.reason) };
  if (answer.status !== 200) return { ok: false, problem: 'status_not_ok', isFinal: isFinalStatus(answer.status) };
  const shrunk = await shrinkPicture(answer.body);
  return shrunk.ok ? shrunk : { ...shrunk, isFinal: true };
}

function isNetworkTrouble(reason: RequestFailure): boolean {
  // A name may not be set up yet, or its name server may be down.
  return ['no_such_host', 'unreachable', 'timeout', 'stopped'].includes(reason);
}

/** Another time may bring another answer after 408 (timeout), 425 (too early), 429 (too many requests) and every 5xx. */
function isFinalStatus(status: number): boolean {
  return status < 500 && ![408, 425, 429].includes(status);
}
