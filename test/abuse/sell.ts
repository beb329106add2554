/** Orders of the market, and the signed bytes that shops and Youzan send. */
import { createHmac, randomBytes } from 'node:crypto';
import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import { signYouzanBody } from '../support/youzan-message.ts';
import { type AbuseApp, keys } from './abuse-app.ts';
import type { BrandSide, LinkMade } from './sides.ts';

const mint = createClickIdMint(keys.clickIdKeys[0] ?? { number: 0, key: Buffer.alloc(16) });
const MINUTE_MS = 60_000;

export interface SoldLine {
  link?: LinkMade;
  couponCode?: string;
}
export interface SoldOrder {
  orderId: string;
  externalOrderId: string;
  lineIds: string[];
  clickIds: string[];
}

/** A paid and received order of one line for each entry, sent to the hook of the brand's shop. */
export async function sell(
  { app, db }: Pick<AbuseApp, 'app' | 'db'>,
  { side, lines }: { side: BrandSide; lines: SoldLine[] },
): Promise<SoldOrder> {
  const externalOrderId = `E-${randomBytes(6).toString('hex')}`;
  const at = new Date();
  const clickIds: string[] = [];
  const events = orderEvents(externalOrderId, at).map((event) => ({
    ...event,
    lines: lines.map(({ link, couponCode }, index) => {
      const line = { lineId: String(index + 1), itemId: side.itemId, quantity: 1, paidFen: 19_900 };
      if (link === undefined) return line;
      const clickedAtMs = at.getTime() - 10 * MINUTE_MS;
      const clickId = mint({ linkNumber: link.number, clickedAtMs, random: Buffer.alloc(8, index + 1) });
      if (event.type === 'order.paid') clickIds.push(clickId);
      return { ...line, clickId, ...(couponCode === undefined ? {} : { couponCode }) };
    }),
  }));
  const answer = await app.inject({
    ...shopMessage(side, JSON.stringify({ events })),
    method: 'POST',
    url: `/hooks/shops/${side.store}`,
  });
  if (answer.statusCode !== 200) throw new Error(`the order answered ${answer.payload}`);
  const { rows } = await db.query<{ orderId: string; lineId: string }>(
    `select o.id as "orderId", l.id as "lineId" from orders o join order_lines l on l.order_id = o.id
     where o.external_order_id = $1 order by l.external_line_id`,
    [externalOrderId],
  );
  return { orderId: rows[0]?.orderId ?? '', externalOrderId, lineIds: rows.map((row) => row.lineId), clickIds };
}

function orderEvents(orderId: string, at: Date): { type: string; occurredAt: string }[] {
  const occurredAt = (minutesAgo: number): string => new Date(at.getTime() - minutesAgo * MINUTE_MS).toISOString();
  const head = { orderId, version: 1, createdAt: occurredAt(5) };
  return [
    { ...head, type: 'order.paid', occurredAt: occurredAt(4) },
    { ...head, type: 'order.received', occurredAt: occurredAt(1) },
  ];
}

/** The bytes as a shop would send them, signed with its secret, under a new id where none is given. */
export function shopMessage(
  { secret }: Pick<BrandSide, 'secret'>,
  body: string | Buffer,
  id = `msg_${randomBytes(8).toString('hex')}`,
): { headers: Record<string, string>; payload: Buffer } {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const payload = Buffer.from(body);
  // By hand: the library signs texts, and not all of these bytes are one.
  const hmac = createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
  const signature = hmac.update(`${id}.${timestamp}.`).update(payload).digest('base64');
  return {
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    payload,
  };
}

/** The text as Youzan would push it to a shop of these credentials. */
export function youzanMessage(
  { youzan }: Pick<BrandSide, 'youzan'>,
  { body, type = 'trade_TradePaid' }: { body: string; type?: string },
): { headers: Record<string, string>; payload: Buffer } {
  const { headers, rawBody } = signYouzanBody(body, type, youzan);
  return { headers, payload: rawBody };
}
