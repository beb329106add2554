/**
 * Youzan (有赞) message push: the signature and the acknowledgement. The body is read by `readYouzanEnvelope`, the order facts by
 * `readYouzanMessage`; all three are exported here, the one door to this marketplace.
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
 * Whether Youzan sent these bytes: `Event-Sign` must be the lower-case hex MD5 of client id, raw body and client secret, `Client-Id`
 * the configured one, and `Event-Type` the type in the body.
 *
 * There is no fall back to the legacy `sign` of the body: an attacker would only have to leave the header out. The scheme has no
 * time stamp, so a replay verifies too; only the event key stops it.
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
  // A heartbeat has an empty type, and some proxies drop an empty header.
  return read.envelope.type === (headers.eventType ?? '') ? { ok: true } : { ok: false, reason: 'event_type_differs' };
}

/** The `Event-Sign` of a body. */
export function signYouzan({ rawBody, credentials }: { rawBody: Uint8Array; credentials: YouzanCredentials }): string {
  const { clientId, clientSecret } = credentials;
  return createHash('md5').update(clientId).update(rawBody).update(clientSecret).digest('hex');
}

/** The body Youzan waits for; anything without the word success is delivered again. */
export function youzanAck(success: boolean): { code: 0; msg: 'success' | 'failed' } {
  return { code: 0, msg: success ? 'success' : 'failed' };
}

/** Both sides are hashed first: equal lengths whatever was sent, and no time that depends on the first wrong character. */
function isSameText(expected: string, given: string): boolean {
  return timingSafeEqual(createHash('sha256').update(expected).digest(), createHash('sha256').update(given).digest());
}
