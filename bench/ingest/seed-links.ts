import type { Db } from '../../src/infra/db.ts';
import type { SeededLink } from './click-set.ts';

// Every name is counted up, so that every database of a run has the same links under the same numbers.
const STATEMENTS = [
  `insert into brands (id, name) select 'brd_bench' || to_char(n, 'FM0000000000000000'), '好物' from generate_series(1, 10) n`,
  `insert into payees (id, kind, name)
   select 'pye_bench' || to_char(n, 'FM0000000000000000'), 'influencer', '小美' from generate_series(1, 100) n`,
  `insert into influencers (id, name, code, payee_id)
   select 'inf_bench' || to_char(n, 'FM0000000000000000'), '小美', 'i2' || to_char(n, 'FM00000'),
     'pye_bench' || to_char(n, 'FM0000000000000000')
   from generate_series(1, 100) n`,
  `insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
   select 'str_bench' || to_char(n, 'FM0000000000000000'), 'brd_bench' || to_char(n, 'FM0000000000000000'), 'taobao', 'bench' || n,
     '好物店', 'shop', '\\x00'
   from generate_series(1, 10) n`,
  `insert into products (id, brand_id, store_id, title, url, price_fen)
   select 'prd_bench' || to_char(n, 'FM0000000000000000'), 'brd_bench' || to_char(n % 10 + 1, 'FM0000000000000000'),
     'str_bench' || to_char(n % 10 + 1, 'FM0000000000000000'), '杯子', 'https://item.taobao.com/item.htm?id=' || 600000000000 + n, 19900
   from generate_series(0, 199) n`,
  // Five influencers a product.
  `insert into links (id, brand_id, product_id, influencer_id)
   select 'lnk_bench' || to_char(n, 'FM0000000000000000'), p.brand_id, p.id,
     'inf_bench' || to_char(n / 200 * 7 % 100 + 1, 'FM0000000000000000')
   from generate_series(0, 999) n
   join products p on p.id = 'prd_bench' || to_char(n % 200, 'FM0000000000000000')
   order by n`,
];

/** A thousand links of ten brands, the same in every empty database. */
export async function seedLinks(db: Db): Promise<SeededLink[]> {
  for (const statement of STATEMENTS) await db.query(statement);
  await db.query('analyze');
  const { rows } = await db.query<Omit<SeededLink, 'number'> & { number: bigint }>(
    `select l.number, l.brand_id as "brandId", l.id as "linkId", l.product_id as "productId", l.influencer_id as "influencerId"
     from links l order by l.number`,
  );
  return rows.map((row) => ({ ...row, number: Number(row.number) }));
}
