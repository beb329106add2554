import type { Queryable } from '../../infra/db.ts';
import type { ProductFilter, ProductRow } from './queries.ts';

export type OfferSort = 'newest' | 'rate' | 'commission' | 'price';

/** A product as an influencer sees it, with the terms that would hold for this influencer now. */
export type OfferRow = Omit<
  ProductRow,
  'itemKeys' | 'affiliateItemId' | 'alternateProductId' | 'brokenSince' | 'failure'
> & {
  storeName: string;
  basis: 'order_amount' | 'platform_commission';
  /** The influencer's own leg on one piece at this price; null where only the platform knows its basis. */
  estimatedCommissionFen: bigint | null;
  /** The value that the list is sorted by, as exact decimal text; null when it is sorted by age alone. */
  sortKey: string | null;
  /** `createdAt` to the microsecond, for the cursor. */
  createdAtExact: string;
};

// Active products of active, eligible stores, with the most specific terms in force for the influencer $1 (the precedence of core/money; at most
// one version of a scope is in force, so the joins multiply no row) and the influencer's own leg of the commission on the price. The arithmetic
// is that of core/money, in numeric because price × rate exceeds int8; a test compares both. Eligibility is that of core/catalog,
// cross-multiplied and never divided: $2/$3 is the lowest rating, $4 the last opening day. Sorted by $5 descending, then the newest first; the
// text of createdAt keeps the microseconds that a cursor needs. Sent unnamed, so that it is planned with its values: 'newest' then reads
// products_offer_idx and stops after a page (100,000 products: 9 ms; the other sorts price every offer: 0.3 s). The terms are joined five times,
// because one search per product took 20 times as long. Served by products_offer_idx, store_assessments_newest_idx, terms_product_idx,
// terms_store_idx and terms_no_overlap.
const LIST_OFFERS = `
select p.id, p.brand_id as "brandId", p.store_id as "storeId", s.name as "storeName", s.platform, p.title, p.url,
  p.price_fen as "priceFen", p.external_item_id as "externalItemId", p.image_url as "imageUrl", p.status,
  p.created_at as "createdAt", t.basis, t.rate_bp as "rateBp", t.flat_fen as "flatFen", t.window_days as "windowDays",
  t.hold_days as "holdDays", leg.estimated_fen as "estimatedCommissionFen", k.sort_key as "sortKey",
  p.created_at::text as "createdAtExact"
from products p
join stores s on s.brand_id = p.brand_id and s.id = p.store_id and s.status = 'active'
cross join lateral (
  select a.score, a.scale from store_assessments a
  where a.store_id = s.id and a.kind = 'rating' order by a.recorded_at desc, a.id desc limit 1
) r
cross join lateral (
  select a.opened_on from store_assessments a
  where a.store_id = s.id and a.kind = 'opened_on' order by a.recorded_at desc, a.id desc limit 1
) o
left join terms tip on tip.product_id = p.id and tip.influencer_id = $1
  and tip.valid_from <= now() and (tip.valid_to is null or tip.valid_to > now())
left join terms tis on tis.store_id = s.id and tis.influencer_id = $1
  and tis.valid_from <= now() and (tis.valid_to is null or tis.valid_to > now())
left join terms tp on tp.product_id = p.id and tp.influencer_id is null
  and tp.valid_from <= now() and (tp.valid_to is null or tp.valid_to > now())
left join terms ts on ts.store_id = s.id and ts.influencer_id is null
  and ts.valid_from <= now() and (ts.valid_to is null or ts.valid_to > now())
left join terms tb on tb.brand_id = p.brand_id and tb.scope_key = 'brand'
  and tb.valid_from <= now() and (tb.valid_to is null or tb.valid_to > now())
join terms t on t.brand_id = p.brand_id and t.id = coalesce(tip.id, tis.id, tp.id, ts.id, tb.id)
left join brand_policies bp on bp.brand_id = p.brand_id and bp.valid_from <= now() and (bp.valid_to is null or bp.valid_to > now())
left join influencer_agencies ia on ia.influencer_id = $1 and ia.valid_from <= now() and (ia.valid_to is null or ia.valid_to > now())
cross join lateral (
  select case when t.basis = 'order_amount'
    then least(p.price_fen::numeric, coalesce(t.flat_fen, div(p.price_fen::numeric * t.rate_bp + 5000, 10000))) end as line_fen
) line
cross join lateral (select line.line_fen - div(line.line_fen * coalesce(bp.platform_fee_bp, 0) + 5000, 10000) as rest_fen) rest
cross join lateral (
  select (rest.rest_fen - div(rest.rest_fen * coalesce(ia.share_bp, 0) + 5000, 10000))::bigint as estimated_fen
) leg
cross join lateral (
  select case when t.flat_fen is null then t.rate_bp when p.price_fen = 0 then 0
    else div(t.flat_fen::numeric * 10000, p.price_fen) end as rate_bp
) effective
cross join lateral (
  select case $5
    when 'rate' then effective.rate_bp
    when 'commission' then coalesce(leg.estimated_fen, 0)
    when 'price' then -p.price_fen
  end::numeric as sort_key
) k
where p.status = 'active'
  and r.score * $3::numeric >= $2::numeric * r.scale
  and o.opened_on <= $4::date
  and ($6::text is null or p.id = $6)
  and ($7::text is null or p.store_id = $7)
  and ($8::text is null or s.platform = $8)
  and ($9::text is null or position(lower($9) in lower(p.title)) > 0)
  and ($10::integer is null or effective.rate_bp >= $10)
  and ($13::text is null
    or ($11::numeric is null and (p.created_at, p.id) < ($12::timestamptz, $13))
    or (k.sort_key, p.created_at, p.id) < ($11::numeric, $12::timestamptz, $13))
order by (case $5 when 'newest' then null else k.sort_key end) desc nulls last, p.created_at desc, p.id desc
limit $14`;

export interface OfferQuery extends ProductFilter {
  influencerId: string;
  /** The lowest rating, `score` of `scale` as decimal texts, and the last day on which a store may have opened. */
  eligible: { score: string; scale: string; openedBy: string };
  productId?: string | undefined;
  minRateBp: number | undefined;
  sort: OfferSort;
  /** The last row of the page before; `sortKey` null when sorted by `newest`. */
  after: { sortKey: string | null; createdAtExact: string; id: string } | undefined;
  limit: number;
}

/** The products that an influencer can promote now, `limit` rows. */
export async function listOffers(db: Queryable, query: OfferQuery): Promise<OfferRow[]> {
  const { influencerId, eligible, sort, productId, storeId, platform, q, minRateBp, after, limit } = query;
  const rule = [eligible.score, eligible.scale, eligible.openedBy];
  const filters = [productId ?? null, storeId ?? null, platform ?? null, q ?? null, minRateBp ?? null];
  const place = [after?.sortKey ?? null, after?.createdAtExact ?? null, after?.id ?? null];
  const values = [influencerId, ...rule, sort, ...filters, ...place, limit];
  const { rows } = await db.query<OfferRow>({ text: LIST_OFFERS, values });
  return rows;
}
