import { z } from 'zod';
import type { EligibilityRule } from '../core/eligibility.ts';
import { instant, prefixedId } from '../http/fields.ts';
import { captionFor } from './caption.ts';
import { reasonsAgainst } from './issue-link.ts';
import { captionKit, captionKitOf } from './kit/caption-kit.ts';
import type { LinkRow } from './queries.ts';

export const linkStatus = z.enum(['active', 'paused']);

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
  destinationUrl: z.string().meta({ description: 'where it leads, without the click id' }),
  caption: z.string().meta({ description: 'text to paste below a video' }),
  qrUrl: z.string(),
  kit: captionKit,
  warnings: z.array(z.object({ code: z.string(), detail: z.string() })).meta({
    description:
      'why the pair would get no new link today; this link keeps redirecting and earning as long as it is active',
  }),
  createdAt: instant,
});
export type LinkAnswer = z.output<typeof linkAnswer>;

/** A link as the API shows it. */
export function linkAnswerOf(
  row: LinkRow,
  { publicUrl, rule, today }: { publicUrl: string; rule: EligibilityRule; today: string },
): LinkAnswer {
  const { id, code, aliases, productId, influencerId, status, createdAt } = row;
  const url = `${publicUrl}/${code}`;
  return {
    id,
    code,
    url,
    aliases,
    productId,
    influencerId,
    status,
    destinationUrl: row.url,
    caption: captionFor({ ...row, url }),
    qrUrl: `${url}/qr.svg`,
    kit: captionKitOf({ ...row, origin: publicUrl, code }),
    warnings: reasonsAgainst(row, { rule, today }),
    createdAt,
  };
}
