import type {
  CodeKind,
  DestinationFailure,
  InfluencerStatus,
  LandingMode,
  LinkStatus,
  Platform,
  ProductStatus,
  StoreStatus,
} from '../core/vocabulary.ts';
import type { Queryable, Tx } from '../infra/db.ts';

export interface LinkRow {
  id: string;
  brandId: string;
  productId: string;
  influencerId: string;
  status: LinkStatus;
  /** The override that the brand set for this link; null: none. */
  landingMode: LandingMode | null;
  /** The link's own 淘口令; null: its product's, if that has one. */
  taoCode: string | null;
  createdAt: Date;
  /** The generated code. */
  code: string;
  /** In order of creation. */
  aliases: string[];
  title: string;
  url: string;
  priceFen: bigint;
  productStatus: ProductStatus;
  platform: Platform;
  storeName: string;
  storeStatus: StoreStatus;
  /** Exact decimal texts; null where none is recorded. */
  score: string | null;
  scale: string | null;
  openedOn: string | null;
  influencerStatus: InfluencerStatus;
  /** Both null unless the destination was found broken. */
  brokenSince: Date | null;
  failure: DestinationFailure | null;
}

/** The facts that decide whether a pair may get a new link. */
export type PairRow = Pick<
  LinkRow,
  'brandId' | 'productStatus' | 'storeStatus' | 'score' | 'scale' | 'openedOn' | 'influencerStatus'
>;

// One row if both exist. Served by products_id_idx, influencers_pkey and store_assessments_newest_idx. FOR SHARE: a transaction that pauses one
// of the three now either commits first, and this row shows it, or waits, and then raises the version of the new link too (touch_links_of_…).
const LOCK_PAIR = `
select p.brand_id as "brandId", p.status as "productStatus", s.status as "storeStatus", i.status as "influencerStatus",
  trim_scale(r.score) as score, trim_scale(r.scale) as scale, o.opened_on as "openedOn"
from products p
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
join influencers i on i.id = $2
left join lateral (
  select a.score, a.scale from store_assessments a
  where a.store_id = s.id and a.kind = 'rating' order by a.recorded_at desc, a.id desc limit 1
) r on true
left join lateral (
  select a.opened_on from store_assessments a
  where a.store_id = s.id and a.kind = 'opened_on' order by a.recorded_at desc, a.id desc limit 1
) o on true
where p.id = $1
for share of p, s, i`;

/** The state of a product, its store and an influencer, locked until COMMIT; undefined where the product or the influencer does not exist. */
export async function lockPair(
  tx: Tx,
  { productId, influencerId }: { productId: string; influencerId: string },
): Promise<PairRow | undefined> {
  const { rows } = await tx.query<PairRow>({ name: 'lock_pair', text: LOCK_PAIR, values: [productId, influencerId] });
  return rows[0];
}

const FIND_LINK_OF_PAIR = `
select l.id, l.brand_id as "brandId"
from products p
join links l on l.brand_id = p.brand_id and l.product_id = p.id and l.influencer_id = $2
where p.id = $1`;

export interface LinkKey {
  id: string;
  brandId: string;
}

/** The link of a pair, if it has one. Served by products_id_idx and links_pair_key. */
export async function findLinkOfPair(
  db: Queryable,
  { productId, influencerId }: { productId: string; influencerId: string },
): Promise<LinkKey | undefined> {
  const values = [productId, influencerId];
  const { rows } = await db.query<LinkKey>({ name: 'find_link_of_pair', text: FIND_LINK_OF_PAIR, values });
  return rows[0];
}

// links_pair_key decides: of any number of concurrent requests for a pair one inserts, the others wait for it and insert nothing.
const INSERT_LINK = `
insert into links (id, brand_id, product_id, influencer_id) values ($1, $2, $3, $4)
on conflict on constraint links_pair_key do nothing
returning links.id`;

/** @returns false where the pair has a link; then no row is written */
export async function insertLink(
  tx: Tx,
  link: LinkKey & { productId: string; influencerId: string },
): Promise<boolean> {
  const values = [link.id, link.brandId, link.productId, link.influencerId];
  const { rows } = await tx.query({ name: 'insert_link', text: INSERT_LINK, values });
  return rows.length === 1;
}

// link_codes_pkey decides, for codes and aliases alike. Rows are never deleted, so no code is issued twice.
const INSERT_LINK_CODE = `
insert into link_codes (code, link_id, brand_id, kind) values ($1, $2, $3, $4)
on conflict on constraint link_codes_pkey do nothing
returning link_codes.code`;

/** @returns false where the code is taken, even by this link; then no row is written */
export async function insertLinkCode(
  tx: Tx,
  { code, kind, link }: { code: string; kind: CodeKind; link: LinkKey },
): Promise<boolean> {
  const values = [code, link.id, link.brandId, kind];
  const { rows } = await tx.query({ name: 'insert_link_code', text: INSERT_LINK_CODE, values });
  return rows.length === 1;
}

