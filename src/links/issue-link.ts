import assert from 'node:assert/strict';
import { MAX_CODE_ATTEMPTS, newCode, newId } from '../http/new-id.ts';
import { shanghaiDay } from '../core/calendar.ts';
import { checkEligibility } from '../core/catalog/eligibility.ts';
import type { EligibilityRule } from '../core/catalog/eligibility.ts';
import { checkAlias } from '../core/links/link-code.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db, Tx } from '../infra/db.ts';
import { findLink, findLinkOfPair, insertLink, insertLinkCode, lockPair } from './queries.ts';
import type { LinkKey, LinkRow, PairRow } from './queries.ts';

export interface IssueDeps {
  db: Db;
  now: () => Date;
  eligibilityRule: EligibilityRule;
  /** Makes a generated code; tests replace it to provoke collisions. */
  newCode?: () => string;
}

export interface LinkRequest {
  productId: string;
  influencerId: string;
  alias?: string | undefined;
}

export interface IneligibleReason {
  code: string;
  detail: string;
}

export type IssueRefusal =
  /** There is no such product or influencer. */
  | { reason: 'not_found' }
  /** For new links only, with every reason. */
  | { reason: 'store_not_eligible'; reasons: readonly IneligibleReason[] }
  | { reason: 'alias_malformed' | 'alias_reserved' | 'alias_taken'; alias: string };

export type IssueOutcome = { ok: true; isNew: boolean; link: LinkRow } | ({ ok: false } & IssueRefusal);

/** Thrown inside the transaction, so that it rolls back; `issueLink` turns it into an outcome. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly refusal: IssueRefusal;

  constructor(refusal: IssueRefusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

/**
 * Gives an influencer the link for a product: a new one, or the existing one of the pair, which stays valid whatever the store's state is. An
 * alias is added to it; an alias that the link already has changes nothing. A refusal writes nothing, not even the link without its alias.
 */
export async function issueLink(deps: IssueDeps, request: LinkRequest): Promise<IssueOutcome> {
  const { alias } = request;
  const check = alias === undefined ? undefined : checkAlias(alias);
  if (alias !== undefined && check?.ok === false) return { ok: false, reason: `alias_${check.reason}`, alias };
  try {
    return await inTransaction(deps.db, async (tx) => issueInTransaction(tx, deps, request));
  } catch (error) {
    if (error instanceof Refused) return { ok: false, ...error.refusal };
    throw error;
  }
}

/** @throws Refused */
async function issueInTransaction(tx: Tx, deps: IssueDeps, request: LinkRequest): Promise<IssueOutcome> {
  const existing = await findLinkOfPair(tx, request);
  const inserted = existing === undefined ? await insertNewLink(tx, deps, request) : undefined;
  // Neither found nor inserted: a concurrent request for the pair has just committed its link.
  const key = existing ?? inserted ?? (await findLinkOfPair(tx, request));
  assert(key !== undefined, 'links are never deleted');
  if (request.alias !== undefined) await addAlias(tx, key, request.alias);
  const link = await findLink(tx, { id: key.id, scope: undefined });
  assert(link !== undefined, 'every link has a code');
  return { ok: true, isNew: inserted !== undefined, link };
}

/** The reasons that forbid a new link for the pair; empty if there are none. An existing link only shows them as warnings. */
export function reasonsAgainst(
  pair: PairRow,
  { rule, today }: { rule: EligibilityRule; today: string },
): IneligibleReason[] {
  const reasons: IneligibleReason[] = [...checkEligibility(pair, rule, today).reasons];
  if (pair.storeStatus !== 'active') reasons.push({ code: 'store_closed', detail: 'The store is closed.' });
  if (pair.productStatus !== 'active') {
    const isPaused = pair.productStatus === 'paused';
    reasons.push({
      code: isPaused ? 'product_paused' : 'product_off_sale',
      detail: isPaused ? 'The product is paused.' : 'The product is off sale.',
    });
  }
  if (pair.influencerStatus !== 'active')
    reasons.push({ code: 'influencer_paused', detail: 'The influencer is paused.' });
  return reasons;
}

/** @returns undefined when a concurrent request inserted the link of the pair first. @throws Refused */
async function insertNewLink(
  tx: Tx,
  deps: IssueDeps,
  { productId, influencerId }: LinkRequest,
): Promise<LinkKey | undefined> {
  const pair = await lockPair(tx, { productId, influencerId });
  if (pair === undefined) throw new Refused({ reason: 'not_found' });
  const reasons = reasonsAgainst(pair, { rule: deps.eligibilityRule, today: shanghaiDay(deps.now()) });
  if (reasons.length > 0) throw new Refused({ reason: 'store_not_eligible', reasons });
  const link = { id: newId('lnk'), brandId: pair.brandId };
  if (!(await insertLink(tx, { ...link, productId, influencerId }))) return undefined;
  await insertCode(tx, link, deps.newCode ?? newCode);
  return link;
}

async function insertCode(tx: Tx, link: LinkKey, makeCode: () => string): Promise<void> {
  for (let attempt = 0; attempt < MAX_CODE_ATTEMPTS; attempt++) {
    if (await insertLinkCode(tx, { code: makeCode(), kind: 'code', link })) return;
  }
  assert.fail(`${MAX_CODE_ATTEMPTS} random link codes in a row were taken`);
}

/** @throws Refused where another link has the alias */
async function addAlias(tx: Tx, link: LinkKey, alias: string): Promise<void> {
  if (await insertLinkCode(tx, { code: alias, kind: 'alias', link })) return;
  const owner = await findLink(tx, { code: alias, scope: undefined });
  if (owner?.id !== link.id) throw new Refused({ reason: 'alias_taken', alias });
}
