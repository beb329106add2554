/**
 * Two servers and a worker on one database take the same deliveries, in any order, more than once and at the same time, and end where one
 * server ends that took each once, in order.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Api, fetchFrom, listAll } from '../../src/local/demo/api.ts';
import { openMarket } from '../../src/local/demo/market.ts';
import {
  postYouzanPush,
  type ShopMessage,
  type ShopSender,
  youzanPaid,
  type YouzanPush,
  youzanReceived,
  youzanRefunded,
  type YouzanSender,
} from '../../src/local/demo/platform-messages.ts';
import { install, outcomeOf } from './daihuo-process.ts';
import type { Installation, RunningServer } from './daihuo-process.ts';
import { messagesOf, openBusyMarket, planOrders, postAll, randomOf, shuffled, type BusyMarket } from './sales-plan.ts';
import { waitUntil } from '../support/timing.ts';

const TIMEOUT_MS = 240_000;
const SIZE = { products: 4, influencers: 4 };
const CONCURRENCY = 12;
/** Set it to the printed one to see the same run again. */
const SEED = Date.now() % 1_000_000_007;

interface Site {
  installation: Installation;
  servers: RunningServer[];
}

/** Two servers. */
let busy: Site;
/** One. */
let calm: Site;

async function openSite(serverCount: number): Promise<Site> {
  const installation = await install();
  const servers = await Promise.all(Array.from({ length: serverCount }, () => installation.serve('serve')));
  await installation.run(['worker']).line(/^daihuo worker ready$/);
  return { installation, servers };
}

beforeAll(async () => {
  [busy, calm] = await Promise.all([openSite(2), openSite(1)]);
}, TIMEOUT_MS);
afterAll(async () => {
  await Promise.all([busy, calm].map(({ installation }) => installation.remove()));
});

function adminOf({ servers }: Site): { admin: Api; connect: (key: string) => Api } {
  const [first] = servers;
  if (first === undefined) throw new Error('no server');
  return first;
}

const lineShape = z.object({
  externalLineId: z.string(),
  quantity: z.int(),
  paidFen: z.int(),
  refundedFen: z.int(),
  refundExcessFen: z.int(),
  closed: z.boolean(),
  refundOpen: z.boolean(),
  commissionFen: z.int(),
  stage: z.string(),
  attribution: z.object({
    state: z.string(),
    method: z.string().optional(),
    confidence: z.string().optional(),
    reason: z.string().optional(),
    linkCode: z.string().optional(),
  }),
});
const orderShape = z.object({ externalOrderId: z.string(), status: z.string(), lines: z.array(lineShape) });
const balanceShape = z.object({ data: z.array(z.object({ brandId: z.string() }).catchall(z.unknown())) });
const byText = (one: string, other: string): number => (one < other ? -1 : 1);

/** Every order of a store, in words that do not depend on random ids. */
async function readSales(finance: Api, storeId: string, nameOfCode: (code: string) => string) {
  const orders = await listAll(finance, `/v1/orders?storeId=${storeId}`, orderShape);
  return orders
    .map((order) => ({
      ...order,
      lines: order.lines
        .map(({ attribution: { linkCode, ...attribution }, ...line }) => ({
          ...line,
          attribution: { ...attribution, link: linkCode === undefined ? 'none' : nameOfCode(linkCode) },
        }))
        .toSorted((one, other) => byText(one.externalLineId, other.externalLineId)),
    }))
    .toSorted((one, other) => byText(one.externalOrderId, other.externalOrderId));
}

async function readBalances(finance: Api, brandId: string, payeeIds: readonly string[]) {
  return Promise.all(
    payeeIds.map(async (id) => {
      const { data } = await finance.get(`/v1/payees/${id}/balance`, balanceShape);
      return data.filter((row) => row.brandId === brandId).map(({ brandId: _brandId, ...row }) => row);
    }),
  );
}

/** One visit through every link, spread over the servers. @returns the click ids, `[influencer][product]` */
async function visitEveryLink({ servers }: Site, market: BusyMarket): Promise<string[][]> {
  return Promise.all(
    market.links.map((own, influencer) =>
      Promise.all(
        own.map(async ({ code }, product) => {
          const { origin = '' } = servers[(influencer + product) % servers.length] ?? {};
          // A visitor is redirected without a click id rather than kept waiting, and may come again.
          return waitUntil(async () => {
            const response = await fetchFrom(origin, {
              method: 'GET',
              path: `/${code}`,
              headers: { 'user-agent': `Mozilla/5.0 (Windows NT 10.0; Win64; x64) aweme_30.4.${product}` },
            });
            await response.text();
            return URL.parse(response.headers.get('location') ?? '')?.searchParams.get('dh_click') ?? false;
          });
        }),
      ),
    ),
  );
}

function sendersOf({ servers }: Site, market: BusyMarket): ShopSender[] {
  const { storeId, secret } = market;
  return servers.map(({ origin }) => ({ origin, storeId, secret, clock: { now: () => new Date() } }));
}

