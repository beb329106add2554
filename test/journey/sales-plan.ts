/** Markets and orders by seeded chance, and what the rules give for them, counted by other code than that under test. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Api } from '../../src/local/demo/api.ts';
import {
  issueKey,
  offerProduct,
  openBrand,
  openStore,
  registerAgency,
  registerInfluencer,
  takeLink,
} from '../../src/local/demo/market.ts';
import { postShopMessage, type ShopMessage, type ShopSender } from '../../src/local/demo/platform-messages.ts';

/** Numbers of one seed: mulberry32, the same on every machine. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

export function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const copy = [...items];
  for (let index = copy.length - 1; index > 0; index -= 1) {
    const other = random(index + 1);
    const [one, two] = [copy[index], copy[other]];
    if (one !== undefined && two !== undefined) [copy[index], copy[other]] = [two, one];
  }
  return copy;
}

export interface BusyMarket {
  brandId: string;
  storeId: string;
  secret: string;
  /** By number. */
  products: { id: string; itemId: string; rateBp: number }[];
  influencers: { id: string; payeeId: string }[];
  /** One for each influencer and product: `links[influencer][product]`. */
  links: { code: string; id: string; couponCode: string }[][];
  finance: Api;
}

const createdCoupon = z.object({ id: z.string() });

/** A brand with one shop-fed store, so many products, so many influencers (every second with an agency), and every link between them. */
export async function openBusyMarket(
  admin: Api,
  connect: (key: string) => Api,
  size: { products: number; influencers: number },
): Promise<BusyMarket> {
  const run = randomBytes(4).toString('hex');
  const brandId = await openBrand(admin, { name: `品牌 ${run}`, platformFeeBp: 500 });
  const store = { brandId, platform: 'taobao', externalShopId: run, name: '忙店' } as const;
  const { storeId, webhookSecret } = await openStore(admin, store);
  const products: BusyMarket['products'] = [];
  for (let number = 0; number < size.products; number += 1) {
    const rateBp = 500 + 317 * number;
    const title = `商品 ${number}`;
    const fields = { storeId, platform: 'taobao', title, priceFen: 19_900, commission: { rateBp } } as const;
    products.push({ ...(await offerProduct(admin, fields)), rateBp });
  }
  const agencyPayeeId = await registerAgency(admin, `机构 ${run}`);
  const influencers: BusyMarket['influencers'] = [];
  const links: BusyMarket['links'] = [];
  for (let number = 0; number < size.influencers; number += 1) {
    const share = number % 2 === 0 ? {} : { agency: { payeeId: agencyPayeeId, shareBp: 3_000 } };
    const { influencerId, payeeId } = await registerInfluencer(admin, { name: `达人 ${number} ${run}`, ...share });
    influencers.push({ id: influencerId, payeeId });
    const couponCode = `CP-${run}-${number}`.toUpperCase();
    await admin.post('/v1/coupons', { storeId, code: couponCode, influencerId }, createdCoupon);
    const own: { code: string; id: string; couponCode: string }[] = [];
    for (const product of products) {
      own.push({ ...(await takeLink(admin, { productId: product.id, influencerId })), couponCode });
    }
    links.push(own);
  }
  const { key } = await issueKey(admin, { role: 'finance', brandId, label: 'journey' });
  return { brandId, storeId, secret: webhookSecret, products, influencers, links, finance: connect(key) };
}

export interface PlannedLine {
  product: number;
  quantity: number;
  paidFen: number;
  refundedFen: number;
  /** Whose link; undefined: nobody is named, so nobody earns. */
  influencer: number | undefined;
  evidence: 'click' | 'coupon' | 'note' | 'none';
}

export interface PlannedOrder {
  number: number;
  lines: PlannedLine[];
  isReceived: boolean;
  /** Closed before anything was received: every line ends at 0. */
  isClosed: boolean;
  /** An older version of the payment, with other amounts, is also told; it must not count. */
  hasStaleVersion: boolean;
}

export interface PlanSize {
  orders: number;
  products: number;
  influencers: number;
  evidence: PlannedLine['evidence'][];
}

