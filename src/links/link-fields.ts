import { z } from 'zod';
import { destinationProblems } from '../core/destination-health.ts';
import type { EligibilityRule } from '../core/eligibility.ts';
import { instant, prefixedId, text, troubles } from '../http/fields.ts';
import { isTaoCode } from '../platforms/tao-code.ts';
import { captionFor } from './caption.ts';
import { reasonsAgainst } from './issue-link.ts';
import { captionKit, captionKitOf } from './kit/caption-kit.ts';
import type { LinkRow } from './queries.ts';
import { visitWay } from './visit-ways/routes.ts';

export const linkStatus = z.enum(['active', 'paused']);

const taoCode = text(200).refine(isTaoCode, { error: 'must be one line, with no address but Taobao’s' }).nullable();

/** What can be changed of a link; at least one of them. */
export const linkChangeBody = z
  .strictObject({
    status: linkStatus.exactOptional().meta({ description: 'influencer and admin keys' }),
    way: visitWay.nullable().exactOptional().meta({
      description: 'brand and admin keys: how visitors of this link are answered; null: the usual way',
    }),
    taoCode: taoCode.exactOptional().meta({
      description: 'brand and admin keys: the 淘口令 that the middle page of this link offers; null: its product’s',
    }),
  })
  .refine((change) => Object.keys(change).length > 0, { error: 'must name something to change' })
  .meta({ examples: [{ status: 'paused' }] });
export type LinkChangeInput = z.output<typeof linkChangeBody>;

export const linkBody = z
  .strictObject({
    productId: prefixedId('prd'),
    alias: z.string().max(64).exactOptional().meta({ description: 'a word of your own: 4 to 32 of a-z, 0-9 and -' }),
    influencerId: prefixedId('inf')
      .exactOptional()
      .meta({ description: 'admin keys only; an influencer key issues its own links' }),
  })
  .meta({ examples: [{ productId: 'prd_k2m8x7q4w9z3p6n5', alias: 'tea-pot' }] });

export const linkAnswer = z.object({
  id: prefixedId('lnk'),
  code: z.string(),
  url: z.string().meta({ description: 'the short link' }),
  aliases: z.array(z.string()),
  productId: prefixedId('prd'),
  influencerId: prefixedId('inf'),
  status: linkStatus,
  way: visitWay.nullable().meta({ description: 'what the brand wants for this link; null: the usual way' }),
  taoCode: z.string().nullable().meta({ description: 'the link’s own 淘口令; null: its product’s, if that has one' }),
  destinationUrl: z.string().meta({ description: 'where it leads, without the click id' }),
  caption: z.string().meta({ description: 'text to paste below a video' }),
  qrUrl: z.string(),
  kit: captionKit,
  warnings: z.array(z.object({ code: z.string(), detail: z.string() })).meta({
    description:
      'why the pair would get no new link today; this link keeps redirecting and earning as long as it is active',
  }),
  problems: troubles,
  createdAt: instant,
});
export type LinkAnswer = z.output<typeof linkAnswer>;

/** A link as the API shows it. */
export function linkAnswerOf(
  row: LinkRow,
  { publicUrl, rule, today }: { publicUrl: string; rule: EligibilityRule; today: string },
): LinkAnswer {
  const { id, code, aliases, productId, influencerId, status, way, taoCode, createdAt } = row;
  const url = `${publicUrl}/${code}`;
  return {
    id,
    code,
    url,
    aliases,
    productId,
    influencerId,
    status,
    way,
    taoCode,
    destinationUrl: row.url,
    caption: captionFor({ ...row, url }),
    qrUrl: `${url}/qr.svg`,
    kit: captionKitOf({ ...row, origin: publicUrl, code }),
    warnings: reasonsAgainst(row, { rule, today }),
    problems: destinationProblems(row),
    createdAt,
  };
}
