import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { formatFenAsYuan } from '../../core/money/money.ts';
import { signShop } from '../../platforms/shop/verify.ts';
import { signYouzan, type YouzanCredentials } from '../../platforms/youzan/verify.ts';
import { fetchFrom } from './api.ts';
import type { ServerClock } from './tour.ts';

/** A brand's own shop system that sends webhooks to daihuo. */
export interface ShopSender {
  origin: string;
  storeId: string;
  /** `whsec_…` */
  secret: string;
  clock: Pick<ServerClock, 'now'>;
}

/** One webhook. Sending the same id and event again repeats the same delivery. */
export interface ShopMessage {
  id: string;
  event: Record<string, unknown>;
}

/** Signs one webhook as Standard Webhooks requires and posts it. @returns the status of the answer */
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

/**
 * A real TradePaid push to a test shop, with every name, number and address replaced. The functions below set the fields that the demo
 * needs; all other fields stay as captured.
 */
const TEMPLATE = new URL('youzan-paid.json', import.meta.url);

interface Template {
  body: Record<string, unknown>;
  message: {
    full_order_info: {
      orders: Record<string, unknown>[];
      order_info: Record<string, unknown>;
      pay_info: Record<string, unknown>;
      remark_info: Record<string, unknown>;
    };
  };
}

export interface YouzanSender {
  origin: string;
  credentials: YouzanCredentials;
  kdtId: number;
}

/** One push. When Youzan repeats it, only `sendCount` differs. */
export interface YouzanPush {
  type: string;
  orderId: string;
  at: Date;
  messageId: string;
  /** The content of `msg` before it is encoded. */
  message: object;
}

export interface YouzanOrder {
  orderId: string;
  lineId: string;
  /** The item's `alias` and number. */
  alias: string;
  itemId: number;
  paidFen: bigint;
  freightFen: bigint;
  /** The buyer's note. */
  note: string;
  at: Date;
}

/** TradePaid: the buyer has paid; holds the whole order. */
export function youzanPaid(order: YouzanOrder): YouzanPush {
  const { message } = readTemplate();
  const { orders, order_info: info, pay_info: payment, remark_info: remark } = message.full_order_info;
  const time = shanghaiTimeText(order.at);
  const paid = formatFenAsYuan(order.paidFen);
  Object.assign(info, { tid: order.orderId, created: time, pay_time: time, update_time: time });
  Object.assign(remark, { buyer_message: order.note });
  Object.assign(payment, {
    total_fee: paid,
    post_fee: formatFenAsYuan(order.freightFen),
    payment: formatFenAsYuan(order.paidFen + order.freightFen),
  });
  for (const line of orders) {
    Object.assign(line, { oid: order.lineId, alias: order.alias, item_id: order.itemId, price: paid, payment: paid });
    Object.assign(line, { total_fee: paid, discount_price: paid });
  }
  return { type: 'trade_TradePaid', orderId: order.orderId, at: order.at, messageId: randomUUID(), message };
}

/** TradeSuccess: the buyer has received the goods. */
export function youzanReceived({ orderId, at }: Pick<YouzanOrder, 'orderId' | 'at'>): YouzanPush {
  const message = { tid: orderId, update_time: shanghaiTimeText(at) };
  return { type: 'trade_TradeSuccess', orderId, at, messageId: randomUUID(), message };
}

/** RefundSuccess: the buyer has received a refund. */
export function youzanRefunded(
  { orderId, lineId, at }: Pick<YouzanOrder, 'orderId' | 'lineId' | 'at'>,
  refund: { refundId: string; refundedFen: bigint },
): YouzanPush {
  const message = {
    update_time: shanghaiTimeText(at),
    refund_type: 'REFUND_ONLY',
    refunded_fee: formatFenAsYuan(refund.refundedFen),
    refund_id: refund.refundId,
    version: at.getTime(),
    oids: lineId,
    tid: orderId,
  };
  return { type: 'trade_refund_RefundSuccess', orderId, at, messageId: randomUUID(), message };
}

/** Encodes, signs and posts one push. @returns the status of the answer */
export async function postYouzanPush(sender: YouzanSender, push: YouzanPush, sendCount = 1): Promise<number> {
  const { clientId, clientSecret } = sender.credentials;
  const msg = javaUrlEncode(JSON.stringify(push.message));
  const body = JSON.stringify({
    ...readTemplate().body,
    msg,
    // Youzan still sends this legacy signature; daihuo ignores it, because MD5 of known parts is weak.
    sign: createHash('md5').update(`${clientId}${msg}${clientSecret}`).digest('hex'),
    type: push.type,
    id: push.orderId,
    msg_id: push.messageId,
    version: Math.floor(push.at.getTime() / 1_000),
    sendCount,
    client_id: clientId,
    kdt_id: sender.kdtId,
    root_kdt_id: sender.kdtId,
  });
  const response = await fetchFrom(sender.origin, {
    method: 'POST',
    path: '/hooks/youzan',
    headers: {
      'content-type': 'application/json',
      'client-id': clientId,
      'event-type': push.type,
      'event-sign': signYouzan({ rawBody: Buffer.from(body), credentials: { clientId, clientSecret } }),
    },
    body,
  });
  await response.text();
  return response.status;
}

function readTemplate(): Template {
  return JSON.parse(readFileSync(TEMPLATE, 'utf8')) as Template;
}

/** Encodes UTF-8 text as `java.net.URLEncoder` does: letters, digits and `.-*_` stay, a space becomes "+". */
function javaUrlEncode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()~]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/** Local time in Shanghai without a zone, for example "2026-11-22 11:37:52". */
function shanghaiTimeText(at: Date): string {
  const local = new Date(at.getTime() + 8 * 3_600_000).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)}`;
}
