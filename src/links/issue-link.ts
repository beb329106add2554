import assert from 'node:assert/strict';
import { MAX_CODE_ATTEMPTS, newCode, newId } from '../http/new-id.ts';
import { shanghaiDay } from '../core/calendar.ts';
import { checkEligibility } from '../core/catalog/eligibility.ts';
import type { EligibilityRule } from '../core/catalog/eligibility.ts';
import { checkAlias } from '../core/links/link-code.ts';
import { problems } from '../http/problem.ts';
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

/**
 * Gives an influencer the link for a product: a new one, or the one the pair has, which stays valid whatever became of the store. An
 * alias is added to it.
 *
 * @throws Problem not_found (product, influencer); store_not_eligible with every reason (new links only); validation_failed,
 *   alias_reserved, alias_taken. On any of them nothing is written, not even the link without its alias.
 */
export async function issueLink(deps: IssueDeps, request: LinkRequest): Promise<{ isNew: boolean; link: LinkRow }> {
  if (request.alias !== undefined) refuseBadAlias(request.alias);
  return await inTransaction(deps.db, async (tx) => {
    const kept = await findLinkOfPair(tx, request);
    const inserted = kept === undefined ? await insertNewLink(tx, deps, request) : undefined;
    // Absent from both: a concurrent request for the pair has just committed its link.
    const key = kept ?? inserted ?? (await findLinkOfPair(tx, request));
    assert(key !== undefined, 'links are never deleted');
    if (request.alias !== undefined) await addAlias(tx, key, request.alias);
    const link = await findLink(tx, { id: key.id, scope: undefined });
    assert(link !== undefined, 'every link has a code');
    return { isNew: inserted !== undefined, link };
  });
}

/** What stands against a new link for the pair; against an existing one it is only shown. Empty: nothing. */
export function reasonsAgainst(
  pair: PairRow,
  { rule, today }: { rule: EligibilityRule; today: string },
): { code: string; detail: string }[] {
  const reasons: { code: string; detail: string }[] = [...checkEligibility(pair, rule, today).reasons];
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

/** @returns undefined when a concurrent request got the pair first */
async function insertNewLink(
  tx: Tx,
  deps: IssueDeps,
  { productId, influencerId }: LinkRequest,
): Promise<LinkKey | undefined> {
  const pair = await lockPair(tx, { productId, influencerId });
  if (pair === undefined) throw problems.notFound();
  const reasons = reasonsAgainst(pair, { rule: deps.eligibilityRule, today: shanghaiDay(deps.now()) });
  if (reasons.length > 0) throw problems.storeNotEligible(reasons);
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

function refuseBadAlias(alias: string): void {
  const check = checkAlias(alias);
  if (check.ok) return;
  if (check.reason === 'reserved') throw problems.aliasReserved(alias);
  const message = 'must be 4 to 32 of a-z, 0-9 and -, with a letter or digit at both ends';
  throw problems.validationFailed([{ path: 'alias', message }]);
}

/** Asking again for an alias the link already has is no fault. */
async function addAlias(tx: Tx, link: LinkKey, alias: string): Promise<void> {
  if (await insertLinkCode(tx, { code: alias, kind: 'alias', link })) return;
  const owner = await findLink(tx, { code: alias, scope: undefined });
  if (owner?.id !== link.id) throw problems.aliasTaken(alias);
}
