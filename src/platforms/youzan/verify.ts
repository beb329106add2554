/**
 * Youzan (有赞) message push: the signature and the acknowledgement. `readYouzanEnvelope` reads the body and `readYouzanMessage` the order
 * facts; this file exports them too, so that a caller imports one file for a message.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readYouzanEnvelope } from './envelope.ts';

export { readYouzanEnvelope, type YouzanEnvelope } from './envelope.ts';
export { readYouzanMessage, type YouzanReading } from './read.ts';

export interface YouzanHeaders {
  /** `Event-Sign` */
  eventSign: string | undefined;
  /** `Client-Id` */
  clientId: string | undefined;
  /** `Event-Type` */
  eventType: string | undefined;
}

export interface YouzanCredentials {
  clientId: string;
  clientSecret: string;
}

export type YouzanVerification =
  | { ok: true }
  | {
      ok: false;
      reason: 'signature_missing' | 'client_id_differs' | 'signature_wrong' | 'malformed' | 'event_type_differs';
    };

/**
 * Verifies that Youzan sent these bytes: `Event-Sign` must be the lower-case hex MD5 of client id, raw body and client secret, `Client-Id` the
 * configured one, and `Event-Type` the type in the body.
 *
 * The legacy `sign` of the body is not accepted: an attacker would only have to omit the header. The scheme has no timestamp, so a replayed
 * message verifies too; the event key detects it.
 */
export function verifyYouzan({
  rawBody,
  headers,
  credentials,
}: {
  rawBody: Uint8Array;
  headers: YouzanHeaders;
  credentials: YouzanCredentials;
}): YouzanVerification {
  if (headers.eventSign === undefined || headers.eventSign === '') return { ok: false, reason: 'signature_missing' };
  if (headers.clientId !== credentials.clientId) return { ok: false, reason: 'client_id_differs' };
  if (!isSameText(signYouzan({ rawBody, credentials }), headers.eventSign))
    return { ok: false, reason: 'signature_wrong' };
  const read = readYouzanEnvelope(rawBody);
  if (!read.ok) return read;
  // A heartbeat has an empty type, and some proxies remove an empty header.
  return read.envelope.type === (headers.eventType ?? '') ? { ok: true } : { ok: false, reason: 'event_type_differs' };
}

/** The `Event-Sign` of a body. */
export function signYouzan({ rawBody, credentials }: { rawBody: Uint8Array; credentials: YouzanCredentials }): string {
  const { clientId, clientSecret } = credentials;
  return createHash('md5').update(clientId).update(rawBody).update(clientSecret).digest('hex');
}

/** The acknowledgement. Youzan delivers a message again unless the answer contains the word success. */
export function youzanAck(success: boolean): { code: 0; msg: 'success' | 'failed' } {
  return { code: 0, msg: success ? 'success' : 'failed' };
}

/** Compares in constant time. Both texts are hashed first, so their lengths are equal. */
function isSameText(expected: string, given: string): boolean {
  return timingSafeEqual(createHash('sha256').update(expected).digest(), createHash('sha256').update(given).digest());
}
