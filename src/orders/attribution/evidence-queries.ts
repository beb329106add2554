/** What the attribution ladder asks of the tables: one query for any number of lines each. */
import type { CouponLease, DecisionFact, LinkFact, SlotLease, StatusChange } from '../../core/attribution/facts.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable } from '../../infra/db.ts';

// Every click made before this instant is in `clicks`: the slowest shard decides, or the oldest click in a spool. A spool whose clicks are all
// in the streams counts until every shard is drained past the moment they got there. Null while no shard has reported. A handful of rows each.
const FIND_DRAINED_TO = `
select case when w.drained_to is not null then least(w.drained_to, (
    select min(s.oldest_at) from click_spools s where s.sent_at is null or s.sent_at > w.drained_to
  )) end as "drainedTo"
from (select min(drained_to) as drained_to from click_watermarks) w`;

/** Up to when the clicks are complete; undefined: unknown. */
export async function findDrainedTo(db: Queryable): Promise<Date | undefined> {
  const { rows } = await db.query<{ drainedTo: Date | null }>({ name: 'find_drained_to', text: FIND_DRAINED_TO });
  return rows[0]?.drainedTo ?? undefined;
}

/** What a person and the first booking have fixed about a line. */
export interface SettledLine {
  /** The standing decision. */
  decision?: DecisionFact;
  /** The window of the terms that the line is priced by, and what these were chosen by. */
  priced?: { influencerId: string; productId: string; orderCreatedAt: Date; windowDays: number };
}

// At most one decision stands per line (line_decisions_standing_key, which also serves the search), and one copy of terms
// (priced_lines_pkey). order_lines gives the brand that both are keyed by; served by order_lines_id_idx.
const LIST_SETTLED_LINES = `
select l.id as "lineId", d.kind, d.link_id as "linkId", d.overruled_link_id as "overruledLinkId",
  c.influencer_id as "influencerId", c.product_id as "productId", c.order_created_at as "orderCreatedAt", c.window_days as "windowDays"
from order_lines l
left join line_decisions d on d.brand_id = l.brand_id and d.line_id = l.id and d.undone_at is null
left join priced_lines c on c.brand_id = l.brand_id and c.line_id = l.id
where l.id = any ($1::text[]) and (d.line_id is not null or c.line_id is not null)`;

type SettledRow =
  | { kind: null; linkId: null; overruledLinkId: null }
  | { kind: 'assign' | 'reject'; linkId: string | null; overruledLinkId: string | null };
type PricedRow =
  | { influencerId: null; productId: null; orderCreatedAt: null; windowDays: null }
  | { influencerId: string; productId: string; orderCreatedAt: Date; windowDays: number };

/** Of each line that has one, the standing decision and the window of its terms. */
export async function listSettledLines(db: Queryable, lineIds: readonly string[]): Promise<Map<string, SettledLine>> {
  if (lineIds.length === 0) return new Map();
  const { rows } = await db.query<{ lineId: string } & SettledRow & PricedRow>({
    name: 'list_settled_lines',
    text: LIST_SETTLED_LINES,
    values: arrayLiterals([lineIds]),
  });
  return new Map(
    rows.map((row): [string, SettledLine] => {
      const { lineId, kind, linkId, overruledLinkId } = row;
      const settled: SettledLine = {};
      if (kind !== null) settled.decision = { kind, ...present({ linkId, overruledLinkId }) };
      if (row.influencerId !== null) {
        const { influencerId, productId, orderCreatedAt, windowDays } = row;
        settled.priced = { influencerId, productId, orderCreatedAt, windowDays };
      }
      return [lineId, settled];
    }),
  );
}

export interface SlotName {
  storeId: string;
  kind: SlotLease['kind'];
  externalId: string;
}

// Leases of every time, so that a lease that ended can be told from an unknown slot; they never overlap. stores gives the brand. Served by
// stores_id_idx and the index of tracking_slots_no_overlap, whose first four columns are compared.
const LIST_SLOT_LEASES = `
select s.store_id as "storeId", s.kind, s.external_id as "externalId", s.influencer_id as "influencerId",
  s.product_id as "productId", s.valid_from as "validFrom", s.valid_to as "validTo"
from unnest($1::text[], $2::text[], $3::text[]) as input (store_id, kind, external_id)
join stores st on st.id = input.store_id
join tracking_slots s
  on s.brand_id = st.brand_id and s.store_id = st.id and s.kind = input.kind and s.external_id = input.external_id`;

