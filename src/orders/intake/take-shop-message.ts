import { hash } from 'node:crypto';
import { isStorableText } from '../../http/fields.ts';
import { readShopMessage, type ShopHeaders, verifyShop } from '../../platforms/shop/verify.ts';
import type { MessageIntake } from './batch-messages.ts';
import type { IncomingMessage, RecordOutcome } from './incoming-message.ts';
import { StoreChangedError } from './record-messages.ts';
import type { SigningStore, SigningStores } from './signing-stores.ts';

type Refusal =
  | { accepted: false; kind: 'unauthorized'; reason: string }
  | { accepted: false; kind: 'invalid'; errors: { path: string; message: string }[] };

export type ShopOutcome =
  | { accepted: true; outcome: RecordOutcome }
  | Refusal
  | { accepted: false; kind: 'event_id_reused' };

export interface ShopRequest {
  storeId: string;
  rawBody: Buffer;
  headers: ShopHeaders;
  now: Date;
}

/**
 * Steps "verify" and "read" for a message of a brand's own system (Standard Webhooks): verifies the raw bytes with the store's secret, reads
 * the events, and gives them to the intake. `accepted` means that COMMIT has answered. A refused message leaves nothing behind.
 *
 * A store that is remembered costs no lookup: the transaction that records the message checks that the store is unchanged. Where it is not, or
 * where the message is refused, the store is looked up again, so no answer rests on memory alone.
 *
 * @throws what the intake throws; the sender must then not be answered 2xx
 */
export async function takeShopMessage(
  { stores, intake }: { stores: SigningStores; intake: MessageIntake },
  request: ShopRequest,
): Promise<ShopOutcome> {
  const remembered = stores.remembered(request.storeId);
  const read = remembered === undefined ? undefined : readMessage(remembered, request);
  if (read?.accepted === true) {
    try {
      return outcomeOf(await intake.record({ ...read.message, isStoreRemembered: true }));
    } catch (error) {
      if (!(error instanceof StoreChangedError)) throw error;
    }
  }
  const found = isStorableText(request.storeId) ? await stores.find(request.storeId) : undefined;
  if (found === undefined) return { accepted: false, kind: 'unauthorized', reason: 'unknown_store' };
  const reread = readMessage(found, request);
  return reread.accepted ? outcomeOf(await intake.record(reread.message)) : reread;
}

function outcomeOf(outcome: RecordOutcome): ShopOutcome {
  return outcome === 'conflict' ? { accepted: false, kind: 'event_id_reused' } : { accepted: true, outcome };
}

/** The message, if the store's secret verifies it and it can be read. */
function readMessage(
  { store, secret }: SigningStore,
  request: ShopRequest,
): { accepted: true; message: IncomingMessage } | Refusal {
  const verified = verifyShop({ ...request, secrets: [secret] });
  if (!verified.ok) return { accepted: false, kind: 'unauthorized', reason: verified.reason };
  const read = readShopMessage(request.rawBody);
  if (!read.ok) return { accepted: false, kind: 'invalid', errors: read.errors };
  const message: IncomingMessage = {
    store,
    source: 'shop',
    // A verified message has an id: it is part of what is signed.
    messageKey: request.headers.id ?? '',
    bodySha256: hash('sha256', request.rawBody, 'buffer'),
    messageType: read.events.length === 1 ? (read.events[0]?.event.type ?? 'events') : 'events',
    rawBody: request.rawBody,
    content: { kind: 'events', events: read.events },
  };
  return { accepted: true, message };
}
