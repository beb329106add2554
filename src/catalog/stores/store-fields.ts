import { z } from 'zod';
import { checkEligibility } from '../../core/catalog/eligibility.ts';
import type { EligibilityRule } from '../../core/catalog/eligibility.ts';
import { day, instant, prefixedId, text } from '../../http/fields.ts';
import { PLATFORMS } from '../../platforms/platform.ts';
import type { StoreRow } from './queries.ts';

const source = z.enum(['declared', 'admin', 'platform']);
const status = z.enum(['active', 'closed']);
const orderSource = z.enum(['youzan', 'shop', 'tbk']);

/** An exact decimal in its shortest spelling. A JSON number stands for the digits of its text; a string is exact at any length. */
const decimal = z
  .union([z.number(), z.string().max(40)])
  .transform(String)
  .pipe(
    z.string().regex(/^\d{1,9}(\.\d{1,9})?$/, {
      error: 'must be a decimal number, at most 9 digits on each side of the point',
    }),
  )
  .transform((digits) =>
    digits
      .replace(/^0+(?=\d)/, '')
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, ''),
  );

const rating = z
  .strictObject({ score: decimal, scale: decimal })
  .meta({ description: 'the rating that the platform shows, on its own scale: 4.8 of 5, 96 of 100' });

/** A credential of a platform: printable ASCII without blanks. */
function credential(maxLength: number) {
  return z
    .string()
    .max(maxLength)
    .regex(/^[\x21-\x7e]+$/, { error: 'must be printable ASCII without blanks' });
}

const youzan = z.strictObject({ clientId: credential(128), clientSecret: credential(256) });

/** Postgres has no year 0, and no online store is older than the web. */
const openedOn = day.refine((text) => text >= '1990-01-01', { error: 'must not be before 1990-01-01' });

export const storeBody = z
  .strictObject({
    brandId: prefixedId('brd')
      .exactOptional()
      .meta({ description: 'admin keys only; a brand key registers its own stores' }),
    platform: z.enum(PLATFORMS),
    externalShopId: text(128),
    name: text(200),
    rating,
    openedOn,
    orderSource: orderSource.exactOptional().meta({ description: 'default: youzan for Youzan, else shop' }),
    youzan: youzan.exactOptional(),
  })
  .meta({
    examples: [
      {
        platform: 'taobao',
        externalShopId: '60000001',
        name: '山野茶具旗舰店',
        rating: { score: 4.8, scale: 5 },
        openedOn: '2021-06-01',
      },
    ],
  });
export type StoreInput = z.output<typeof storeBody>;

export const storeChangeBody = z
  .strictObject({
    name: text(200).exactOptional(),
    rating: rating.exactOptional(),
    openedOn: openedOn.exactOptional(),
    youzan: youzan.exactOptional(),
    status: status.exactOptional(),
  })
  .meta({ examples: [{ rating: { score: 4.9, scale: 5 } }] });
export type StoreChangeInput = z.output<typeof storeChangeBody>;

const remark = z.object({ code: z.string(), detail: z.string() });

export const storeAnswer = z.object({
  id: prefixedId('str'),
  brandId: prefixedId('brd'),
  platform: z.enum(PLATFORMS),
  externalShopId: z.string(),
  name: z.string(),
  status,
  orderSource,
  youzan: z.object({ clientId: z.string() }).nullable(),
  rating: z
    .object({
      score: z.union([z.number(), z.string()]),
      scale: z.union([z.number(), z.string()]),
      source,
      recordedAt: instant,
    })
    .nullable()
    .meta({ description: 'numbers; texts where a JSON number would not be exact' }),
  openedOn: day.nullable(),
  openedOnSource: source.nullable(),
  eligibility: z.object({ eligible: z.boolean(), reasons: z.array(remark) }),
  warnings: z.array(remark),
  createdAt: instant,
});
export type StoreAnswer = z.output<typeof storeAnswer>;

export const storeWithSecretAnswer = storeAnswer.extend({
  webhookSecret: z
    .string()
    .meta({ description: 'shown once: signs messages to /hooks/shops/{id} (Standard Webhooks)' }),
});

/** A store as the API shows it. The row has no secrets, so the answer cannot show one. */
export function storeAnswerOf(row: StoreRow, { rule, today }: { rule: EligibilityRule; today: string }): StoreAnswer {
  const { score, scale, ratingSource, ratedAt, youzanClientId, ...rest } = row;
  const isRated = score !== null && scale !== null && ratingSource !== null && ratedAt !== null;
  const missesCredentials = row.orderSource === 'youzan' && youzanClientId === null;
  return {
    ...rest,
    youzan: youzanClientId === null ? null : { clientId: youzanClientId },
    rating: isRated
      ? { score: asNumber(score), scale: asNumber(scale), source: ratingSource, recordedAt: ratedAt }
      : null,
    eligibility: checkEligibility(row, rule, today),
    warnings: missesCredentials ? [MISSING_CREDENTIALS] : [],
  };
}

const MISSING_CREDENTIALS = {
  code: 'youzan_credentials_missing',
  detail: 'Orders are refused until the store has its Youzan clientId and clientSecret: PATCH /v1/stores/{id}.',
};

/** A number where it is exactly the stored decimal, else the decimal as text. */
function asNumber(decimalText: string): number | string {
  return String(Number(decimalText)) === decimalText ? Number(decimalText) : decimalText;
}