/** All leases of the named slots. */
export async function listSlotLeases(
  db: Queryable,
  slots: readonly SlotName[],
): Promise<(SlotLease & { storeId: string })[]> {
  if (slots.length === 0) return [];
  const { rows } = await db.query<{
    storeId: string;
    kind: SlotLease['kind'];
    externalId: string;
    influencerId: string;
    productId: string | null;
    validFrom: Date;
    validTo: Date | null;
  }>({
    name: 'list_slot_leases',
    text: LIST_SLOT_LEASES,
    values: arrayLiterals([
      slots.map((slot) => slot.storeId),
      slots.map((slot) => slot.kind),
      slots.map((slot) => slot.externalId),
    ]),
  });
  return rows.map(({ productId, validTo, ...lease }) => Object.assign(lease, present({ productId, validTo })));
}

// As for slots. Served by stores_id_idx and the index of coupons_no_overlap.
const LIST_COUPON_LEASES = `
select c.store_id as "storeId", c.code, c.influencer_id as "influencerId", c.valid_from as "validFrom", c.valid_to as "validTo"
from unnest($1::text[], $2::text[]) as input (store_id, code)
join stores st on st.id = input.store_id
join coupons c on c.brand_id = st.brand_id and c.store_id = st.id and c.code = input.code`;

/** All leases of the named coupons; codes in canonical form. */
export async function listCouponLeases(
  db: Queryable,
  coupons: readonly { storeId: string; code: string }[],
): Promise<(CouponLease & { storeId: string })[]> {
  if (coupons.length === 0) return [];
  const { rows } = await db.query<{
    storeId: string;
    code: string;
    influencerId: string;
    validFrom: Date;
    validTo: Date | null;
  }>({
    name: 'list_coupon_leases',
    text: LIST_COUPON_LEASES,
    values: arrayLiterals([coupons.map((coupon) => coupon.storeId), coupons.map((coupon) => coupon.code)]),
  });
  return rows.map(({ validTo, ...lease }) => Object.assign(lease, present({ validTo })));
}

// Codes are unique over all brands and are never deleted: link_codes_pkey.
const LIST_LINKS_OF_CODES = `
select c.code, c.link_id as "linkId"
from link_codes c
where c.code = any ($1::text[])`;

/** The link of each code or alias that exists, of any brand. */
export async function listLinksOfCodes(db: Queryable, codes: readonly string[]): Promise<Map<string, string>> {
  if (codes.length === 0) return new Map();
  const { rows } = await db.query<{ code: string; linkId: string }>({
    name: 'list_links_of_codes',
    text: LIST_LINKS_OF_CODES,
    values: arrayLiterals([codes]),
  });
  return new Map(rows.map(({ code, linkId }) => [code, linkId]));
}

// Links by number, by id and by pair, each once; products gives the brand of a pair. Served by links_number_key, links_id_idx,
// products_id_idx and links_pair_key.
const LIST_LINKS = `
select l.id as "linkId", l.number as "linkNumber", l.brand_id as "brandId", p.store_id as "storeId", l.product_id as "productId",
  l.influencer_id as "influencerId"
from (
  select n.id from links n where n.number = any ($1::bigint[])
  union
  select i.id from links i where i.id = any ($2::text[])
  union
  select o.id
  from unnest($3::text[], $4::text[]) as pair (influencer_id, product_id)
  join products q on q.id = pair.product_id
  join links o on o.brand_id = q.brand_id and o.product_id = q.id and o.influencer_id = pair.influencer_id
) as named
join links l on l.id = named.id
join products p on p.brand_id = l.brand_id and p.id = l.product_id`;

// The same where only numbers are asked for, as most batches do: the union costs several times as much. Served by links_number_key, and by
// products_pkey, one probe a link: joined, products would be read whole while there are a thousand.
const LIST_LINKS_BY_NUMBER = `
select l.id as "linkId", l.number as "linkNumber", l.brand_id as "brandId",
  (select p.store_id from products p where p.brand_id = l.brand_id and p.id = l.product_id) as "storeId", l.product_id as "productId", l.influencer_id as "influencerId"
from links l
where l.number = any ($1::bigint[])`;

