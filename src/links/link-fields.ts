import { z } from 'zod';
import { destinationProblems } from '../core/catalog/destination-health.ts';
import type { EligibilityRule } from '../core/catalog/eligibility.ts';
import { LINK_STATUSES } from '../core/vocabulary.ts';
import { instant, prefixedId, text, troubles } from '../http/fields.ts';
import { checkDestination } from '../platforms/platform.ts';
import { isTaoCode } from '../platforms/taobao/tao-code.ts';
import { reasonsAgainst } from './issue-link.ts';
import { captionFor, captionKit, captionKitOf } from './kit/caption-kit.ts';
import type { LinkRow } from './queries.ts';
import { landingMode } from './landing-modes/routes.ts';

export const linkStatus = z.enum(LINK_STATUSES);

const taoCode = text(200).refine(isTaoCode, { error: 'must be one line, with no address but Taobao’s' }).nullable();

/** The fields of a link that can be changed; at least one of them. */
export const linkChangeBody = z
  .strictObject({
    status: linkStatus.exactOptional().meta({ description: 'influencer and admin keys' }),
    landingMode: landingMode.nullable().exactOptional().meta({
      description:
        'brand and admin keys: how visitors of this link are answered; null: as its brand, the operator or the table decides',
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
  url: z.string().meta({ description: 'the short link, on the first healthy host' }),
  urls: z.array(z.string()).meta({ description: 'the same link on every healthy host' }),
  aliases: z.array(z.string()),
  productId: prefixedId('prd'),
  influencerId: prefixedId('inf'),
  status: linkStatus,
  landingMode: landingMode.nullable().meta({
    description: 'what the brand set for this link; null: its brand, the operator or the table decides',
  }),
  taoCode: z.string().nullable().meta({ description: 'the link’s own 淘口令; null: its product’s, if that has one' }),
  destinationUrl: z.string().meta({ description: 'where it leads, without the click id' }),
  caption: z.string().meta({ description: 'text to paste below a video' }),
  qrUrl: z.string(),
  kit: captionKit,
  warnings: z.array(z.object({ code: z.string(), detail: z.string() })).meta({
    description:
      'what is wrong: the link itself leads nowhere now (link_paused, destination_not_allowed), or the pair would get no new link today (the other codes; with product_off_sale, product_paused, store_closed and influencer_paused visitors get the fallback of the brand, else this link keeps redirecting and earning)',
  }),
  problems: troubles,
  createdAt: instant,
});
export type LinkAnswer = z.output<typeof linkAnswer>;

/** Why the link leads nowhere now, as far as the link and its destination decide it. */
function reasonsOfLink({ status, platform, url }: LinkRow): LinkAnswer['warnings'] {
  const reasons: LinkAnswer['warnings'] = [];
  if (status === 'paused') reasons.push({ code: 'link_paused', detail: 'The link is paused.' });
  if (!checkDestination({ platform, url }).ok) {
    const detail = 'The address of the product is not allowed any more; nobody is sent there.';
    reasons.push({ code: 'destination_not_allowed', detail });
  }
  return reasons;
}

/** A link as the API shows it. */
export function linkAnswerOf(
  row: LinkRow,
  { origins, rule, today }: { origins: readonly string[]; rule: EligibilityRule; today: string },
): LinkAnswer {
  const { id, code, aliases, productId, influencerId, status, taoCode, createdAt } = row;
  const [origin = ''] = origins;
  const url = `${origin}/${code}`;
  return {
    id,
    code,
    url,
    urls: origins.map((each) => `${each}/${code}`),
    aliases,
    productId,
    influencerId,
    status,
    landingMode: row.landingMode,
    taoCode,
    destinationUrl: row.url,
    caption: captionFor({ ...row, url }),
    qrUrl: `${url}/qr.svg`,
    kit: captionKitOf({ ...row, origin, code }),
    warnings: [...reasonsOfLink(row), ...reasonsAgainst(row, { rule, today })],
    problems: destinationProblems(row),
    createdAt,
  };
}
