import { brandScope, influencerScope } from '../access/principal.ts';
import type { Principal } from '../access/principal.ts';
import { canonicalCode, canonicalTag } from '../core/links/link-code.ts';
import type { Db } from '../infra/db.ts';
import { firstOrigin } from './entry-domains/entry-domains.ts';
import type { EntryDomains } from './entry-domains/entry-domains.ts';
import { findLink } from './queries.ts';
import type { LinkRow } from './queries.ts';

/**
 * The caller's link by its code or an alias in any spelling: an influencer's own link, or a link to a product of a brand.
 *
 * @returns the link and the requested code in canonical spelling; undefined where there is no such link, or the caller may not see it
 */
export async function findOwnLink(
  db: Db,
  principal: Principal,
  text: string,
): Promise<{ link: LinkRow; requestedCode: string } | undefined> {
  const code = canonicalCode(text);
  if (code === undefined) return undefined;
  const link = await findLink(db, { code, scope: influencerScope(principal) });
  const brandId = brandScope(principal);
  if (link === undefined || (brandId !== undefined && link.brandId !== brandId)) return undefined;
  return { link, requestedCode: code };
}

export interface PublishedLinkDeps {
  db: Db;
  /** Links are published on the first origin. */
  entryDomains: Pick<EntryDomains, 'origins'>;
}

export interface PublishedLink {
  link: LinkRow;
  /** The short link as requested: an alias stays an alias, with the requested tag. */
  url: string;
}

/** The code and tag of a published link, in canonical spelling. */
export interface PublishedAddress {
  code: string;
  tag: string | undefined;
}

/** Reads the segments of an address; undefined where the code or the given tag is malformed. */
export function readPublishedAddress(rawCode: string, rawTag: string | undefined): PublishedAddress | undefined {
  const code = canonicalCode(rawCode);
  const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
  // Addresses are printed, so a malformed tag is refused rather than left out.
  if (code === undefined || (rawTag !== undefined && tag === undefined)) return undefined;
  return { code, tag };
}

/** Any link with the address under which it is published; undefined where the code names no link. */
export async function findPublishedLink(
  { db, entryDomains }: PublishedLinkDeps,
  { code, tag }: PublishedAddress,
): Promise<PublishedLink | undefined> {
  const link = await findLink(db, { code, scope: undefined });
  if (link === undefined) return undefined;
  const url = `${firstOrigin(entryDomains)}/${code}`;
  return { link, url: tag === undefined ? url : `${url}/${tag}` };
}
