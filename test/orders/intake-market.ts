/** Twin markets, messages made for either of them, and what stands of a market in words that do not depend on ids. */
import { createHash, randomBytes } from 'node:crypto';
import type { OrderEvent } from '../../src/core/orders/order-event.ts';
import type { Db } from '../../src/infra/db.ts';
import type { OrderStore } from '../../src/orders/intake/store-queries.ts';
import type { IncomingMessage } from '../../src/orders/intake/incoming-message.ts';
import type { RecordDeps } from '../../src/orders/intake/record-messages.ts';
import { insertBrandWithTerms, insertInfluencer, insertProduct, insertStore } from '../support/market.ts';
import { ageStatusHistory, insertLink, type Link, mintClickId } from '../support/promotion.ts';
import { recomputeDeps } from './deliver.ts';

export const sealingKeys = [{ number: 1, key: randomBytes(32) }];
export const recordDepsOf = (db: Db): RecordDeps => ({ db, sealingKeys, ...recomputeDeps });

/** When every order of these tests was created. */
export const ORDERED_AT = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000);
const CLICKED_AT = new Date(ORDERED_AT.getTime() - 600_000);

export interface TwinMarket {
  brandId: string;
  /** The first takes its orders from the brand's shop, the second from Youzan: what the shop says of it only lends evidence. */
  stores: readonly [OrderStore, OrderStore];
  /** Two for each store. */
  links: readonly Link[];
  /** Id → name, the same in every market. */
  names: ReadonlyMap<string, string>;
}

export async function makeTwinMarket(db: Db): Promise<TwinMarket> {
  const brandId = await insertBrandWithTerms(db, { inferred: 'off' });
  const names = new Map([[brandId, 'brand']]);
  const stores: OrderStore[] = [];
  const links: Link[] = [];
  for (const orderSource of ['shop', 'youzan'] as const) {
    const storeId = await insertStore(db, { brandId, orderSource });
    names.set(storeId, `${orderSource} store`);
    stores.push({
      storeId,
      brandId,
      platform: 'taobao',
      orderSource,
      webhookSecretSealed: Buffer.alloc(0),
      youzanClientId: null,
      youzanClientSecretSealed: null,
    });
    for (const number of [1, 2]) {
      const productId = await insertProduct(db, { brandId, storeId });
      const influencerId = await insertInfluencer(db);
      const link = await insertLink(db, { brandId, storeId, productId, influencerId });
      names.set(productId, `${orderSource} product ${number}`);
      names.set(influencerId, `${orderSource} influencer ${number}`);
      names.set(link.linkId, `${orderSource} link ${number}`);
      links.push(link);
    }
  }
  await ageStatusHistory(db);
  const [first, second] = stores;
  if (first === undefined || second === undefined) throw new Error('a market has two stores');
  return { brandId, stores: [first, second], links, names };
}

/** A message as either market gets it: numbers in place of ids. */
export interface PlannedMessage {
  store: 0 | 1;
  source: 'shop' | 'youzan';
  key: string;
  /** Tells apart two contents under one key. */
  content: number;
  events: readonly PlannedEvent[];
  /** In place of events: kept without effect. */
  without?: 'ignored' | 'quarantined' | undefined;
}

export interface PlannedEvent {
  order: string;
  type: 'paid' | 'received' | 'refunded' | 'closed';
  version: number;
  /** Which of the store's two links was clicked; undefined: no evidence. */
  link: 0 | 1 | undefined;
  paidFen: number;
  refundedFen: number;
}

export function messageFor(market: TwinMarket, planned: PlannedMessage): IncomingMessage {
  const text = JSON.stringify(planned);
  return {
    store: market.stores[planned.store],
    source: planned.source,
    messageKey: planned.key,
    bodySha256: createHash('sha256').update(text).digest(),
    messageType: planned.events[0]?.type ?? 'none',
    rawBody: Buffer.from(text),
    content:
      planned.without === undefined
        ? {
            kind: 'events',
            events: planned.events.map((event) => ({ event: eventFor(market, planned, event), notes: {} })),
          }
        : { kind: planned.without, reason: 'test' },
  };
}

/** The same click of the same link is the same id, however often it is named. */
const clickIds = new Map<string, string>();

function clickIdOf(link: Link): string {
  const known = clickIds.get(link.linkId) ?? mintClickId(link, CLICKED_AT);
  clickIds.set(link.linkId, known);
  return known;
}