export interface LinkRow extends Omit<LinkFact, 'linkNumber'> {
  linkNumber: bigint;
}

export interface LinkNames {
  numbers: readonly number[];
  linkIds: readonly string[];
  pairs: readonly { influencerId: string; productId: string }[];
}

/** The links that exist under these names. */
export async function listLinks(db: Queryable, { numbers, linkIds, pairs }: LinkNames): Promise<LinkFact[]> {
  if (numbers.length + linkIds.length + pairs.length === 0) return [];
  const isNumbered = linkIds.length + pairs.length === 0;
  const { rows } = await db.query<LinkRow>(
    isNumbered
      ? { name: 'list_links_by_number', text: LIST_LINKS_BY_NUMBER, values: arrayLiterals([numbers]) }
      : {
          name: 'list_links_of_evidence',
          text: LIST_LINKS,
          values: arrayLiterals([
            numbers,
            linkIds,
            pairs.map((pair) => pair.influencerId),
            pairs.map((pair) => pair.productId),
          ]),
        },
  );
  return rows.map(linkOfRow);
}

/** A link's number has five bytes, so it fits a JavaScript number; it is compared with the one read from a click id. */
export function linkOfRow({ linkId, linkNumber, brandId, storeId, productId, influencerId }: LinkRow): LinkFact {
  return { linkId, linkNumber: Number(linkNumber), brandId, storeId, productId, influencerId };
}

// The state of each subject at each instant: its latest change until then, ties by id. One probe of status_changes_subject_idx each.
const LIST_STATUS_CHANGES = `
select s.subject_id as "subjectId", s.status, s.changed_at as "changedAt", s.id as sequence
from unnest($1::text[], $2::timestamptz[]) as input (subject_id, at)
cross join lateral (
  select c.subject_id, c.status, c.changed_at, c.id
  from status_changes c
  where c.subject_id = input.subject_id and c.changed_at <= input.at
  order by c.changed_at desc, c.id desc
  limit 1
) as s`;

/** The latest change of each subject up to each instant; nothing for a subject that did not exist then. */
export async function listStatusChanges(
  db: Queryable,
  questions: readonly { subjectId: string; at: Date }[],
): Promise<StatusChange[]> {
  const { rows } = await db.query<StatusChange>({
    name: 'list_status_changes',
    text: LIST_STATUS_CHANGES,
    values: arrayLiterals([questions.map((question) => question.subjectId), questions.map((question) => question.at)]),
  });
  return rows;
}

type Present<Row> = { [Key in keyof Row]?: NonNullable<Row[Key]> };

/** The columns that are not null: the facts leave out what is absent. */
export function present<Row extends Record<string, unknown>>(row: Row): Present<Row> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Present<Row>;
}
// One probe of product_item_keys_pkey a name: joined, the table would be read whole while it has a thousand rows.
const LIST_PRODUCTS_BY_ITEM_KEYS = `
select input.store_id as "storeId", input.item_key as "itemKey",
  (select k.product_id from product_item_keys k
    where k.brand_id = input.brand_id and k.store_id = input.store_id and k.item_key = input.item_key) as "productId"
from unnest($1::text[], $2::text[], $3::text[]) as input (brand_id, store_id, item_key)`;

/** The products registered under these names; keyed by `<store id> <item key>`. */
export async function listProductsByItemKeys(
  db: Queryable,
  keys: readonly { brandId: string; storeId: string; itemKey: string }[],
): Promise<Map<string, string>> {
  if (keys.length === 0) return new Map();
  const { rows } = await db.query<{ storeId: string; itemKey: string; productId: string | null }>({
    name: 'list_products_by_item_keys',
    text: LIST_PRODUCTS_BY_ITEM_KEYS,
    values: arrayLiterals([
      keys.map((key) => key.brandId),
      keys.map((key) => key.storeId),
      keys.map((key) => key.itemKey),
    ]),
  });
  return new Map(
    rows.flatMap(({ storeId, itemKey, productId }) =>
      productId === null ? [] : [[`${storeId} ${itemKey}`, productId]],
    ),
  );
}
