export const ROLES = ['admin', 'brand', 'influencer', 'finance'] as const;
export type Role = (typeof ROLES)[number];

/** The caller that an API key stands for. A finance key with a brand is confined to that brand. */
export interface Principal {
  keyId: string;
  role: Role;
  brandId?: string;
  influencerId?: string;
}

/** The acting party of a use case. Every way into a use case can name one: an API key, a command, an import, a job. */
export interface Acting {
  /** For `created_by` and the audit log. */
  actor: string;
  /** The brand that the work is confined to; undefined for none. */
  brandScope: string | undefined;
}

export function actingAs(principal: Principal): Acting {
  return { actor: actorOf(principal), brandScope: brandScope(principal) };
}

/**
 * The brand that the caller is confined to, for `and ($2::text is null or t.brand_id = $2)`.
 *
 * Undefined for admin keys, for finance keys of all brands and for influencers: a route that influencers may call confines them by
 * `influencerScope` as well.
 */
export function brandScope(principal: Principal): string | undefined {
  return principal.brandId;
}

/** The influencer that the caller is confined to; undefined for every other role. */
export function influencerScope(principal: Principal): string | undefined {
  return principal.influencerId;
}

/** Role and id of the key, for `created_by` and the audit log; never its secret. */
export function actorOf(principal: Principal): string {
  return `${principal.role}:${principal.keyId}`;
}
