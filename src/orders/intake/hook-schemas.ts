import { z } from 'zod';
import { problemResponses } from '../../http/fields.ts';
import { shopMessageSchema } from '../../platforms/shop/verify.ts';

/**
 * How the hooks look in the interface's description. They describe only: the body reaches a hook as bytes, because its signature is over
 * bytes, and is read after the signature was found to be right.
 */
export const describeOnly = () => () => true;

const tags = ['Orders in'];

export const youzanHook = {
  summary: 'Youzan message push',
  description:
    'Verified by `Event-Sign` over the raw bytes, with `Client-Id` and `Event-Type` as Youzan sends them. A repeat changes nothing. Unknown message types are acknowledged and quarantined.',
  tags,
  body: z
    .looseObject({
      type: z.string(),
      kdt_id: z.int(),
      msg_id: z.string(),
      msg: z.union([z.string(), z.looseObject({})]),
      version: z.int(),
    })
    .meta({
      examples: [
        {
          type: 'trade_TradePaid',
          kdt_id: 10_000_001,
          msg_id: 'dc3d6d4b-7c0f-4b0b',
          msg: '%7B%22full_order_info%22%3A…%7D',
          version: 1,
        },
      ],
    }),
  response: { 200: z.object({ code: z.literal(0), msg: z.literal('success') }), ...problemResponses },
};

export const shopHook = {
  summary: 'Order events of a brand’s own shop',
  description:
    'Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64 HMAC-SHA256(secret, id.timestamp.body)>` with the store’s `whsec_…` secret. `webhook-id` is the event key: a repeat answers 200 and changes nothing, the same id with another body answers 422 `event_id_reused`.',
  tags,
  params: z.object({ storeId: z.string() }),
  headers: z.object({
    'webhook-id': z.string(),
    'webhook-timestamp': z.string(),
    'webhook-signature': z.string(),
  }),
  body: shopMessageSchema.meta({
    examples: [
      {
        type: 'order.paid',
        orderId: 'A-1001',
        version: 1,
        occurredAt: '2026-11-22T03:04:05Z',
        createdAt: '2026-11-22T03:02:00Z',
        lines: [
          {
            lineId: '1',
            itemId: '600000000001',
            quantity: 1,
            paidFen: 19_900,
            clickId: 'dwAAAAAHAaID1rikui__H0HuOpudBNE2iNtzEQ',
          },
        ],
      },
    ],
  }),
  response: { 200: z.object({ received: z.literal(true) }), ...problemResponses },
};
