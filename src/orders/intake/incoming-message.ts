import type { OrderEvent } from '../../core/orders/order-event.ts';
import type { MessageKey, MessageSource } from './message-queries.ts';
import type { OrderStore } from './store-queries.ts';

/** `conflict`: the key was used before for other content; nothing but the fact of the conflict was kept. */
export type RecordOutcome = 'applied' | 'supplementary' | 'ignored' | 'quarantined' | 'repeated' | 'conflict';

/** One event of a message, with the buyers' notes by external line id: read for codes, then forgotten. */
export interface ReadEvent {
  event: OrderEvent;
  notes: Readonly<Record<string, string>>;
}

export interface IncomingMessage {
  store: OrderStore;
  /** The store, whose secret verified the message, is remembered from an earlier message: the transaction checks that it is unchanged. */
  isStoreRemembered?: boolean;
  source: MessageSource;
  /** Unique per (store, source) for ever. */
  messageKey: string;
  /** SHA-256 of what makes two deliveries the same message (Youzan: without `sendCount`). */
  bodySha256: Buffer;
  messageType: string;
  rawBody: Buffer;
  content:
    | { kind: 'events'; events: ReadEvent[] }
    | { kind: 'ignored'; reason: string }
    | { kind: 'quarantined'; reason: string };
}

/** What makes the message unique for ever. */
export function keyOf({ store, source, messageKey }: IncomingMessage): MessageKey {
  return { brandId: store.brandId, storeId: store.storeId, source, messageKey };
}

/** The external ids of the orders that a message names, each once. */
export function externalIdsOf({ content }: Pick<IncomingMessage, 'content'>): string[] {
  if (content.kind !== 'events') return [];
  return [...new Set(content.events.map(({ event }) => event.externalOrderId))].toSorted();
}

/** Whether the message may only give supplementary evidence: the store's orders come from another source. */
export function isEvidenceOnly({ content, source, store }: IncomingMessage): boolean {
  return content.kind === 'events' && source !== store.orderSource;
}
