import { randomInt } from 'node:crypto';
import { formatFenAsYuan } from '../../core/money/money.ts';
import { readOrders, type OrderLineRead, type OrderRead } from './answers.ts';
import { FRYER_SALE, MIXED_SALE, TEA_SALE } from './rules.ts';
import {
  postShopMessage,
  postYouzanPush,
  type ShopMessage,
  type ShopSender,
  youzanPaid,
  youzanReceived,
  youzanRefunded,
  type YouzanSender,
} from './platform-messages.ts';
import type { Tour } from './tour.ts';
import type { Clicks } from './visits.ts';

interface LineFigures {
  paidFen: bigint;
  refundedFen: bigint;
  commissionFen: bigint;
}

const OK = 200;

function shopOf({ origin, market, clock }: Tour): ShopSender {
  return { origin, storeId: market.taobao.storeId, secret: market.taobao.webhookSecret, clock };
}

/** Posts messages to the shop's hook, all at the same time, and checks that the hook accepts each. */
async function deliver(tour: Tour, messages: readonly ShopMessage[]): Promise<void> {
  const statuses = await Promise.all(messages.map((message) => postShopMessage(shopOf(tour), message)));
  statuses.forEach((status, index) => {
    tour.figures.expect(`answer to webhook ${messages[index]?.id ?? ''}`, BigInt(status), BigInt(OK));
  });
}

/** The order with this number; checks that there is exactly one, although its messages were repeated. */
async function readOrder(tour: Tour, storeId: string, externalOrderId: string): Promise<OrderRead | undefined> {
  const orders = await readOrders(tour.market.finance, { storeId, externalOrderId });
  tour.figures.expect(`orders with number ${externalOrderId}`, BigInt(orders.length), 1n);
  return orders[0];
}

function checkLine(tour: Tour, name: string, line: OrderLineRead | undefined, figures: LineFigures): void {
  tour.figures.expectFen(name, line, { ...figures });
  const { paidFen, refundedFen, commissionFen } = figures;
  const refund = refundedFen === 0n ? '' : `, ${formatFenAsYuan(refundedFen)} of it refunded`;
  const earned = line === undefined ? 'nothing' : formatFenAsYuan(line.commissionFen);
  const right = line?.commissionFen === commissionFen ? '' : ` (the rules give ${formatFenAsYuan(commissionFen)})`;
  tour.print(`    ${name}: ${formatFenAsYuan(paidFen)} paid${refund}; commission ${earned}${right}`);
}

function checkCredit(
  tour: Tour,
  name: string,
  line: OrderLineRead | undefined,
  credit: { method: string; confidence: string; linkCode: string },
): void {
  for (const [field, expected] of Object.entries(credit)) {
    tour.figures.expect(`${name}, ${field}`, line?.attribution[field as keyof typeof credit], expected);
  }
}

/** Makers of the shop's messages about one order, which share its number and time. */
function eventsOf(tour: Tour, order: { number: number; at: Date }) {
  const orderId = `A-${tour.market.run}-${order.number}`;
  const occurredAt = order.at.toISOString();
  const message = (version: number, type: string, fields: object = {}): ShopMessage => ({
    id: `${orderId}-v${version}`,
    event: { type, orderId, version, occurredAt, ...fields },
  });
  return {
    orderId,
    paid: (lines: object[]): ShopMessage => message(2, 'order.paid', { createdAt: occurredAt, lines }),
    refunded: (lineId: string, refundedFen: number): ShopMessage =>
      message(3, 'order.refunded', { refund: { refundId: `R-${orderId}`, lines: [{ lineId, refundedFen }] } }),
    received: (): ShopMessage => message(4, 'order.received'),
  };
}

/** Sale 1, matched by click id: the receipt arrives before the payment, each message twice and concurrently; then a partial refund, also twice. */
export async function sellFryer(
  tour: Tour,
  { at, clicks }: { at: Date; clicks: Clicks },
): Promise<OrderRead | undefined> {
  const { market, print } = tour;
  const { fryer } = market.products;
  const { orderId, paid, received, refunded } = eventsOf(tour, { number: 1, at });
  const line = { lineId: '1', itemId: fryer.itemId, quantity: 1, paidFen: 19_900, clickId: clicks.fryer };
  print(`  ${orderId}: received, then received, paid and paid again at the same time`);
  await deliver(tour, [received()]);
  await deliver(tour, [received(), paid([line]), paid([line])]);
  const before = await readOrder(tour, market.taobao.storeId, orderId);
  tour.figures.expect(`${orderId}, status`, before?.status, 'received');
  checkLine(tour, 'the fryer', before?.lines[0], FRYER_SALE.beforeRefund);
  const credit = { method: 'click_id', confidence: 'exact', linkCode: market.mei.fryer.code };
  checkCredit(tour, 'the fryer', before?.lines[0], credit);
  print(`  ${orderId}: 50.00 refunded, sent twice`);
  await deliver(tour, [refunded('1', 5_000), refunded('1', 5_000)]);
  const after = await readOrder(tour, market.taobao.storeId, orderId);
  checkLine(tour, 'the fryer', after?.lines[0], FRYER_SALE.afterRefund);
  return after;
}

