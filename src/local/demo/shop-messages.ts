import { signShop } from '../../platforms/shop/verify.ts';
import { fetchFrom } from './api.ts';
import type { ServerClock } from './server-clock.ts';

/** A brand's own shop system, as daihuo sees it. */
export interface ShopSender {
  origin: string;
  storeId: string;
  /** `whsec_…` */
  secret: string;
  clock: Pick<ServerClock, 'now'>;
}

/** One message: the same id and event make the same delivery, however often it is sent. */
export interface ShopMessage {
  id: string;
  event: Record<string, unknown>;
}

/** Signs and posts one message as Standard Webhooks says. @returns the status of the answer */
export async function postShopMessage(sender: ShopSender, { id, event }: ShopMessage): Promise<number> {
  const body = JSON.stringify(event);
  const timestamp = String(Math.floor(sender.clock.now().getTime() / 1_000));
  const signature = signShop({ rawBody: Buffer.from(body), id, timestamp, secret: sender.secret });
  const response = await fetchFrom(sender.origin, {
    method: 'POST',
    path: `/hooks/shops/${sender.storeId}`,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signature,
    },
    body,
  });
  await response.text();
  return response.status;
}
