import assert from 'node:assert/strict';
import { type CommissionRate, selectTerms, type TermsVersion } from '../../core/money/commission.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import type { Queryable, Tx } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import {
  closeOpenTerms,
  insertTerms,
  listPolicies,
  listTermsOfScopes,
  type PolicyRow,
  type RateCardScope,
  type TermsRow,
} from './queries.ts';
import { listSplits, listSplitsOfLinks, type SplitRow } from './split-queries.ts';

export type { RateCardScope } from './queries.ts';

export const DEFAULT_WINDOW_DAYS = 15;
export const DEFAULT_HOLD_DAYS = 15;

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
  basis?: 'order_amount' | 'platform_commission' | undefined;
  windowDays?: number | undefined;
  holdDays?: number | undefined;
  /** Inclusive. */
  validFrom: Date;
  /** Exclusive; absent: until the next version of the scope. */
  validTo?: Date | undefined;
  /** The key that asked for it. */
  createdBy: string;
}

/** The rule chosen for a sale, without the split: who shares is asked when the line is booked. */
export interface ChosenTerms {
  termsId: string;
  basis: 'order_amount' | 'platform_commission';
  rate: CommissionRate;
  windowDays: number;
  holdDays: number;
}

/** What a brand lets us infer, and the operator's fee. */
export interface BrandPolicy {
  inferred: 'pay' | 'review' | 'off';
  scope: 'product' | 'store';
  platformFeeBp: number;
}

/** A brand's rules as they stood and stand, read once and asked for many lines. */
export interface RateCard {
  /** The most specific version in force when the order was created, else the first later one; undefined: none covers the sale. */
  termsFor(sale: {
    createdAt: Date;
    storeId: string;
    productId: string;
    influencerId: string;
  }): ChosenTerms | undefined;
  /** The policy in force when the order was created; before the first version, the first. */
  policyAt(createdAt: Date): BrandPolicy;
}

/** A brand without any policy version: nothing inferred is paid without a person, and the operator takes no fee. */
const DEFAULT_POLICY: BrandPolicy = { inferred: 'review', scope: 'product', platformFeeBp: 0 };

/**
 * Adds a version of the terms of one scope and ends the open one where it begins.
 *
 * A version with an end inside an open one is an interruption: what held before holds again from `validTo`, as a version of its own, so a
 * promotion of three days does not leave the product without terms on the fourth.
 *
 * @returns the version as stored
 * @throws Problem `conflict` when it overlaps another version of the scope (also one that begins at the same instant)
 */
