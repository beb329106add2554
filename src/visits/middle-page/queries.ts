import type { Queryable } from '../../infra/db.ts';

export interface ContentRow {
  title: string;
  priceFen: bigint;
  priceTakenAt: Date;
  brandName: string;
  storeName: string;
  taoCode: string | null;
  /** The picture of the product; null until it is fetched. */
  sha256: string | null;
  width: number | null;
  height: number | null;
}

// At most one row. The 淘口令 of the link goes before that of its product. Served by links_id_idx and the primary keys of the joined tables.
const FIND_CONTENT = `
select p.title, p.price_fen as "priceFen", p.price_taken_at as "priceTakenAt", b.name as "brandName", s.name as "storeName",
  coalesce(l.tao_code, p.tao_code) as "taoCode", pp.sha256, pp.width, pp.height
from links l
join products p on p.brand_id = l.brand_id and p.id = l.product_id
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
join brands b on b.id = l.brand_id
left join product_pictures pp on pp.brand_id = p.brand_id and pp.product_id = p.id
where l.id = $1`;

/** The content of a link's page; undefined where there is no such link. */
export async function findContent(db: Queryable, linkId: string): Promise<ContentRow | undefined> {
  const { rows } = await db.query<ContentRow>({ name: 'find_page_content', text: FIND_CONTENT, values: [linkId] });
  return rows[0];
}
