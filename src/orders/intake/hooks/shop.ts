import { hash } from 'node:crypto';
import { isStorableText } from '../../../http/fields.ts';
import { readShopMessage, type ShopHeaders, verifyShop } from '../../../platforms/shop/verify.ts';
import { type IncomingMessage, type RecordOutcome, StoreChangedError } from '../record-message.ts';
import type { SigningStore, TakeDeps } from './take-deps.ts';

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
 * Takes one message of a brand's own system (Standard Webhooks): verifies the raw bytes with the store's secret, reads the events, keeps
 * them with their effect. `accepted` means COMMIT has answered. A refused message leaves nothing behind.
 *
 * A store that is remembered costs no question: the transaction that records the message looks whether it is as it was. Where it is not,
 * or where the message is refused, the store is asked for, so no answer rests on what was remembered alone.
 *
 * @throws what the intake throws; the sender must then not be told 2xx
 */
export async function takeShopMessage(deps: TakeDeps, request: ShopRequest): Promise<ShopOutcome> {
  const remembered = deps.rememberedStore(request.storeId);
  const read = remembered === undefined ? undefined : readMessage(remembered, request);
  if (read?.accepted === true) {
    try {
      return outcomeOf(await deps.intake.record({ ...read.message, isStoreRemembered: true }));
    } catch (error) {
      if (!(error instanceof StoreChangedError)) throw error;
    }
  }
  return takeAsFound(deps, request);
}

async function takeAsFound(deps: TakeDeps, request: ShopRequest): Promise<ShopOutcome> {
  const found = isStorableText(request.storeId) ? await deps.findSigningStore(request.storeId) : undefined;
  if (found === undefined) return { accepted: false, kind: 'unauthorized', reason: 'unknown_store' };
  const read = readMessage(found, request);
  return read.accepted ? outcomeOf(await deps.intake.record(read.message)) : read;
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