export async function addTermsVersion(tx: Tx, input: TermsInput): Promise<TermsRow> {
  const { brandId, scope } = input;
  assert(input.validTo === undefined || input.validTo > input.validFrom, 'terms end after they begin');
  const scopeKey = scopeKeyOf(scope);
  const interrupted = await closeOpenTerms(tx, { brandId, scopeKey, endsAt: input.validFrom });
  const added = await insertTerms(tx, {
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
  if (added === undefined) throw overlap();
  if (interrupted !== undefined && input.validTo !== undefined) {
    const resumed = { ...interrupted, scopeKey, termsId: newId('trm'), validFrom: input.validTo, validTo: null };
    if ((await insertTerms(tx, resumed)) === undefined) throw overlap();
  }
  return added;
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

function overlap(): Error {
  return problems.conflict(
    'these terms overlap another version of the same scope; choose a later validFrom or an earlier validTo',
  );
}

/**
 * Reads a brand's terms and policies, all of them or those that may concern the given stores, products and influencers.
 *
 * A narrowed book answers only for sales within its scope: for another store, product or influencer it may miss a more specific version.
 */
export async function getRateCard(
  db: Queryable,
  { influencerIds, ...scope }: RateCardScope & { influencerIds?: readonly string[] },
): Promise<RateCard> {
  const book = (await listRateCards(db, [scope], influencerIds)).get(scope.brandId);
  assert(book !== undefined, 'every brand asked about has a book');
  return book;
}

/** As `getRateCard` for several brands at once, each named by one scope; by brand id. */
export async function listRateCards(
  db: Queryable,
  scopes: readonly RateCardScope[],
  influencerIds?: readonly string[],
): Promise<Map<string, RateCard>> {
  if (scopes.length === 0) return new Map();
  const brandIds = scopes.map(({ brandId }) => brandId);
  const { terms, policies } = await pipelined(db, () => ({
    terms: listTermsOfScopes(db, scopes, influencerIds),
    policies: listPolicies(db, brandIds),
  }));
  const versionsOf = Map.groupBy(
    terms.map((row) => Object.assign(row, { rate: rateOf(row) })),
    ({ brandId }) => brandId,
  );
  const policiesOf = Map.groupBy(policies, ({ brandId }) => brandId);
  return new Map(brandIds.map((id) => [id, bookOf(versionsOf.get(id) ?? [], policiesOf.get(id) ?? [])]));
}

function bookOf(versions: readonly (TermsRow & { rate: CommissionRate })[], policies: readonly PolicyRow[]): RateCard {
  return {
    termsFor: (sale) => chosen(selectTerms<TermsRow & TermsVersion & { rate: CommissionRate }>(versions, sale)),
    policyAt: (createdAt) => policyAt(policies, createdAt),
  };
}

/** Who shares in the commissions of influencers, as asked at some instants; keyed by `splitKey`. */
export type Splits = ReadonlyMap<string, SplitRow>;

export function splitKey({ influencerId, at }: { influencerId: string; at: Date }): string {
  return `${influencerId} ${at.getTime()}`;
}

/** The payee and the agency of each influencer at each instant; every influencer must exist. */
export async function loadSplits(db: Queryable, asked: readonly { influencerId: string; at: Date }[]): Promise<Splits> {
  const questions = [...new Map(asked.map((each) => [splitKey(each), each])).values()];
  if (questions.length === 0) return new Map();
  const rows = await listSplits(db, questions);
  assert(rows.length === questions.length, 'every influencer exists');
  return new Map(
    questions.flatMap((each, place) => (rows[place] === undefined ? [] : [[splitKey(each), rows[place]]])),
  );
}

/** The same for those whom links credit, by the links' numbers; keyed by `splitKey` of the influencer. */
export async function loadSplitsOfLinks(
  db: Queryable,
  asked: readonly { linkNumber: number; at: Date }[],
): Promise<Splits> {
  const questions = [...new Map(asked.map((each) => [`${each.linkNumber} ${each.at.getTime()}`, each])).values()];
  if (questions.length === 0) return new Map();
  const rows = await listSplitsOfLinks(db, questions);
  return new Map(
    rows.flatMap(({ place, ...row }) => {
      const at = questions[place]?.at;
      return at === undefined ? [] : [[splitKey({ influencerId: row.influencerId, at }), row]];
    }),
  );
}

function chosen(version: (TermsRow & { rate: CommissionRate }) | undefined): ChosenTerms | undefined {
  if (version === undefined) return undefined;
  const { termsId, basis, rate, windowDays, holdDays } = version;
  return { termsId, basis, rate, windowDays, holdDays };
}

/** The rate of a stored version or of a line's frozen copy; both columns together hold exactly one (a check constraint). */
export function rateOf(row: { rateBp: number | null; flatFen: bigint | null }): CommissionRate {
  if (row.rateBp !== null) return { kind: 'rate', rateBp: row.rateBp };
  assert(row.flatFen !== null, 'terms hold a rate or a flat amount');
  return { kind: 'flat', flatFen: row.flatFen };
}

function policyAt(policies: readonly PolicyRow[], at: Date): BrandPolicy {
  const inForce = policies.find(({ validFrom, validTo }) => validFrom <= at && (validTo === null || at < validTo));
  const { inferred, scope, platformFeeBp } = inForce ?? policies[0] ?? DEFAULT_POLICY;
  return { inferred, scope, platformFeeBp };
}
