/**
 * Messages of a brand's own shop system: the signature by Standard Webhooks (standardwebhooks.com). `readShopMessage` reads the body; this file
 * exports it too, so that a caller imports one file for a message.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';

export { readShopMessage, shopMessageSchema, type ShopReading } from './read.ts';

export interface ShopHeaders {
  /** `webhook-id`: also the event key, unchanged when a delivery is repeated. */
  id: string | undefined;
  /** `webhook-timestamp`, seconds */
  timestamp: string | undefined;
  /** `webhook-signature`: blank-separated `v1,<base64>` */
  signature: string | undefined;
}

export type ShopVerification =
  | { ok: true }
  | {
      ok: false;
      reason: 'header_missing' | 'id_malformed' | 'timestamp_malformed' | 'timestamp_out_of_range' | 'signature_wrong';
    };

const SECRET_PREFIX = 'whsec_';
/** The bounds of the standard for a secret, in bytes. */
const MIN_SECRET_LENGTH = 24;
const MAX_SECRET_LENGTH = 64;
const TOLERANCE_SECONDS = 300;
/** A sender that rotates secrets sends two or three signatures. A limit keeps a request from causing many computations. */
const MAX_SIGNATURES = 10;
const MAX_SIGNATURE_HEADER_LENGTH = 2000;
const ID = /^[\x21-\x7e]{1,128}$/;
const TIMESTAMP = /^\d{1,12}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Verifies that the owner of one of the secrets sent these bytes within 300 seconds of now.
 *
 * The id must be 1 to 128 printable ASCII characters. Signatures of versions other than `v1` are ignored, as the standard requires; a header
 * with more than ten signatures is refused.
 *
 * @param secrets  the store's current secret and those that are not expired, `whsec_…`
 * @throws RangeError when a stored secret cannot have been made by `newShopSecret`: a bug
 */
export function verifyShop({
  rawBody,
  headers,
  secrets,
  now,
}: {
  rawBody: Uint8Array;
  headers: ShopHeaders;
  secrets: readonly string[];
  now: Date;
}): ShopVerification {
  const { id, timestamp, signature } = headers;
  if (id === undefined || timestamp === undefined || signature === undefined)
    return { ok: false, reason: 'header_missing' };
  if (!ID.test(id)) return { ok: false, reason: 'id_malformed' };
  if (!TIMESTAMP.test(timestamp)) return { ok: false, reason: 'timestamp_malformed' };
  const skewMs = Math.abs(now.getTime() - Number(timestamp) * 1000);
  if (skewMs > TOLERANCE_SECONDS * 1000) return { ok: false, reason: 'timestamp_out_of_range' };
  const given = signaturesIn(signature);
  const expected = secrets.map((secret) => signShop({ rawBody, id, timestamp, secret }));
  // Compares every pair, so the duration does not show which secret or signature was close.
  const matches = expected.flatMap((right) => given.filter((candidate) => isSameText(right, candidate)));
  return matches.length > 0 ? { ok: true } : { ok: false, reason: 'signature_wrong' };
}

/** The signature of one message, `v1,<base64>`. @throws RangeError as `verifyShop` */
export function signShop({
  rawBody,
  id,
  timestamp,
  secret,
}: {
  rawBody: Uint8Array;
  id: string;
  timestamp: string;
  secret: string;
}): string {
  const mac = createHmac('sha256', secretBytes(secret)).update(`${id}.${timestamp}.`).update(rawBody);
  return `v1,${mac.digest('base64')}`;
}

/** A new secret, to be shown once: `whsec_` and base64. @param random  24 to 64 random bytes */
export function newShopSecret(random: Uint8Array): string {
  if (random.length < MIN_SECRET_LENGTH || random.length > MAX_SECRET_LENGTH) {
    throw new RangeError('a webhook secret has 24 to 64 bytes');
  }
  return SECRET_PREFIX + Buffer.from(random).toString('base64');
}

function secretBytes(secret: string): Buffer {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : '';
  const bytes = Buffer.from(encoded, 'base64');
  if (!BASE64.test(encoded) || bytes.length < MIN_SECRET_LENGTH || bytes.length > MAX_SECRET_LENGTH) {
    throw new RangeError('a stored webhook secret is malformed');
  }
  return bytes;
}

function signaturesIn(header: string): string[] {
  if (header.length > MAX_SIGNATURE_HEADER_LENGTH) return [];
  const signatures = header.split(' ');
  return signatures.length > MAX_SIGNATURES ? [] : signatures.filter((one) => one.startsWith('v1,'));
}

/** Compares in constant time. Both texts are hashed first, so their lengths are equal. */
function isSameText(expected: string, given: string): boolean {
  return timingSafeEqual(hash('sha256', expected, 'buffer'), hash('sha256', given, 'buffer'));
}