function eventFor(market: TwinMarket, { store, source }: PlannedMessage, planned: PlannedEvent): OrderEvent {
  const { order, type, version, paidFen, refundedFen } = planned;
  const sold = market.links[store * 2];
  // Of what several lend, the greatest hash wins, which differs between markets as well: so all lend the same.
  const link = source === market.stores[store].orderSource ? planned.link : 0;
  const clicked = link === undefined ? undefined : market.links[store * 2 + link];
  if (sold === undefined) throw new Error('every store has links');
  // A tie of version and time is broken by the content's hash, which differs between markets: so the time follows from the content.
  const secondsLater = (paidFen % 7) + 10 * (refundedFen % 7) + 100 * (planned.link ?? 2);
  const occurredAt = new Date(ORDERED_AT.getTime() + secondsLater * 1_000);
  const base = { type, externalOrderId: order, version: BigInt(version), occurredAt };
  if (type === 'refunded') {
    const portions = [{ lineIds: ['1'], refundedFen: BigInt(refundedFen) }];
    return { ...base, type, refund: { refundId: 'R-1', kind: 'refund', portions } };
  }
  if (type !== 'paid') return base;
  const evidence = clicked === undefined ? {} : { clickId: clickIdOf(clicked) };
  const itemKeys = [`item:${sold.productId}`];
  const line = { externalLineId: '1', itemKeys, quantity: 1, paidFen: BigInt(paidFen), evidence };
  return { ...base, createdAt: ORDERED_AT, paidAt: ORDERED_AT, lines: [line] };
}

// Balances, not journals: two events that come together are one difference.
const READ_MARKET = `
select jsonb_build_object(
  'messages', (select coalesce(jsonb_agg(jsonb_build_array(m.store_id, m.source, m.message_key, m.body_sha256, m.message_type, m.outcome,
      m.reason, (select count(*) from raw_messages r where r.message_id = m.id),
      (select coalesce(jsonb_agg(c.body_sha256 order by c.body_sha256), '[]') from message_conflicts c where c.message_id = m.id))
      order by m.store_id, m.source, m.message_key), '[]') from inbox_messages m where m.brand_id = $1),
  'orders', (select coalesce(jsonb_agg(jsonb_build_array(o.store_id, o.external_order_id, o.status, o.created_at, o.paid_at,
      o.received_at, o.closed_at, (select jsonb_agg(jsonb_build_array(e.type, e.version, e.makes_facts) order by e.type, e.version,
        e.makes_facts) from order_events e where e.order_id = o.id)) order by o.store_id, o.external_order_id), '[]')
    from orders o where o.brand_id = $1),
  'lines', (select coalesce(jsonb_agg(jsonb_build_array(o.store_id, o.external_order_id, l.external_line_id, l.product_id, l.quantity,
      l.paid_fen, l.refunded_fen, l.refund_excess_fen, l.closed, l.refund_open, l.received_at, l.received_seen_at is null, a.state,
      a.method, a.confidence, a.link_id, a.influencer_id, a.reason, a.retry_at is null, c.rate_bp, c.product_id, c.influencer_id,
      c.payable_at is null,
      (select coalesce(jsonb_agg(jsonb_build_array(b.account, b.fen, b.reversed_fen) order by b.account), '[]')
        from (select e.account, sum(e.amount_fen) as fen, sum(e.reversed_delta_fen) as reversed_fen
          from entry_lines j
          join postings e on e.entry_id = j.entry_id and e.line_position = j.position
          where j.line_id = l.id
          group by e.account having sum(e.amount_fen) <> 0 or sum(e.reversed_delta_fen) <> 0) b),
      (select coalesce(sum(j.lines_delta), 0) from entry_lines j where j.line_id = l.id),
      (select coalesce(sum(j.paid_delta_fen - j.refunded_delta_fen), 0) from entry_lines j where j.line_id = l.id))
      order by o.store_id, o.external_order_id, l.external_line_id), '[]')
    from order_lines l
    join orders o on o.id = l.order_id
    left join attributions a on a.line_id = l.id
    -- A line that earned for a moment keeps its frozen terms; together with what took it away it never earned.
    left join priced_lines c on c.line_id = l.id and a.state = 'matched'
    where l.brand_id = $1)
) as market`;

/** Everything that messages left of a market, with names in place of ids. */
export async function readMarket(db: Db, market: TwinMarket): Promise<unknown> {
  const { rows } = await db.query<{ market: unknown }>(READ_MARKET, [market.brandId]);
  let text = JSON.stringify(rows[0]?.market);
  for (const [id, name] of market.names) text = text.replaceAll(id, name);
  const parsed = JSON.parse(text) as Record<string, unknown[]>;
  // Sorted again: the database sorted by ids.
  return Object.fromEntries(
    Object.entries(parsed).map(([part, found]) => [part, found.map((row) => JSON.stringify(row)).toSorted()]),
  );
}

/** What the journal as a whole must never be: journals that do not sum to 0, and checks left over. */
export async function unbalanced(db: Db): Promise<unknown[]> {
  const { rows } = await db.query(
    `select e.entry_id from postings e group by e.entry_id having sum(e.amount_fen) <> 0
     union all select c.entry_id from unbalanced_entries c`,
  );
  return rows;
}
