/** Rows of the real schema on top of `market.ts`: links with codes, leases of slots and coupons, clicks, orders and their lines. */
import { randomBytes } from 'node:crypto';
import { customAlphabet } from 'nanoid';
import type { Verdict } from '../../src/core/vocabulary.ts';
import { createClickIdMint, createClickIdReader } from '../../src/core/clicks/click-id.ts';
import { newId } from '../../src/http/new-id.ts';
import type { Queryable } from '../../src/infra/db.ts';
import {
  first,
  insertBrand,
  insertInfluencer,
  insertProduct,
  insertRows,
  insertStore,
  type StoreInput,
} from './market.ts';

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

// --- links ---

export interface Link {
  linkId: string;
  /** Click ids carry it. */
  linkNumber: number;
  code: string;
  brandId: string;
  storeId: string;
  productId: string;
  influencerId: string;
}

// The numbers of the links ascend in the order of the input.
const INSERT_LINKS = `
insert into links (id, brand_id, product_id, influencer_id, landing_mode)
select given.id, given.brand_id, given.product_id, given.influencer_id, given.landing_mode
from jsonb_populate_recordset(null::links, $1) as given
returning links.number`;
const INSERT_CODES = `
insert into link_codes (code, link_id, brand_id, kind)
select given.code, given.link_id, given.brand_id, given.kind from jsonb_populate_recordset(null::link_codes, $1) as given`;

const codeTail = customAlphabet('23456789abcdefghjkmnpqrstvwxyz', 5);

export interface LinkInput {
  brandId: string;
  storeId: string;
  productId: string;
  influencerId: string;
  linkId?: string;
  code?: string;
  /** By default the link follows the overrides and the defaults of the program. */
  landingMode?: 'direct' | 'page' | null;
}

/** Active links with a generated code each. A caller that inserts thousands gives the codes, because random ones of 7 characters collide. */
export async function insertLinks(db: Queryable, links: readonly LinkInput[]): Promise<Link[]> {
  // A letter and a digit make the code a generated one.
  const whole = links.map((link) => ({ linkId: newId('lnk'), code: `a2${codeTail()}`, landingMode: null, ...link }));
  const numbers = await insertRows<{ number: bigint }>(
    db,
    INSERT_LINKS,
    whole.map(({ linkId, brandId, productId, influencerId, landingMode }) => ({
      id: linkId,
      brand_id: brandId,
      product_id: productId,
      influencer_id: influencerId,
      landing_mode: landingMode,
    })),
  );
  const codes = whole.map(({ code, linkId, brandId }) => ({ code, link_id: linkId, brand_id: brandId, kind: 'code' }));
  await insertRows(db, INSERT_CODES, codes);
  return whole.map(({ landingMode: _landingMode, ...link }, index) => ({
    ...link,
    linkNumber: Number(numbers[index]?.number),
  }));
}

export async function insertLink(db: Queryable, link: LinkInput): Promise<Link> {
  return first(await insertLinks(db, [link]));
}

/** One more text that leads to the link. */
export async function addAlias(db: Queryable, link: Pick<Link, 'linkId' | 'brandId'>, alias: string): Promise<void> {
  await insertRows(db, INSERT_CODES, [{ code: alias, link_id: link.linkId, brand_id: link.brandId, kind: 'alias' }]);
}

/** Sets how visitors in an app are sent on, for the links of a brand; for those of every brand where `brandId` is null. */
export async function setLandingModeOverride(
  db: Queryable,
  { brandId, app, landingMode }: { brandId: string | null; app: string; landingMode: 'direct' | 'page' },
): Promise<void> {
  await db.query(
    `insert into landing_mode_overrides (brand_id, app, landing_mode) values ($1, $2, $3)
     on conflict on constraint landing_mode_overrides_key do update set landing_mode = excluded.landing_mode`,
    [brandId, app, landingMode],
  );
}

export interface SeededLink extends Link {
  payeeId: string;
}

/** `brandId` and `influencerId` name existing ones. Visitors are redirected without a page unless `landingMode` differs. */
export interface SeedOptions extends Pick<LinkInput, 'landingMode'>, Pick<StoreInput, 'platform'> {
  url?: string;
  brandId?: string;
  influencerId?: string;
}