/** Sale 2, two lines: the refund of one arrives before the payment, and the other has no hold. */
export async function sellKettleAndCups(tour: Tour, { at, clicks }: { at: Date; clicks: Clicks }): Promise<void> {
  const { market, print } = tour;
  const { kettle, cup } = market.products;
  const { orderId, paid, received, refunded } = eventsOf(tour, { number: 2, at });
  print(`  ${orderId}: the refund of a cup first, then received, paid and the refund again at the same time`);
  await deliver(tour, [refunded('2', 5_900)]);
  const lines = [
    { lineId: '1', itemId: kettle.itemId, quantity: 1, paidFen: 8_900, clickId: clicks.kettle },
    { lineId: '2', itemId: cup.itemId, quantity: 2, paidFen: 11_800, clickId: clicks.cup },
  ];
  await deliver(tour, [received(), paid(lines), refunded('2', 5_900), paid(lines)]);
  const order = await readOrder(tour, market.taobao.storeId, orderId);
  const lineOf = (id: string): OrderLineRead | undefined => order?.lines.find((line) => line.externalLineId === id);
  checkLine(tour, 'the kettle', lineOf('1'), MIXED_SALE.kettle);
  checkLine(tour, 'two cups', lineOf('2'), MIXED_SALE.cups);
  const exact = { method: 'click_id', confidence: 'exact' };
  checkCredit(tour, 'the kettle', lineOf('1'), { ...exact, linkCode: market.qiang.kettle.code });
  checkCredit(tour, 'two cups', lineOf('2'), { ...exact, linkCode: market.qiang.cup.code });
}

/** Sale 3, on Youzan, whose pushes hold no click id: the link's code is in the buyer's note. */
export async function sellTea(tour: Tour, at: Date): Promise<void> {
  const { origin, market, print } = tour;
  const { youzan, mei } = market;
  const sender: YouzanSender = { origin, credentials: youzan.credentials, kdtId: youzan.kdtId };
  const order = {
    orderId: `E${at.toISOString().replaceAll(/\D/g, '').slice(0, 14)}${randomInt(1e9, 1e10)}`,
    lineId: `28100${randomInt(1e13, 1e14)}`,
    alias: market.products.tea.itemId,
    itemId: randomInt(1e8, 1e9),
    paidFen: 12_800n,
    freightFen: 1_000n,
    note: `送朋友的，请包装好。达人码 ${mei.tea.code} 谢谢！`,
    at,
  };
  const paid = youzanPaid(order);
  const received = youzanReceived(order);
  const refund = youzanRefunded(order, { refundId: `${order.orderId}R`, refundedFen: 2_800n });
  const accept = (status: number, push: { type: string }): void =>
    tour.figures.expect(`answer to ${push.type}`, BigInt(status), BigInt(OK));
  print(`  ${order.orderId}: TradeSuccess, then TradePaid twice at the same time, with "${order.note}"`);
  accept(await postYouzanPush(sender, received), received);
  const answers = await Promise.all([postYouzanPush(sender, paid), postYouzanPush(sender, paid, 2)]);
  for (const status of answers) accept(status, paid);
  const before = await readOrder(tour, youzan.storeId, order.orderId);
  checkLine(tour, 'the tea', before?.lines[0], TEA_SALE.beforeRefund);
  checkCredit(tour, 'the tea', before?.lines[0], { method: 'code', confidence: 'strong', linkCode: mei.tea.code });
  print(`  ${order.orderId}: RefundSuccess over 28.00, sent twice`);
  accept(await postYouzanPush(sender, refund), refund);
  accept(await postYouzanPush(sender, refund, 2), refund);
  const after = await readOrder(tour, youzan.storeId, order.orderId);
  checkLine(tour, 'the tea', after?.lines[0], TEA_SALE.afterRefund);
}

/** Sale 4 has no evidence, so it earns no commission; then two messages that daihuo must refuse. */
export async function sellWithoutEvidence(tour: Tour, at: Date): Promise<void> {
  const { market, figures, print } = tour;
  const { orderId, paid } = eventsOf(tour, { number: 4, at });
  const line = { lineId: '1', itemId: market.products.fryer.itemId, quantity: 1, paidFen: 19_900 };
  const message = paid([line]);
  await deliver(tour, [message]);
  const order = await readOrder(tour, market.taobao.storeId, orderId);
  const found = order?.lines[0];
  figures.expect(`${orderId}, credited`, found?.attribution.state === 'matched' ? 'yes' : 'no', 'no');
  figures.expectFen(orderId, found, { paidFen: 19_900n, commissionFen: 0n });
  print(
    `  ${orderId}: a fryer without a click, a coupon or a code; commission 0.00 (${found?.attribution.reason ?? '?'})`,
  );
  const shop = shopOf(tour);
  const forged = await postShopMessage({ ...shop, secret: `whsec_${Buffer.alloc(32).toString('base64')}` }, message);
  figures.expect('answer to a forged signature', BigInt(forged), 401n);
  const altered = { id: message.id, event: { ...message.event, lines: [{ ...line, paidFen: 990_000 }] } };
  const reused = await postShopMessage(shop, altered);
  figures.expect('answer to a used webhook-id with other content', BigInt(reused), 422n);
  print(`  A forged signature answers ${forged}; a used webhook-id with other content answers ${reused}.`);
}
