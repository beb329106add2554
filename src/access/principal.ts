import type { Role } from '../core/vocabulary.ts';

/** Who is calling: what the API key stands for. A finance key with a brand sees only that brand. */
export interface Principal {
  keyId: string;
  role: Role;
  brandId?: string;
  influencerId?: string;
}

/**
 * The brand the caller is confined to, for `and ($2::text is null or t.brand_id = $2)`.
 *
 * Undefined for admin, finance over all brands, and influencers: a route that influencers may call confines them by
 * `influencerScope` as well.
 */
export function brandScope(principal: Principal): string | undefined {
  return principal.brandId;
}

/** The influencer the caller is confined to; undefined for every other role. */
export function influencerScope(principal: Principal): string | undefined {
  return principal.influencerId;
}

/** Who did it, for `created_by` and the audit log: the key, never its secret. */
export function actorOf(principal: Principal): string {
  return `${principal.role}:${principal.keyId}`;
}
