import { createHash } from 'node:crypto';
import { isStorableText } from '../../http/fields.ts';
import { open } from '../../infra/secrets.ts';
import { readShopMessage, type ShopHeaders, verifyShop } from '../../platforms/shop.ts';
import type { RecordOutcome } from '../record-message.ts';
import type { TakeDeps } from './take-deps.ts';

export type ShopOutcome =
  | { accepted: true; outcome: RecordOutcome }
  | { accepted: false; kind: 'unauthorized'; reason: string }
  | { accepted: false; kind: 'invalid'; errors: { path: string; message: string }[] }
  | { accepted: false; kind: 'event_id_reused' };

/**
 * Takes one message of a brand's own system (Standard Webhooks): verifies the raw bytes with the store's secret, reads the events, keeps
 * them with their effect. `accepted` means COMMIT has answered. A refused message leaves nothing behind.
 *
 * @throws what the intake throws; the sender must then not be told 2xx
 */
export async function takeShopMessage(
  deps: TakeDeps,
  request: { storeId: string; rawBody: Buffer; headers: ShopHeaders; now: Date },
): Promise<ShopOutcome> {
  const store = isStorableText(request.storeId) ? await deps.findStore(request.storeId) : undefined;
  if (store === undefined) return { accepted: false, kind: 'unauthorized', reason: 'unknown_store' };
  const secret = open(deps.sealingKeys, store.webhookSecretSealed).toString('utf8');
  const verified = verifyShop({ ...request, secrets: [secret] });
  if (!verified.ok) return { accepted: false, kind: 'unauthorized', reason: verified.reason };
  const read = readShopMessage(request.rawBody);
  if (!read.ok) return { accepted: false, kind: 'invalid', errors: read.errors };

  const outcome = await deps.intake.record({
    store,
    source: 'shop',
    // A verified message has an id: it is part of what is signed.
    messageKey: request.headers.id ?? '',
    bodySha256: createHash('sha256').update(request.rawBody).digest(),
    messageType: read.events.length === 1 ? (read.events[0]?.event.type ?? 'events') : 'events',
    rawBody: request.rawBody,
    content: { kind: 'events', events: read.events },
  });
  return outcome === 'conflict' ? { accepted: false, kind: 'event_id_reused' } : { accepted: true, outcome };
}