describe('two servers on one database', () => {
  it(
    'a shop’s deliveries, twice, shuffled and concurrent, give the orders, attributions and balances of a serial run in order',
    async () => {
      console.log(`two processes test, seed ${SEED}`);
      const random = randomOf(SEED);
      const plan = planOrders({ orders: 60, ...SIZE, evidence: ['click', 'coupon', 'note', 'none'] }, random);
      const run = async (site: Site, deliver: (messages: ShopMessage[], senders: ShopSender[]) => Promise<unknown>) => {
        const { admin, connect } = adminOf(site);
        const market = await openBusyMarket(admin, connect, SIZE);
        const clickIds = await visitEveryLink(site, market);
        const told = {
          at: new Date(),
          clickIdFor: (influencer: number, product: number) => clickIds[influencer]?.[product] ?? '',
        };
        const messages = plan.flatMap((order) => messagesOf(order, market, told));
        expect(await deliver(messages, sendersOf(site, market))).toEqual([]);
        const codes = market.links.flatMap((own, influencer) =>
          own.map(({ code }, product) => [code, `influencer ${influencer}, product ${product}`] as const),
        );
        const nameOfCode = (code: string): string => new Map(codes).get(code) ?? 'a link of somebody else';
        const payeeIds = market.influencers.map(({ payeeId }) => payeeId);
        return {
          sales: await readSales(market.finance, market.storeId, nameOfCode),
          balances: await readBalances(market.finance, market.brandId, payeeIds),
        };
      };

      const inOrder = await run(calm, (messages, senders) => postAll(senders, messages, 1));
      const inDisorder = await run(busy, (messages, senders) =>
        postAll(senders, shuffled([...messages, ...messages], random), CONCURRENCY),
      );
      expect(inOrder.sales).toHaveLength(60);
      const methods = inOrder.sales.flatMap(({ lines }) => lines.map(({ attribution }) => attribution.method));
      expect(new Set(methods)).toEqual(new Set(['click_id', 'code', undefined]));
      expect(inDisorder).toEqual(inOrder);
      for (const { installation } of [busy, calm]) {
        expect(await outcomeOf(installation.run(['verify']))).toMatchObject({ code: 0, stderr: '' });
      }
    },
    TIMEOUT_MS,
  );

  it(
    'Youzan’s pushes, twice, shuffled and concurrent, give the orders and balances of a serial run in order',
    async () => {
      const random = randomOf(SEED + 1);
      const refundsFen = Array.from({ length: 12 }, () => BigInt(random(12_800)));
      const run = async (site: Site, deliver: (pushes: YouzanPush[], senders: YouzanSender[]) => Promise<number[]>) => {
        const { admin, connect } = adminOf(site);
        const market = await openMarket(admin, connect);
        const { credentials, kdtId, storeId } = market.youzan;
        const at = new Date(Math.ceil(Date.now() / 1_000) * 1_000);
        const pushes = refundsFen.flatMap((refundedFen, number) => {
          const order = {
            orderId: `E202611220000000${100 + number}`,
            lineId: `281000000000000${100 + number}`,
            alias: market.products.tea.itemId,
            itemId: 900_000_001,
            paidFen: 12_800n,
            freightFen: 1_000n,
            note: `#${market.mei.tea.code}`,
            at,
          };
          const refund = youzanRefunded(order, { refundId: `R${number}`, refundedFen });
          return [youzanPaid(order), youzanReceived(order), ...(refundedFen === 0n ? [] : [refund])];
        });
        const senders = site.servers.map(({ origin }) => ({ origin, credentials, kdtId }));
        const statuses = await deliver(pushes, senders);
        expect(new Set(statuses)).toEqual(new Set([200]));
        const nameOfCode = (code: string): string => (code === market.mei.tea.code ? 'tea' : 'another');
        return {
          sales: await readSales(market.finance, storeId, nameOfCode),
          balances: await readBalances(market.finance, market.brandId, [market.mei.payeeId]),
        };
      };

      const inOrder = await run(calm, async (pushes, [sender]) => {
        const statuses: number[] = [];
        for (const push of pushes) if (sender !== undefined) statuses.push(await postYouzanPush(sender, push));
        return statuses;
      });
      const inDisorder = await run(busy, (pushes, senders) =>
        Promise.all(
          shuffled(
            pushes.flatMap((push) => senders.map((sender, index) => ({ push, sender, sendCount: index + 1 }))),
            random,
          ).map(({ push, sender, sendCount }) => postYouzanPush(sender, push, sendCount)),
        ),
      );
      expect(inOrder.sales).toHaveLength(refundsFen.length);
      expect(inOrder.sales.map(({ lines }) => lines[0]?.refundedFen)).toEqual(refundsFen.map(Number));
      expect(inOrder.sales.every(({ lines }) => lines[0]?.attribution.link === 'tea')).toBe(true);
      expect(inDisorder).toEqual(inOrder);
    },
    TIMEOUT_MS,
  );
});
