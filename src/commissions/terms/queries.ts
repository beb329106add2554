import type { CommissionBasis } from '../../core/money/commission.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

/** One version of a commission rule as it stands in the table; exactly one of rateBp and flatFen is set. */
export interface TermsRow {
  termsId: string;
  brandId: string;
  storeId: string | null;
  productId: string | null;
  influencerId: string | null;
  basis: CommissionBasis;
  rateBp: number | null;
  flatFen: bigint | null;
  windowDays: number;
  holdDays: number;
  validFrom: Date;
  validTo: Date | null;
  createdBy: string;
  createdAt: Date;
}

// Ends the version of one scope that has no end, so that the next can begin at $3; a version that begins at or after $3 is left alone and
// refuses the next one by terms_no_overlap. A concurrent writer of the same scope waits on the row and then finds it ended.
const CLOSE_OPEN_TERMS = `
update terms t set valid_to = $3
where t.brand_id = $1 and t.scope_key = $2 and t.valid_to is null and t.valid_from < $3
returning t.id as "termsId", t.brand_id as "brandId", t.store_id as "storeId", t.product_id as "productId",
  t.influencer_id as "influencerId", t.basis, t.rate_bp as "rateBp", t.flat_fen as "flatFen", t.window_days as "windowDays",
  t.hold_days as "holdDays", t.valid_from as "validFrom", t.valid_to as "validTo", t.created_by as "createdBy",
  t.created_at as "createdAt"`;

/** Ends the open version of a scope at an instant; answers it as it now stands, undefined where none was open before that instant. */
export async function closeOpenTerms(
  tx: Tx,
  scope: { brandId: string; scopeKey: string; endsAt: Date },
): Promise<TermsRow | undefined> {
  const { rows } = await tx.query<TermsRow>(CLOSE_OPEN_TERMS, [scope.brandId, scope.scopeKey, scope.endsAt]);
  return rows[0];
}

// The exclusion constraint is the referee of overlaps: no row comes back where another version of the scope holds part of the time.
const INSERT_TERMS = `
insert into terms (id, brand_id, scope_key, store_id, product_id, influencer_id, basis, rate_bp, flat_fen, window_days, hold_days,
  valid_from, valid_to, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict on constraint terms_no_overlap do nothing
returning terms.id as "termsId", terms.brand_id as "brandId", terms.store_id as "storeId", terms.product_id as "productId",
  terms.influencer_id as "influencerId", terms.basis, terms.rate_bp as "rateBp", terms.flat_fen as "flatFen",
  terms.window_days as "windowDays", terms.hold_days as "holdDays", terms.valid_from as "validFrom", terms.valid_to as "validTo",
  terms.created_by as "createdBy", terms.created_at as "createdAt"`;

/** Adds a version; undefined when it would overlap another version of its scope. */
export async function insertTerms(
  tx: Tx,
  terms: Omit<TermsRow, 'createdAt'> & { scopeKey: string },
): Promise<TermsRow | undefined> {
  const { rows } = await tx.query<TermsRow>(INSERT_TERMS, [
    terms.termsId,
    terms.brandId,
    terms.scopeKey,
    terms.storeId,
    terms.productId,
    terms.influencerId,
    terms.basis,
    terms.rateBp,
    terms.flatFen,
    terms.windowDays,
    terms.holdDays,
    terms.validFrom,
    terms.validTo,
    terms.createdBy,
  ]);
  return rows[0];
}

