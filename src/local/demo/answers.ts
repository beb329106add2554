import { z } from 'zod';
import { type Api, listAll } from './api.ts';

/** An amount in an answer: integer fen, read as bigint. */
const fen = z.int().transform(BigInt);
const count = z.int().transform(BigInt);

const balance = {
  commissionFen: fen,
  pendingFen: fen,
  payableFen: fen,
  inPayoutFen: fen,
  paidOutFen: fen,
  debtFen: fen,
  reversedFen: fen,
};
const totalsRow = z.object({ orders: count, lines: count, paidFen: fen, refundedFen: fen, ...balance });
const totals = z.object({
  data: z.array(totalsRow.extend({ influencerId: z.string() })),
  total: totalsRow,
});
export type Totals = z.output<typeof totals>;
export type TotalsRow = z.output<typeof totalsRow>;

export async function readTotals(finance: Api): Promise<Totals> {
  return finance.get('/v1/commissions/totals?groupBy=influencer', totals);
}

const balances = z.object({ data: z.array(z.object({ brandId: z.string(), ...balance })) });
export type Balance = z.output<typeof balances>['data'][number];

/** The balance of a payee with one brand; undefined where the payee never earned from that brand. */
export async function readBalance(
  finance: Api,
  { payeeId, brandId }: { payeeId: string; brandId: string },
): Promise<Balance | undefined> {
  const { data } = await finance.get(`/v1/payees/${payeeId}/balance`, balances);
  return data.find((row) => row.brandId === brandId);
}

const order = z.object({
  id: z.string(),
  externalOrderId: z.string(),
  status: z.string(),
  lines: z.array(
    z.object({
      id: z.string(),
      externalLineId: z.string(),
      paidFen: fen,
      refundedFen: fen,
      commissionFen: fen,
      stage: z.string(),
      attribution: z.object({
        state: z.string(),
        method: z.string().optional(),
        confidence: z.string().optional(),
        linkCode: z.string().optional(),
        clickId: z.string().nullish(),
        reason: z.string().optional(),
      }),
    }),
  ),
});
export type OrderRead = z.output<typeof order>;
export type OrderLineRead = OrderRead['lines'][number];

/** Every order of a store with this number. More than one order is a defect of the server. */
export async function readOrders(
  finance: Api,
  { storeId, externalOrderId }: { storeId: string; externalOrderId: string },
): Promise<OrderRead[]> {
  const orders = await listAll(finance, `/v1/orders?storeId=${storeId}`, order);
  return orders.filter((each) => each.externalOrderId === externalOrderId);
}

const explanation = z.object({
  events: z.array(z.object({ type: z.string() })),
  lines: z.array(
    z.object({
      window: z.object({ days: z.int() }).nullable(),
      ladder: z.array(z.object({ method: z.string(), outcome: z.string(), words: z.string() })),
      arithmetic: z.array(z.object({ name: z.string(), formula: z.string(), amountFen: fen })),
      commissionFen: fen,
      journal: z.array(z.object({ journalId: z.string() })),
    }),
  ),
});
export type Explanation = z.output<typeof explanation>;

export async function readExplanation(finance: Api, orderId: string): Promise<Explanation> {
  return finance.get(`/v1/orders/${orderId}/explanation`, explanation);
}

const journalEntry = z.object({ journalId: z.string(), amountFen: fen });

export async function readJournal(finance: Api, brandId: string): Promise<z.output<typeof journalEntry>[]> {
  return listAll(finance, `/v1/journal?brandId=${brandId}`, journalEntry);
}

const linkStats = z.object({
  clicks: z.object({ counted: count, unique: count, notCounted: z.record(z.string(), count) }),
  orders: count,
  paidFen: fen,
  commissionFen: fen,
  funnel: z.array(z.object({ app: z.string(), shown: count, view: count, copy: count, open: count, continue: count })),
});
export type LinkStats = z.output<typeof linkStats>;

export async function readStats(finance: Api, code: string): Promise<LinkStats> {
  return finance.get(`/v1/links/${code}/stats`, linkStats);
}

const payees = z.object({ id: z.string() });

/** The id of the payee that receives the platform's fee. */
export async function readOperatorPayee(admin: Api): Promise<string | undefined> {
  const [operator] = await listAll(admin, '/v1/payees?kind=operator', payees);
  return operator?.id;
}
