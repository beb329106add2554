import assert from 'node:assert/strict';
import type { CommissionBasis } from '../../core/vocabulary.ts';
import type { Acting } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { newId } from '../../http/new-id.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { inRefusableTransaction, type Outcome } from '../../infra/refusal.ts';
import { closeOpenTerms, findScopeOwner, insertTerms, type TermsRow } from './queries.ts';

const DEFAULT_WINDOW_DAYS = 15;
const DEFAULT_HOLD_DAYS = 15;

/** What a version of terms covers. Nothing named: the whole brand. An influencer alone is not a scope. */
export interface TermsScope {
  storeId?: string | undefined;
  productId?: string | undefined;
  influencerId?: string | undefined;
}

/** A version of terms to add; the scope must exist in the brand, and one of store and product may be named, not both. */
export interface TermsInput {
  brandId: string;
  scope: TermsScope;
  rate: { rateBp: number } | { flatFen: bigint };
  basis?: CommissionBasis | undefined;
  windowDays?: number | undefined;
  holdDays?: number | undefined;
  /** Inclusive. */
  validFrom: Date;
  /** Exclusive; absent: until the next version of the scope. */
  validTo?: Date | undefined;
  /** The key that adds it. */
  createdBy: string;
}

/** `overlap`: another version of the scope holds a part of the time, also one that begins at the same instant. */
export type AddedTerms = Outcome<{ terms: TermsRow }, { reason: 'overlap' }>;

/** The conflict of an overlap in a sentence, for the problem that a route answers. */
export const OVERLAP_DETAIL =
  'these terms overlap another version of the same scope; choose a later validFrom or an earlier validTo';

/**
 * Adds a version of the terms of one scope and ends the open one where it begins.
 *
 * A version with an end inside an open one is an interruption: what held before holds again from `validTo`, as a version of its own, so a
 * promotion of three days does not leave the product without terms on the fourth.
 *
 * @returns the version as stored; after a refusal the caller rolls the transaction back, because the open version may be ended already
 */
export async function addTermsVersion(tx: Tx, input: TermsInput): Promise<AddedTerms> {
  const { brandId, scope } = input;
  assert(input.validTo === undefined || input.validTo > input.validFrom, 'terms end after they begin');
  const scopeKey = scopeKeyOf(scope);
  const interrupted = await closeOpenTerms(tx, { brandId, scopeKey, endsAt: input.validFrom });
  const terms = await insertTerms(tx, {
    termsId: newId('trm'),
    brandId,
    scopeKey,
    storeId: scope.storeId ?? null,
    productId: scope.productId ?? null,
    influencerId: scope.influencerId ?? null,
    basis: input.basis ?? 'order_amount',
    rateBp: 'rateBp' in input.rate ? input.rate.rateBp : null,
    flatFen: 'flatFen' in input.rate ? input.rate.flatFen : null,
    windowDays: input.windowDays ?? DEFAULT_WINDOW_DAYS,
    holdDays: input.holdDays ?? DEFAULT_HOLD_DAYS,
    validFrom: input.validFrom,
    validTo: input.validTo ?? null,
    createdBy: input.createdBy,
  });
  if (terms === undefined) return { ok: false, reason: 'overlap' };
  if (interrupted !== undefined && input.validTo !== undefined) {
    const resumed = { ...interrupted, scopeKey, termsId: newId('trm'), validFrom: input.validTo, validTo: null };
    if ((await insertTerms(tx, resumed)) === undefined) return { ok: false, reason: 'overlap' };
  }
  return { ok: true, terms };
}

/** The scope in one text, which the exclusion constraint compares. @throws AssertionError on an influencer alone, or store and product */
function scopeKeyOf(scope: TermsScope): string {
  assert(scope.storeId === undefined || scope.productId === undefined, 'terms cover a store or a product, not both');
  const place =
    scope.productId === undefined
      ? scope.storeId === undefined
        ? undefined
        : `store:${scope.storeId}`
      : `product:${scope.productId}`;
  if (scope.influencerId === undefined) return place ?? 'brand';
  assert(place !== undefined, 'terms of an influencer name a store or a product');
  return `influencer:${scope.influencerId}/${place}`;
}

/** A version to add by its scope; the brand is that of the scope, or of the caller, or the one named. */
export interface NewTerms extends Omit<TermsInput, 'brandId' | 'createdBy' | 'validFrom'> {
  brandId: string | undefined;
  /** Absent: now. */
  validFrom: Date | undefined;
}

export type TermsRefusal =
  /** Neither a brand nor anything of a brand is named. */
  | { reason: 'no_brand' }
  | { reason: 'begins_in_past' }
  | { reason: 'ends_before_it_begins' }
  /** A part of the scope does not exist for the caller. */
  | { reason: 'unknown_scope' }
  | { reason: 'overlap' };

/**
 * Adds a version of terms for a caller and records it. Only a caller with `mayBackdate` begins one in the past, which is audited as such.
 *
 * @param input.now  the instant that counts as the past's end
 */
export async function createTerms(
  db: Db,
  { actor, brandScope, mayBackdate }: Acting & { mayBackdate: boolean },
  { now, ...input }: NewTerms & { now: Date },
): Promise<Outcome<{ terms: TermsRow }, TermsRefusal>> {
  const { scope, validFrom = now, validTo } = input;
  if ((brandScope ?? input.brandId ?? scope.productId ?? scope.storeId) === undefined) {
    return { ok: false, reason: 'no_brand' };
  }
  const isPast = validFrom < now;
  if (isPast && !mayBackdate) return { ok: false, reason: 'begins_in_past' };
  if (validTo !== undefined && validTo <= validFrom) return { ok: false, reason: 'ends_before_it_begins' };
  return inRefusableTransaction(db, async (tx): Promise<Outcome<{ terms: TermsRow }, TermsRefusal>> => {
    const brandId = await findScopeOwner(tx, { ...scope, brandScope, brandId: input.brandId });
    if (brandId === undefined) return { ok: false, reason: 'unknown_scope' };
    const added = await addTermsVersion(tx, { ...input, brandId, validFrom, createdBy: actor });
    if (!added.ok) return added;
    const { basis, rateBp, flatFen, windowDays, holdDays, validTo: endsAt, termsId } = added.terms;
    await recordAudit(tx, {
      actor,
      action: isPast ? 'terms.backdated' : 'terms.added',
      brandId,
      objectId: termsId,
      detail: { scope, basis, rateBp, flatFen, windowDays, holdDays, validFrom, validTo: endsAt },
    });
    return added;
  });
}
