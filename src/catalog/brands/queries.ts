import type { FallbackKind } from '../../core/links/landing-mode.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

export type InferredPolicy = 'pay' | 'review' | 'off';
export type MatchingScope = 'product' | 'store';

export interface BrandPolicy {
  inferred: InferredPolicy;
  scope: MatchingScope;
  /** The operator's fee off the top of each commission, basis points. */
  platformFeeBp: number;
}

/** What a brand chose for visitors whose link leads nowhere now. */
export interface VisitorSettings {
  fallbacks: FallbackKind[];
  pageUrl: string | null;
}

export interface BrandRow extends BrandPolicy, VisitorSettings {
  id: string;
  name: string;
  createdAt: Date;
}

const INSERT_BRAND = `
insert into brands (id, name) values ($1, $2)`;

export async function insertBrand(tx: Tx, brand: { id: string; name: string }): Promise<void> {
  await tx.query({ name: 'insert_brand', text: INSERT_BRAND, values: [brand.id, brand.name] });
}

// The first policy holds from the beginning of time: an order placed before its brand was registered here still finds one.
const INSERT_FIRST_POLICY = `
insert into brand_policies (id, brand_id, inferred, scope, platform_fee_bp, valid_from, created_by)
values ($1, $2, $3, $4, $5, to_timestamp(0), $6)`;

export interface NewPolicy extends BrandPolicy {
  id: string;
  brandId: string;
  createdBy: string;
}

function policyValues(policy: NewPolicy): unknown[] {
  return [policy.id, policy.brandId, policy.inferred, policy.scope, policy.platformFeeBp, policy.createdBy];
}

export async function insertFirstPolicy(tx: Tx, policy: NewPolicy): Promise<void> {
  await tx.query({ name: 'insert_first_policy', text: INSERT_FIRST_POLICY, values: policyValues(policy) });
}

// One statement, so that the old version ends at the very microsecond the new one begins. The caller holds the brand's row; the clock
// is read after that lock was got, and a clock that stepped back cannot turn the range around. Served by brand_policies_no_overlap.
const REPLACE_POLICY = `
with closed as (
  update brand_policies bp
  set valid_to = greatest(clock_timestamp(), bp.valid_from + interval '1 microsecond')
  where bp.brand_id = $2 and bp.valid_to is null
  returning bp.valid_to
)
insert into brand_policies (id, brand_id, inferred, scope, platform_fee_bp, valid_from, created_by)
select $1, $2, $3, $4, $5, coalesce((select closed.valid_to from closed), clock_timestamp()), $6`;

/** Ends the brand's open policy now and begins the new one in the same instant. */
export async function replacePolicy(tx: Tx, policy: NewPolicy): Promise<void> {
  await tx.query({ name: 'replace_policy', text: REPLACE_POLICY, values: policyValues(policy) });
}

const LOCK_BRAND = `
select b.id from brands b where b.id = $1 for update`;

/** Locks the brand's row until the end of the transaction; false when there is none. */
export async function lockBrand(tx: Tx, brandId: string): Promise<boolean> {
  const { rows } = await tx.query({ name: 'lock_brand', text: LOCK_BRAND, values: [brandId] });
  return rows.length === 1;
}

const RENAME_BRAND = `
update brands set name = $2 where brands.id = $1`;

export async function renameBrand(tx: Tx, brand: { id: string; name: string }): Promise<void> {
  await tx.query({ name: 'rename_brand', text: RENAME_BRAND, values: [brand.id, brand.name] });
}

const SET_VISITOR_SETTINGS = `
update brands set fallbacks = $2, page_url = $3 where brands.id = $1`;

export async function setVisitorSettings(tx: Tx, brand: VisitorSettings & { id: string }): Promise<void> {
  const values = [brand.id, brand.fallbacks, brand.pageUrl];
  await tx.query({ name: 'set_visitor_settings', text: SET_VISITOR_SETTINGS, values });
}

// The open policy is the current one: versions never begin in the future. $2 is the brand the caller is confined to, null for none.
// Served by brands_pkey and brand_policies_no_overlap.
const FIND_BRAND = `
select b.id, b.name, b.created_at as "createdAt", bp.inferred, bp.scope, bp.platform_fee_bp as "platformFeeBp",
  b.fallbacks, b.page_url as "pageUrl"
from brands b
join brand_policies bp on bp.brand_id = b.id and bp.valid_to is null
where b.id = $1 and ($2::text is null or b.id = $2)`;

/** A brand with its current policy; undefined when there is none, or it is not the caller's. */
export async function findBrand(
  db: Queryable,
  { brandId, scope }: { brandId: string; scope: string | undefined },
): Promise<BrandRow | undefined> {
  const { rows } = await db.query<BrandRow>({ name: 'find_brand', text: FIND_BRAND, values: [brandId, scope ?? null] });
  return rows[0];
}

// In order of id, after $2. Served by brands_pkey.
const LIST_BRANDS = `
select b.id, b.name, b.created_at as "createdAt", bp.inferred, bp.scope, bp.platform_fee_bp as "platformFeeBp",
  b.fallbacks, b.page_url as "pageUrl"
from brands b
join brand_policies bp on bp.brand_id = b.id and bp.valid_to is null
where ($1::text is null or b.id = $1) and ($2::text is null or b.id > $2)
order by b.id
limit $3`;

export async function listBrands(
  db: Queryable,
  page: { scope: string | undefined; afterId: string | undefined; limit: number },
): Promise<BrandRow[]> {
  const values = [page.scope ?? null, page.afterId ?? null, page.limit];
  const { rows } = await db.query<BrandRow>({ name: 'list_brands', text: LIST_BRANDS, values });
  return rows;
}
