/** Signed webhooks of paid orders, made before the clock starts. */
import { signShop } from '../../src/platforms/shop/verify.ts';
import { type BenchMarket, STORES } from './market.ts';

export interface Webhook {
  storeId: string;
  messageId: string;
  timestamp: string;
  signature: string;
  body: Buffer;
}

/** Makes webhooks one after another; no two have the same message or order. */
export function createWebhooks(market: BenchMarket, run: string): () => Webhook {
  let made = 0;
  return () => {
    made += 1;
    const click = market.clicks[(made * 7_919) % market.clicks.length];
    const store = market.stores[(click?.product ?? 0) % STORES];
    if (click === undefined || store === undefined) throw new Error('the market is empty');
    const at = new Date();
    const messageId = `msg_${run}_${made}`;
    const timestamp = String(Math.floor(at.getTime() / 1_000));
    const body = Buffer.from(
      JSON.stringify({
        type: 'order.paid',
        orderId: `${run}-${made}`,
        version: 1,
        occurredAt: at.toISOString(),
        createdAt: at.toISOString(),
        lines: [{ lineId: '1', itemId: String(click.product), quantity: 1, paidFen: 19_900, clickId: click.clickId }],
      }),
    );
    const signature = signShop({ rawBody: body, id: messageId, timestamp, secret: store.secret });
    return { storeId: store.storeId, messageId, timestamp, signature, body };
  };
}

/** The bytes of a webhook as an HTTP request on a connection that stays open. */
export function requestOf({ storeId, messageId, timestamp, signature, body }: Webhook): Buffer {
  const head = [
    `POST /hooks/shops/${storeId} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${body.length}`,
    `webhook-id: ${messageId}`,
    `webhook-timestamp: ${timestamp}`,
    `webhook-signature: ${signature}`,
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}
