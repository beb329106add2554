import { z } from 'zod';
import { destinationProblems } from '../../core/catalog/destination-health.ts';
import { fen, instant, prefixedId, rateBp, text, troubles } from '../../http/fields.ts';
import { PLATFORMS } from '../../platforms/platform.ts';
import { isTaoCode } from '../../platforms/taobao/tao-code.ts';
import type { OfferRow } from './offer-queries.ts';
import type { ProductRow } from './queries.ts';

const status = z.enum(['active', 'paused', 'off_sale']);
const commission = z
  .union([z.strictObject({ rateBp }), z.strictObject({ flatFen: fen })])
  .meta({ description: 'a rate of what the buyer pays, or a flat amount per piece' });
const windowDays = z.int().min(1).max(90);
const holdDays = z.int().min(0).max(180);

/** Longer than any real address. The destination rules check the rest and refuse it with codes of their own. */
const url = z.string().max(4000);

/** A marketplace's id of an item, as it stands in order lines. */
const itemId = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9_-]+$/, { error: 'must be letters, digits, - and _' });

const imageUrl = z
  .string()
  .max(2000)
  .refine(isPlainHttpsUrl, { error: 'must be an https address' })
  .meta({ description: 'https address of a picture' });

const taoCode = text(200)
  .refine(isTaoCode, { error: 'must be one line, with no address but Taobao’s' })
  .meta({ description: 'the 淘口令 that the middle page offers for copying; a link may have its own' });

function isPlainHttpsUrl(address: string): boolean {
  const parsed = URL.parse(address);
  return parsed !== null && parsed.protocol === 'https:' && parsed.username === '' && /^[\x21-\x7e]+$/.test(address);
}

const alternateProductId = prefixedId('prd').meta({
  description: 'the same product in another store of the brand, for the fallback same_product',
});

export const productBody = z
  .strictObject({
    storeId: prefixedId('str'),
    title: text(200),
    url,
    priceFen: fen,
    commission,
    externalItemId: itemId.exactOptional().meta({ description: 'the item id in the orders of the store' }),
    affiliateItemId: itemId.exactOptional().meta({ description: 'the item id in affiliate (TBK) orders' }),
    windowDays: windowDays.exactOptional(),
    holdDays: holdDays.exactOptional(),
    imageUrl: imageUrl.exactOptional(),
    taoCode: taoCode.exactOptional(),
    alternateProductId: alternateProductId.exactOptional(),
    status: status.exactOptional(),
  })
  .meta({
    examples: [
      {
        storeId: 'str_k2m8x7q4w9z3p6n5',
        title: '手冲壶',
        url: 'https://item.taobao.com/item.htm?id=600000000001',
        priceFen: 19900,
        commission: { rateBp: 1500 },
        externalItemId: '600000000001',
      },
    ],
  });
export type ProductInput = z.output<typeof productBody>;

export const productChangeBody = z
  .strictObject({
    title: text(200).exactOptional(),
    url: url.exactOptional(),
    priceFen: fen.exactOptional(),
    commission: commission.exactOptional(),
    externalItemId: itemId.nullable().exactOptional(),
    affiliateItemId: itemId.nullable().exactOptional(),
    windowDays: windowDays.exactOptional(),
    holdDays: holdDays.exactOptional(),
    imageUrl: imageUrl.nullable().exactOptional(),
    taoCode: taoCode.nullable().exactOptional(),
    alternateProductId: alternateProductId.nullable().exactOptional(),
    status: status.exactOptional(),
  })
  .meta({ examples: [{ priceFen: 17900, commission: { rateBp: 2000 } }] });
export type ProductChangeInput = z.output<typeof productChangeBody>;

export const productAnswer = z.object({
  id: prefixedId('prd'),
  brandId: prefixedId('brd'),
  storeId: prefixedId('str'),
  storeName: z.string().exactOptional().meta({ description: 'on offers only' }),
  platform: z.enum(PLATFORMS),
  title: z.string(),
  url: z.string(),
  priceFen: fen,
  commission: z.union([z.object({ rateBp }), z.object({ flatFen: fen })]).nullable(),
  estimatedCommissionFen: fen.nullable().exactOptional().meta({
    description: 'on offers only: what the influencer itself earns on one piece; null where only the platform knows',
  }),
  windowDays: windowDays.nullable(),
  holdDays: holdDays.nullable(),
  externalItemId: z.string().nullable(),
  affiliateItemId: z.string().nullable().exactOptional(),
  itemKeys: z.array(z.string()).exactOptional().meta({ description: 'names by which order lines find the product' }),
  imageUrl: z.string().nullable(),
  taoCode: z.string().nullable().exactOptional().meta({ description: 'not on offers' }),
  priceTakenAt: instant.exactOptional().meta({ description: 'when the price was last given; not on offers' }),
  alternateProductId: z.string().nullable().exactOptional(),
  status,
  warnings: z.array(z.object({ code: z.string(), detail: z.string() })).exactOptional(),
  problems: troubles.exactOptional(),
  createdAt: instant,
});
export type ProductAnswer = z.output<typeof productAnswer>;

function commissionOf({ rateBp, flatFen }: Pick<ProductRow, 'rateBp' | 'flatFen'>): ProductAnswer['commission'] {
  if (rateBp !== null) return { rateBp };
  return flatFen === null ? null : { flatFen };
}

const NO_ITEM_KEY = {
  code: 'no_item_key',
  detail:
    'The URL does not name the item and no item id is given: orders cannot be matched to this product. Set externalItemId.',
};

/** A product as its brand and the operator see it. */
export function productAnswerOf(row: ProductRow): ProductAnswer {
  return {
    ...row,
    commission: commissionOf(row),
    warnings: row.itemKeys.length === 0 ? [NO_ITEM_KEY] : [],
    problems: destinationProblems(row),
  };
}

/** A product as it is offered to an influencer. Members of the row that the schema lacks are not sent. */
export function offerAnswerOf(offer: OfferRow): ProductAnswer {
  return { ...offer, commission: commissionOf(offer) };
}
