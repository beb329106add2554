import { externalIdsOf, type IncomingMessage, isEvidenceOnly } from './incoming-message.ts';

const MAX_MESSAGES = 128;
/** A message may hold a hundred events of two hundred lines; a batch of such would hold its locks for seconds. */
const MAX_LINES = 2_000;

export interface Batch {
  /** Takes the message into the batch; false where it has to wait for the next. A message alone is always taken. */
  add(message: IncomingMessage): boolean;
}

/**
 * Which messages, offered in the order of their arrival, may be recorded in one transaction so that each has the outcome it would have had
 * after those before it.
 *
 * Of two with one key the second waits: it is compared with what the first has stored. Evidence of a foreign source waits for what comes
 * before it about the same orders, because whether they are known decides what becomes of it. Whatever waits takes along what comes after
 * it under the same key or about the same orders.
 */
export function createBatch(): Batch {
  const keys = new Set<string>();
  const orders = new Set<string>();
  const waitedFor = new Set<string>();
  let messages = 0;
  let lines = 0;

  const mayJoin = (message: IncomingMessage, named: readonly string[], key: string): boolean => {
    if (keys.has(key) || (messages > 0 && lines + weightOf(message) > MAX_LINES)) return false;
    const conflicting = isEvidenceOnly(message) ? waitedFor.union(orders) : waitedFor;
    return !named.some((order) => conflicting.has(order));
  };
  return {
    add: (message) => {
      if (messages >= MAX_MESSAGES || lines >= MAX_LINES) return false;
      const { store, source, messageKey } = message;
      const key = `${store.storeId} ${source} ${messageKey}`;
      const named = externalIdsOf(message).map((externalId) => `${store.storeId} ${externalId}`);
      const joins = mayJoin(message, named, key);
      for (const order of named) (joins ? orders : waitedFor).add(order);
      keys.add(key);
      if (!joins) return false;
      messages += 1;
      lines += weightOf(message);
      return true;
    },
  };
}

function weightOf({ content }: IncomingMessage): number {
  if (content.kind !== 'events') return 1;
  return content.events.reduce((sum, { event }) => sum + Math.max(1, event.lines?.length ?? 0), 0);
}