/** A link with its own store and product, and with its own brand and influencer where none is given. */
export async function seedLink(db: Queryable, options: SeedOptions = {}): Promise<SeededLink> {
  const { platform = 'taobao', url, landingMode = 'direct' } = options;
  const payeeId = newId('pye');
  const brandId = options.brandId ?? (await insertBrand(db));
  const influencerId = options.influencerId ?? (await insertInfluencer(db, { payeeId }));
  const storeId = await insertStore(db, { brandId, platform });
  const productId = await insertProduct(db, { brandId, storeId, ...(url === undefined ? {} : { url }) });
  return { ...(await insertLink(db, { brandId, storeId, productId, influencerId, landingMode })), payeeId };
}

// --- leases ---

const INSERT_SLOT_OWNERS = `
insert into tracking_slot_owners (store_id, kind, external_id, influencer_id, brand_id)
select given.store_id, given.kind, given.external_id, given.influencer_id, given.brand_id
from jsonb_populate_recordset(null::tracking_slot_owners, $1) as given
on conflict on constraint tracking_slot_owners_pkey do nothing`;
const INSERT_SLOTS = `
insert into tracking_slots (id, brand_id, store_id, kind, external_id, influencer_id, product_id, valid_from, valid_to)
select given.id, given.brand_id, given.store_id, given.kind, given.external_id, given.influencer_id, given.product_id,
  coalesce(given.valid_from, now()), given.valid_to
from jsonb_populate_recordset(null::tracking_slots, $1) as given`;

export interface SlotInput {
  kind: 'adzone' | 'sls' | 'relation';
  externalId: string;
  /** The slot is leased to the influencer of this link, at its store. */
  link: Link;
  /** Holds for the product of the link only; an adzone always does. */
  withProduct?: boolean;
  /** By default from now on. */
  validFrom?: Date;
  validTo?: Date;
}

export async function insertSlot(db: Queryable, slot: SlotInput): Promise<void> {
  const { kind, externalId, link, validFrom, validTo } = slot;
  const owner = {
    store_id: link.storeId,
    kind,
    external_id: externalId,
    influencer_id: link.influencerId,
    brand_id: link.brandId,
  };
  const productId = kind === 'adzone' || slot.withProduct === true ? link.productId : null;
  await insertRows(db, INSERT_SLOT_OWNERS, [owner]);
  const lease = { ...owner, id: newId('slt'), product_id: productId, valid_from: validFrom, valid_to: validTo };
  await insertRows(db, INSERT_SLOTS, [lease]);
}

const INSERT_COUPON_OWNERS = `
insert into coupon_owners (store_id, code, influencer_id, brand_id)
select given.store_id, given.code, given.influencer_id, given.brand_id
from jsonb_populate_recordset(null::coupon_owners, $1) as given`;
const INSERT_COUPONS = `
insert into coupons (id, brand_id, store_id, code, influencer_id, valid_from)
select given.id, given.brand_id, given.store_id, given.code, given.influencer_id, given.valid_from
from jsonb_populate_recordset(null::coupons, $1) as given`;

export async function insertCoupon(
  db: Queryable,
  { code, link, validFrom }: { code: string; link: Link; validFrom: Date },
): Promise<void> {
  const owner = { store_id: link.storeId, code, influencer_id: link.influencerId, brand_id: link.brandId };
  await insertRows(db, INSERT_COUPON_OWNERS, [owner]);
  await insertRows(db, INSERT_COUPONS, [{ ...owner, id: newId('cpn'), valid_from: validFrom }]);
}

// --- clicks ---

const clickIdKey = { number: 7, key: randomBytes(16) };
const mint = createClickIdMint(clickIdKey);
/** Reads what `mintClickId` made. */
export const readClickId = createClickIdReader([clickIdKey]);

/** A click id as the redirect mints it; no row is stored. */
export function mintClickId(link: Pick<Link, 'linkNumber'>, clickedAt: Date): string {
  return mint({ linkNumber: link.linkNumber, clickedAtMs: clickedAt.getTime(), random: randomBytes(8) });
}

const INSERT_CLICKS = `
insert into clicks (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor)
select given.click_id, given.clicked_at, given.link_number, given.brand_id, given.link_id, given.product_id, given.influencer_id,
  given.tag, given.verdict, given.visitor
from jsonb_populate_recordset(null::clicks, $1) as given`;

