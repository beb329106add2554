import {
  readYouzanEnvelope,
  readYouzanMessage,
  verifyYouzan,
  type YouzanEnvelope,
  type YouzanHeaders,
} from '../../platforms/youzan/verify.ts';
import { open, type SealingKey } from '../../infra/secrets.ts';
import type { MessageIntake } from './batch-messages.ts';
import type { IncomingMessage, RecordOutcome } from './incoming-message.ts';
import type { SigningStores } from './signing-stores.ts';
import type { OrderStore } from './store-queries.ts';

export interface TakeDeps {
  stores: SigningStores;
  intake: MessageIntake;
  sealingKeys: readonly SealingKey[];
}

/** `refused`: nothing was stored. `unknown_shop` and a wrong signature look alike from outside. */
export type YouzanOutcome =
  | { accepted: true; outcome: RecordOutcome | 'heartbeat' }
  | { accepted: false; reason: string };

/**
 * Steps "verify" and "read" for a Youzan push: finds its shop, verifies the raw bytes with the credentials of that shop, and gives it to the
 * intake.
 *
 * Accepted means COMMIT has answered (or it was a heartbeat, of which nothing is kept), so the caller may acknowledge. Unknown message
 * types are accepted and quarantined: Youzan would only send them again.
 *
 * @throws what the intake throws; the sender must then not be answered with success
 */
export async function takeYouzanMessage(
  deps: TakeDeps,
  request: { rawBody: Buffer; headers: YouzanHeaders },
): Promise<YouzanOutcome> {
  const read = readYouzanEnvelope(request.rawBody);
  if (!read.ok) return { accepted: false, reason: read.reason };
  const store = await storeOf(deps, read.envelope);
  const credentials = store === undefined ? undefined : openCredentials(deps, store);
  if (store === undefined || credentials === undefined) return { accepted: false, reason: 'unknown_shop' };
  const verified = verifyYouzan({ ...request, credentials });
  if (!verified.ok) return { accepted: false, reason: verified.reason };
  if (read.envelope.heartbeat) return { accepted: true, outcome: 'heartbeat' };

  const outcome = await deps.intake.record({
    store,
    source: 'youzan',
    messageKey: read.envelope.eventKey,
    bodySha256: Buffer.from(read.envelope.contentSha256, 'hex'),
    messageType: read.envelope.type,
    rawBody: request.rawBody,
    content: contentOf(read.envelope),
  });
  return { accepted: true, outcome };
}

async function storeOf(deps: TakeDeps, envelope: YouzanEnvelope): Promise<OrderStore | undefined> {
  if (envelope.kdtId !== undefined) return deps.stores.findYouzanStore(envelope.kdtId);
  // Only a heartbeat may come without a shop.
  if (!envelope.heartbeat || envelope.clientId === undefined) return undefined;
  return deps.stores.findStoreOfYouzanClient(envelope.clientId);
}

function openCredentials(deps: TakeDeps, store: OrderStore): { clientId: string; clientSecret: string } | undefined {
  if (store.youzanClientId === null || store.youzanClientSecretSealed === null) return undefined;
  return {
    clientId: store.youzanClientId,
    clientSecret: open(deps.sealingKeys, store.youzanClientSecretSealed).toString('utf8'),
  };
}

function contentOf(envelope: YouzanEnvelope): IncomingMessage['content'] {
  const reading = readYouzanMessage(envelope);
  if (reading.kind === 'event') return { kind: 'events', events: [{ event: reading.event, notes: reading.notes }] };
  return { kind: reading.kind === 'ignored' ? 'ignored' : 'quarantined', reason: reading.reason };
}
