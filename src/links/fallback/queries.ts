import type { FallbackKind, Platform } from '../../core/vocabulary.ts';
import type { Queryable } from '../../infra/db.ts';

export interface FallbackRow {
  fallbacks: FallbackKind[];
  pageUrl: string | null;
  /** The same product in another store; all null where there is none. */
  sameUrl: string | null;
  samePlatform: Platform | null;
  /** The influencer's own link for it, if it is active. */
  sameCode: string | null;
}

// At most one row. Of several products: the one that the brand named, then one that the influencer has a link for, then the newest. Served by
// links_id_idx, products_pkey, products_same_item_idx, links_pair_key and link_codes_one_code_key.
const FIND_FALLBACK = `
select b.fallbacks, b.page_url as "pageUrl", same.url as "sameUrl", same.platform as "samePlatform", same.code as "sameCode"
from links l
join brands b on b.id = l.brand_id
join products p on p.brand_id = l.brand_id and p.id = l.product_id
join influencers i on i.id = l.influencer_id
left join lateral (
  select q.url, s.platform, c.code
  from products q
  join stores s on s.brand_id = q.brand_id and s.id = q.store_id and s.status = 'active'
  left join links k on k.brand_id = q.brand_id and k.product_id = q.id and k.influencer_id = l.influencer_id and k.status = 'active'
    and i.status = 'active'
  left join link_codes c on c.link_id = k.id and c.kind = 'code'
  where q.brand_id = l.brand_id and q.store_id <> p.store_id and q.status = 'active'
    and (q.id = p.alternate_product_id or q.external_item_id = p.external_item_id)
  order by (q.id = p.alternate_product_id) is true desc, c.code is null, q.created_at desc, q.id
  limit 1
) same on true
where l.id = $1`;

/** The fallbacks that the brand of a dead link chose, and the same product in another store; undefined where there is no such link. */
export async function findFallbackRow(db: Queryable, linkId: string): Promise<FallbackRow | undefined> {
  const { rows } = await db.query<FallbackRow>({ name: 'find_fallback', text: FIND_FALLBACK, values: [linkId] });
  return rows[0];
}

export interface OtherProductRow {
  title: string;
  priceFen: bigint;
  url: string;
  platform: Platform;
  code: string | null;
}

// At most six: first those that the influencer has an active link for, then the newest. Served by links_id_idx, products_pkey and
// links_pair_key.
const LIST_OTHER_PRODUCTS = `
select q.title, q.price_fen as "priceFen", q.url, s.platform, c.code
from links l
join influencers i on i.id = l.influencer_id
join products q on q.brand_id = l.brand_id and q.id <> l.product_id and q.status = 'active'
join stores s on s.brand_id = q.brand_id and s.id = q.store_id and s.status = 'active'
left join links k on k.brand_id = q.brand_id and k.product_id = q.id and k.influencer_id = l.influencer_id and k.status = 'active'
  and i.status = 'active'
left join link_codes c on c.link_id = k.id and c.kind = 'code'
where l.id = $1
order by c.code is null, q.created_at desc, q.id
limit 6`;

/** Other products of the link's brand that are on sale. */
export async function listOtherProducts(db: Queryable, linkId: string): Promise<OtherProductRow[]> {
  const { rows } = await db.query<OtherProductRow>({
    name: 'list_other_products',
    text: LIST_OTHER_PRODUCTS,
    values: [linkId],
  });
  return rows;
}
