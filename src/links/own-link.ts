import { brandScope, influencerScope } from '../access/principal.ts';
import type { Principal } from '../access/principal.ts';
import { canonicalCode } from '../core/links/link-code.ts';
import { problems } from '../http/problem.ts';
import type { Db } from '../infra/db.ts';
import { findLink } from './queries.ts';
import type { LinkRow } from './queries.ts';

/**
 * The caller's link by its code or an alias in any spelling: an influencer's own, or one of a brand's product.
 *
 * @returns the link and the spelling under which it was asked for
 * @throws Problem not_found
 */
export async function getOwnLink(
  db: Db,
  principal: Principal,
  text: string,
): Promise<{ link: LinkRow; askedCode: string }> {
  const code = canonicalCode(text);
  const link = code === undefined ? undefined : await findLink(db, { code, scope: influencerScope(principal) });
  if (code === undefined || link === undefined) throw problems.notFound();
  const brandId = brandScope(principal);
  if (brandId !== undefined && link.brandId !== brandId) throw problems.notFound();
  return { link, askedCode: code };
}