export function planOrders(size: PlanSize, random: (below: number) => number): PlannedOrder[] {
  return Array.from({ length: size.orders }, (_, number) => {
    const lines = Array.from({ length: 1 + random(3) }, (): PlannedLine => {
      const evidence = size.evidence[random(size.evidence.length)] ?? 'none';
      const paidFen = 1 + random(30_000);
      return {
        product: random(size.products),
        quantity: 1 + random(3),
        paidFen,
        refundedFen: random(3) === 0 ? 1 + random(paidFen) : 0,
        influencer: evidence === 'none' ? undefined : random(size.influencers),
        evidence,
      };
    });
    const isClosed = random(10) === 0;
    return { number, lines, isClosed, isReceived: !isClosed && random(10) < 7, hasStaleVersion: random(4) === 0 };
  });
}

/** What one brand owes for a plan, fen. The rules in ten lines: a rate of the net, half up. */
export function expectedCommissionFen(
  plan: readonly PlannedOrder[],
  products: BusyMarket['products'],
): { commissionFen: bigint; paidFen: bigint; creditedLines: bigint; creditedOrders: bigint } {
  let [commissionFen, paidFen, creditedLines, creditedOrders] = [0n, 0n, 0n, 0n];
  for (const { lines, isClosed } of plan) {
    const credited = lines.filter(({ influencer }) => influencer !== undefined);
    creditedLines += BigInt(credited.length);
    if (credited.length > 0) creditedOrders += 1n;
    for (const line of credited) {
      paidFen += BigInt(line.paidFen);
      const netFen = isClosed ? 0n : BigInt(line.paidFen - line.refundedFen);
      commissionFen += (netFen * BigInt(products[line.product]?.rateBp ?? 0) + 5_000n) / 10_000n;
    }
  }
  return { commissionFen, paidFen, creditedLines, creditedOrders };
}

/** The messages of an order in the order in which they happened. `clickIdFor` gives the click id of a visit through a link. */
export function messagesOf(
  order: PlannedOrder,
  market: BusyMarket,
  told: { at: Date; clickIdFor: (influencer: number, product: number) => string },
): ShopMessage[] {
  const orderId = `V-${order.number}`;
  const occurredAt = told.at.toISOString();
  const message = (version: number, type: string, fields: object = {}): ShopMessage => ({
    id: `${orderId}-${version}`,
    event: { type, orderId, version, occurredAt, ...fields },
  });
  const lines = order.lines.map((line, index) => ({
    lineId: String(index),
    itemId: market.products[line.product]?.itemId,
    quantity: line.quantity,
    paidFen: line.paidFen,
    ...evidenceOf(line, market, told.clickIdFor),
  }));
  const stale = lines.map((line) => ({ ...line, paidFen: line.paidFen + 777 }));
  const refunds = order.lines.flatMap(({ refundedFen }, index) =>
    refundedFen === 0
      ? []
      : [
          message(10 + index, 'order.refunded', {
            refund: { refundId: `R-${index}`, lines: [{ lineId: String(index), refundedFen }] },
          }),
        ],
  );
  return [
    message(1, 'order.created', { createdAt: occurredAt, lines: stale }),
    ...(order.hasStaleVersion ? [message(2, 'order.paid', { createdAt: occurredAt, lines: stale })] : []),
    message(3, 'order.paid', { createdAt: occurredAt, lines }),
    ...(order.isClosed ? [message(4, 'order.closed')] : []),
    ...(order.isReceived ? [message(5, 'order.received')] : []),
    ...refunds,
  ];
}

function evidenceOf(
  { influencer, product, evidence }: PlannedLine,
  { links }: BusyMarket,
  clickIdFor: (influencer: number, product: number) => string,
): object {
  const link = influencer === undefined ? undefined : links[influencer]?.[product];
  if (influencer === undefined || link === undefined) return {};
  if (evidence === 'click') return { clickId: clickIdFor(influencer, product) };
  return evidence === 'coupon' ? { couponCode: link.couponCode } : { buyerNote: `码 #${link.code} 谢谢` };
}

/** Posts the messages, so many at a time; every answer must be a 200. @returns the other answers */
export async function postAll(
  senders: readonly ShopSender[],
  messages: readonly ShopMessage[],
  concurrency: number,
): Promise<{ id: string; status: number }[]> {
  const refused: { id: string; status: number }[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < messages.length; index = next++) {
      const [message, sender] = [messages[index], senders[index % senders.length]];
      if (message === undefined || sender === undefined) return;
      const status = await postShopMessage(sender, message);
      if (status !== 200) refused.push({ id: message.id, status });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return refused;
}