// $1 is the id of the link, or null and $2 is any of its codes; $3 is the influencer of the caller's key, null for every other role. Served by
// links_id_idx, link_codes_pkey, link_codes_link_idx and store_assessments_newest_idx.
const FIND_LINK = `
select l.id, l.brand_id as "brandId", l.product_id as "productId", l.influencer_id as "influencerId", l.status,
  l.landing_mode as "landingMode", l.tao_code as "taoCode", l.created_at as "createdAt", c.code, a.aliases, p.title, p.url,
  p.price_fen as "priceFen", p.status as "productStatus", s.platform, s.name as "storeName", s.status as "storeStatus",
  trim_scale(r.score) as score, trim_scale(r.scale) as scale,
  o.opened_on as "openedOn", i.status as "influencerStatus", dc.broken_since as "brokenSince", dc.failure
from links l
join link_codes c on c.link_id = l.id and c.kind = 'code'
cross join lateral (
  select coalesce(array_agg(lc.code order by lc.created_at, lc.code), '{}') as aliases
  from link_codes lc where lc.link_id = l.id and lc.kind = 'alias'
) a
join products p on p.brand_id = l.brand_id and p.id = l.product_id
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
join influencers i on i.id = l.influencer_id
left join destination_checks dc on dc.brand_id = l.brand_id and dc.product_id = l.product_id
left join lateral (
  select sa.score, sa.scale from store_assessments sa
  where sa.store_id = s.id and sa.kind = 'rating' order by sa.recorded_at desc, sa.id desc limit 1
) r on true
left join lateral (
  select sa.opened_on from store_assessments sa
  where sa.store_id = s.id and sa.kind = 'opened_on' order by sa.recorded_at desc, sa.id desc limit 1
) o on true
where l.id = coalesce($1, (select named.link_id from link_codes named where named.code = $2))
  and ($3::text is null or l.influencer_id = $3)`;

type LinkName = { id: string } | { code: string };

/** A link by its id, or by its code or an alias in canonical spelling; undefined where there is none, or it is not the caller's. */
export async function findLink(
  db: Queryable,
  { scope, ...name }: LinkName & { scope: string | undefined },
): Promise<LinkRow | undefined> {
  const values = ['id' in name ? name.id : null, 'code' in name ? name.code : null, scope ?? null];
  const { rows } = await db.query<LinkRow>({ name: 'find_link', text: FIND_LINK, values });
  return rows[0];
}

// The newest first, ties by id, after the link ($3, $4). Served by links_influencer_idx or links_created_idx, and as FIND_LINK.
const LIST_LINKS = `
select l.id, to_char(l.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "cursorTime",
  l.brand_id as "brandId", l.product_id as "productId", l.influencer_id as "influencerId", l.status,
  l.landing_mode as "landingMode", l.tao_code as "taoCode", l.created_at as "createdAt", c.code, a.aliases, p.title, p.url,
  p.price_fen as "priceFen", p.status as "productStatus", s.platform, s.name as "storeName", s.status as "storeStatus",
  trim_scale(r.score) as score, trim_scale(r.scale) as scale,
  o.opened_on as "openedOn", i.status as "influencerStatus", dc.broken_since as "brokenSince", dc.failure
from links l
join link_codes c on c.link_id = l.id and c.kind = 'code'
cross join lateral (
  select coalesce(array_agg(lc.code order by lc.created_at, lc.code), '{}') as aliases
  from link_codes lc where lc.link_id = l.id and lc.kind = 'alias'
) a
join products p on p.brand_id = l.brand_id and p.id = l.product_id
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
join influencers i on i.id = l.influencer_id
left join destination_checks dc on dc.brand_id = l.brand_id and dc.product_id = l.product_id
left join lateral (
  select sa.score, sa.scale from store_assessments sa
  where sa.store_id = s.id and sa.kind = 'rating' order by sa.recorded_at desc, sa.id desc limit 1
) r on true
left join lateral (
  select sa.opened_on from store_assessments sa
  where sa.store_id = s.id and sa.kind = 'opened_on' order by sa.recorded_at desc, sa.id desc limit 1
) o on true
where ($1::text is null or l.influencer_id = $1)
  and ($2::text is null or l.product_id = $2)
  and ($3::timestamptz is null or (l.created_at, l.id) < ($3::timestamptz, $4::text))
order by l.created_at desc, l.id desc
limit $5`;

/** The sort key of a link in the list: its creation time with microseconds, and its id. */
export type LinkPosition = readonly [cursorTime: string, id: string];

export async function listLinks(
  db: Queryable,
  page: {
    influencerId: string | undefined;
    productId: string | undefined;
    after: LinkPosition | undefined;
    limit: number;
  },
): Promise<(LinkRow & { cursorTime: string })[]> {
  const [time, id] = page.after ?? [];
  const values = [page.influencerId ?? null, page.productId ?? null, time ?? null, id ?? null, page.limit];
  const { rows } = await db.query<LinkRow & { cursorTime: string }>({ text: LIST_LINKS, values });
  return rows;
}

// Locks the row first, so that of two calls with one new status only one is a change. A status that stays the same changes no row's version
// and announces nothing (triggers). $3 as in FIND_LINK. Served by link_codes_pkey and links_pkey.
const SET_LINK_STATUS = `
with old as (
  select l.brand_id, l.id, l.status
  from link_codes lc
  join links l on l.brand_id = lc.brand_id and l.id = lc.link_id
  where lc.code = $1 and ($3::text is null or l.influencer_id = $3)
  for no key update of l
)
update links
set status = $2
from old
where links.brand_id = old.brand_id and links.id = old.id
returning links.id, links.brand_id as "brandId", old.status <> $2 as "isChanged"`;

/** @returns undefined when there is no such link, or it is not the caller's */
export async function setLinkStatus(
  tx: Tx,
  { code, status, scope }: { code: string; status: LinkStatus; scope: string | undefined },
): Promise<{ id: string; brandId: string; isChanged: boolean } | undefined> {
  const values = [code, status, scope ?? null];
  const query = { name: 'set_link_status', text: SET_LINK_STATUS, values };
  const { rows } = await tx.query<{ id: string; brandId: string; isChanged: boolean }>(query);
  return rows[0];
}