// Every version that may price a sale within the scopes: $1 all brands, $2 those that are read whole; stores and
// products are of the others, $6 to $8 are products by the keys they are registered under. $5 null does not narrow by influencer. The arms
// are served by terms_no_overlap (brand, scope), terms_store_idx, terms_product_idx (product_item_keys_pkey before it) and
// terms_no_overlap; no version is in two of them, and no product twice in its own.
const LIST_TERMS_OF_SCOPES = `
with t as (
  select b.id, b.brand_id, b.store_id, b.product_id, b.influencer_id, b.basis, b.rate_bp, b.flat_fen, b.window_days, b.hold_days,
    b.valid_from, b.valid_to, b.created_by, b.created_at
  from unnest($1::text[]) as input (brand_id)
  join terms b on b.brand_id = input.brand_id and b.scope_key = 'brand'
  union all
  select s.id, s.brand_id, s.store_id, s.product_id, s.influencer_id, s.basis, s.rate_bp, s.flat_fen, s.window_days, s.hold_days,
    s.valid_from, s.valid_to, s.created_by, s.created_at
  from terms s where s.store_id = any ($3::text[])
  union all
  select p.id, p.brand_id, p.store_id, p.product_id, p.influencer_id, p.basis, p.rate_bp, p.flat_fen, p.window_days, p.hold_days,
    p.valid_from, p.valid_to, p.created_by, p.created_at
  from (
    select n.product_id from unnest($4::text[]) as n (product_id)
    union
    select k.product_id
    from unnest($6::text[], $7::text[], $8::text[]) as item (brand_id, store_id, item_key)
    join product_item_keys k on k.brand_id = item.brand_id and k.store_id = item.store_id and k.item_key = item.item_key
  ) as sold
  join terms p on p.product_id = sold.product_id
  union all
  select w.id, w.brand_id, w.store_id, w.product_id, w.influencer_id, w.basis, w.rate_bp, w.flat_fen, w.window_days, w.hold_days,
    w.valid_from, w.valid_to, w.created_by, w.created_at
  from unnest($2::text[]) as whole (brand_id)
  join terms w on w.brand_id = whole.brand_id and w.scope_key <> 'brand'
)
select t.id as "termsId", t.brand_id as "brandId", t.store_id as "storeId", t.product_id as "productId",
  t.influencer_id as "influencerId", t.basis, t.rate_bp as "rateBp", t.flat_fen as "flatFen", t.window_days as "windowDays",
  t.hold_days as "holdDays", t.valid_from as "validFrom", t.valid_to as "validTo", t.created_by as "createdBy",
  t.created_at as "createdAt"
from t
where $5::text[] is null or t.influencer_id is null or t.influencer_id = any ($5::text[])`;

/** The part of a rate card to read. Without both lists of stores and products (or items) the brand is read whole. */
export interface RateCardScope {
  brandId: string;
  storeIds?: readonly string[];
  productIds?: readonly string[];
  /** Further products, by keys they may be registered under. */
  items?: readonly { storeId: string; itemKey: string }[];
}

/**
 * Every version of the brands' terms within the scopes, in no particular order.
 *
 * @param influencerIds  absent: of every influencer
 */
export async function listTermsOfScopes(
  db: Queryable,
  scopes: readonly RateCardScope[],
  influencerIds?: readonly string[],
): Promise<TermsRow[]> {
  const isWhole = ({ storeIds, productIds, items }: RateCardScope): boolean =>
    storeIds === undefined || (productIds ?? items) === undefined;
  const narrow = scopes.filter((scope) => !isWhole(scope));
  const items = narrow.flatMap(({ brandId, items: named = [] }) => named.map((item) => ({ brandId, ...item })));
  const { rows } = await db.query<TermsRow>({
    name: 'list_terms_of_scopes',
    text: LIST_TERMS_OF_SCOPES,
    values: arrayLiterals([
      scopes.map(({ brandId }) => brandId),
      scopes.filter(isWhole).map(({ brandId }) => brandId),
      narrow.flatMap(({ storeIds }) => storeIds ?? []),
      narrow.flatMap(({ productIds }) => productIds ?? []),
      influencerIds ?? null,
      items.map(({ brandId }) => brandId),
      items.map(({ storeId }) => storeId),
      items.map(({ itemKey }) => itemKey),
    ]),
  });
  return rows;
}

/** One version of a brand's matching policy and platform fee. */
export interface PolicyRow {
  brandId: string;
  inferred: 'pay' | 'review' | 'off';
  scope: 'product' | 'store';
  platformFeeBp: number;
  validFrom: Date;
  validTo: Date | null;
}

// Oldest first; versions never overlap (brand_policies_no_overlap, which also serves the lookup by brand).
const LIST_POLICIES = `
select p.brand_id as "brandId", p.inferred, p.scope, p.platform_fee_bp as "platformFeeBp", p.valid_from as "validFrom",
  p.valid_to as "validTo"
from unnest($1::text[]) as input (brand_id)
join brand_policies p on p.brand_id = input.brand_id
order by p.brand_id, p.valid_from`;