export interface ClickInput {
  link: Link;
  clickedAt: Date;
  clickId?: string;
  verdict?: Verdict;
  tag?: string;
}

const VISITOR = String.raw`\x00112233445566778899aabbccddeeff`;

/** Stored clicks of one visitor. @returns their ids */
export async function insertClicks(db: Queryable, clicks: readonly ClickInput[]): Promise<string[]> {
  const rows = clicks.map(({ link, clickedAt, verdict = 'counted', tag, clickId }) => ({
    click_id: clickId ?? mintClickId(link, clickedAt),
    clicked_at: clickedAt,
    link_number: link.linkNumber,
    brand_id: link.brandId,
    link_id: link.linkId,
    product_id: link.productId,
    influencer_id: link.influencerId,
    tag,
    verdict,
    visitor: VISITOR,
  }));
  await insertRows(db, INSERT_CLICKS, rows);
  return rows.map((row) => row.click_id);
}

export async function insertClick(
  db: Queryable,
  link: Link,
  clickedAt: Date,
  fields: Pick<ClickInput, 'verdict' | 'tag'> = {},
): Promise<string> {
  return first(await insertClicks(db, [{ link, clickedAt, ...fields }]));
}

/** A step on the middle page of a click of the link. */
export async function insertStep(
  db: Queryable,
  link: Link,
  { clickId, clickedAt, steppedAt }: { clickId: string; clickedAt: Date; steppedAt: Date },
): Promise<void> {
  await db.query(
    `insert into click_steps (click_id, step, clicked_at, stepped_at, link_number, brand_id, product_id, app, os)
     values ($1, 'copy', $2, $3, $4, $5, $6, 'douyin', 'android')`,
    [clickId, clickedAt, steppedAt, link.linkNumber, link.brandId, link.productId],
  );
}

export async function setDrainedTo(db: Queryable, drainedTo: Date): Promise<void> {
  await db.query(
    `insert into click_watermarks (shard, drained_to) values (0, $1), (1, $2)
     on conflict on constraint click_watermarks_pkey do update set drained_to = excluded.drained_to`,
    [drainedTo, new Date(drainedTo.getTime() + DAY_MS)],
  );
}

/** Dates the history of everything inserted so far back: it has existed, and been active, for two months. */
export async function ageStatusHistory(db: Queryable): Promise<void> {
  await db.query(`update status_changes set changed_at = now() - interval '60 days' where status = 'active'`);
}

// --- orders ---

const INSERT_ORDERS = `
insert into orders (id, brand_id, store_id, external_order_id, status, created_at, paid_at)
select given.id, given.brand_id, given.store_id, given.id, 'paid', given.paid_at, given.paid_at
from jsonb_populate_recordset(null::orders, $1) as given
on conflict on constraint orders_pkey do nothing`;
const INSERT_LINES = `
insert into order_lines (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
  refund_excess_fen, closed, refund_open)
select given.id, given.brand_id, given.order_id, given.external_line_id, given.product_id, '{}', given.quantity, given.paid_fen, 0, 0,
  false, false
from jsonb_populate_recordset(null::order_lines, $1) as given`;

export interface OrderInput {
  brandId: string;
  storeId: string;
  paidAt: Date;
  orderId?: string;
  lines: readonly { productId: string | null; lineId?: string; paidFen?: bigint; quantity?: number }[];
}

/** A paid order as the intake leaves it, without attributions; to an order that exists the lines are added. */
export async function insertOrder(db: Queryable, order: OrderInput): Promise<{ orderId: string; lineIds: string[] }> {
  const { brandId, storeId, paidAt, orderId = newId('ord') } = order;
  await insertRows(db, INSERT_ORDERS, [{ id: orderId, brand_id: brandId, store_id: storeId, paid_at: paidAt }]);
  const lines = order.lines.map(({ productId, lineId, paidFen = 19_900n, quantity = 1 }, index) => ({
    id: lineId ?? newId('lin'),
    brand_id: brandId,
    order_id: orderId,
    external_line_id: lineId ?? String(index + 1),
    product_id: productId,
    quantity,
    paid_fen: paidFen,
  }));
  await insertRows(db, INSERT_LINES, lines);
  return { orderId, lineIds: lines.map(({ id }) => id) };
}