/** Every policy version of the brands, oldest first. */
export async function listPolicies(db: Queryable, brandIds: readonly string[]): Promise<PolicyRow[]> {
  const { rows } = await db.query<PolicyRow>({ name: 'list_policies', text: LIST_POLICIES, values: [brandIds] });
  return rows;
}

// The brand that owns the product or store of a scope, where the influencer exists; $4 confines a brand's key to its own
// brand, so another brand's product reads as absent. Served by the primary keys.
const FIND_SCOPE_OWNER = `
select b.id as "brandId"
from brands b
where ($4::text is null or b.id = $4)
  and ($5::text is null or b.id = $5)
  and ($1::text is null or exists (select 1 from products p where p.id = $1 and p.brand_id = b.id))
  and ($2::text is null or exists (select 1 from stores s where s.id = $2 and s.brand_id = b.id))
  and ($3::text is null or exists (select 1 from influencers i where i.id = $3))
  and b.id = coalesce((select p.brand_id from products p where p.id = $1), (select s.brand_id from stores s where s.id = $2), $5, $4)`;

/** The brand whose terms have this scope; undefined where a part of the scope does not exist for the caller. */
export async function findScopeOwner(
  db: Queryable,
  scope: {
    productId?: string | undefined;
    storeId?: string | undefined;
    influencerId?: string | undefined;
    brandScope: string | undefined;
    brandId?: string | undefined;
  },
): Promise<string | undefined> {
  const { productId, storeId, influencerId, brandScope, brandId } = scope;
  const { rows } = await db.query<{ brandId: string }>(FIND_SCOPE_OWNER, [
    productId ?? null,
    storeId ?? null,
    influencerId ?? null,
    brandScope ?? null,
    brandId ?? null,
  ]);
  return rows[0]?.brandId;
}

export interface TermsListQuery {
  /** The brand the caller is confined to. */
  brandScope: string | undefined;
  brandId: string | undefined;
  storeId: string | undefined;
  productId: string | undefined;
  influencerId: string | undefined;
  /** Of the last row of the page before; undefined for the first page. */
  after: { validFromMicros: bigint; termsId: string } | undefined;
  limit: number;
}

// Newest beginning first, ties by id; the cursor carries microseconds, so no version is skipped or repeated between pages.
const LIST_TERMS = `
select t.id as "termsId", t.brand_id as "brandId", t.store_id as "storeId", t.product_id as "productId",
  t.influencer_id as "influencerId", t.basis, t.rate_bp as "rateBp", t.flat_fen as "flatFen", t.window_days as "windowDays",
  t.hold_days as "holdDays", t.valid_from as "validFrom", t.valid_to as "validTo", t.created_by as "createdBy",
  t.created_at as "createdAt", (extract(epoch from t.valid_from) * 1000000)::bigint as "validFromMicros"
from terms t
where ($1::text is null or t.brand_id = $1)
  and ($2::text is null or t.store_id = $2)
  and ($3::text is null or t.product_id = $3)
  and ($4::text is null or t.influencer_id = $4)
  and ($5::text is null or t.brand_id = $5)
  and ($6::bigint is null or ((extract(epoch from t.valid_from) * 1000000)::bigint, t.id) < ($6, $7))
order by (extract(epoch from t.valid_from) * 1000000)::bigint desc, t.id desc
limit $8`;

/** A page of terms versions, newest beginning first. */
export async function listTerms(
  db: Queryable,
  query: TermsListQuery,
): Promise<(TermsRow & { validFromMicros: bigint })[]> {
  const { rows } = await db.query<TermsRow & { validFromMicros: bigint }>(LIST_TERMS, [
    query.brandId ?? null,
    query.storeId ?? null,
    query.productId ?? null,
    query.influencerId ?? null,
    query.brandScope ?? null,
    query.after?.validFromMicros ?? null,
    query.after?.termsId ?? null,
    query.limit,
  ]);
  return rows;
}
