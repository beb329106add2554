import type { FallbackKind } from '../../core/vocabulary.ts';
import assert from 'node:assert/strict';
import type { Acting } from '../../access/principal.ts';
import { changesBetween, recordAudit } from '../../audit/record-audit.ts';
import { newId } from '../../http/new-id.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { inRefusableTransaction } from '../../infra/refusal.ts';
import type { Outcome } from '../../infra/refusal.ts';
import { checkBrandPage } from '../../platforms/destination.ts';
import {
  findBrand,
  insertBrand,
  insertFirstPolicy,
  lockBrand,
  renameBrand,
  replacePolicy,
  setVisitorSettings,
} from './queries.ts';
import type { BrandPolicy, BrandRow } from './queries.ts';

/** Level 6 of attribution also credits organic sales, so it only suggests until the brand decides otherwise. */
export const DEFAULT_POLICY: BrandPolicy = { inferred: 'review', scope: 'product', platformFeeBp: 0 };

export interface BrandInput {
  name?: string | undefined;
  matching?: Partial<Pick<BrandPolicy, 'inferred' | 'scope'>> | undefined;
  platformFeeBp?: number | undefined;
  fallbacks?: FallbackKind[] | undefined;
  pageUrl?: string | null | undefined;
}

export type BrandRefusal =
  | { reason: 'unknown_brand' }
  /** A brand itself may change only fallbacks and pageUrl. */
  | { reason: 'reserved_for_operator' }
  | { reason: 'page_refused'; code: 'platform_not_supported' | 'destination_not_allowed'; detail: string };
export type BrandOutcome = Outcome<{ brand: BrandRow }, BrandRefusal>;

/** Registers a brand with its first policy. */
export async function createBrand(
  db: Db,
  { actor }: Acting,
  input: BrandInput & { name: string },
): Promise<BrandOutcome> {
  const page = readPage(input.pageUrl);
  if (!page.ok) return page;
  const id = newId('brd');
  const { name, fallbacks = [] } = input;
  return await inRefusableTransaction(db, async (tx) => {
    const policy = policyAfter(DEFAULT_POLICY, input);
    const settings = { fallbacks, pageUrl: page.href ?? null };
    await insertBrand(tx, { id, name });
    await insertFirstPolicy(tx, { id: newId('pol'), brandId: id, createdBy: actor, ...policy });
    await setVisitorSettings(tx, { id, ...settings });
    const detail = { name, ...policy, ...settings };
    await recordAudit(tx, { actor, action: 'brand.created', brandId: id, objectId: id, detail });
    return { ok: true, brand: await getBrand(tx, id) };
  });
}

/**
 * Renames a brand, begins a new version of its policy, or sets where visitors of its dead links go; values that are not given stay. A policy
 * that does not change begins no version.
 */
export async function changeBrand(
  db: Db,
  { actor, brandScope }: Acting,
  brandId: string,
  input: BrandInput,
): Promise<BrandOutcome> {
  if (brandScope !== undefined && brandScope !== brandId) return { ok: false, reason: 'unknown_brand' };
  const { name, matching, platformFeeBp } = input;
  if (brandScope !== undefined && (name ?? matching ?? platformFeeBp) !== undefined)
    return { ok: false, reason: 'reserved_for_operator' };
  return await inRefusableTransaction(db, async (tx) => {
    if (!(await lockBrand(tx, brandId))) return { ok: false, reason: 'unknown_brand' };
    const page = readPage(input.pageUrl);
    if (!page.ok) return page;
    const before = await getBrand(tx, brandId);
    await saveFields(tx, { actor, before, after: { name, fallbacks: input.fallbacks, pageUrl: page.href } });
    await savePolicy(tx, { actor, before, after: policyAfter(before, input) });
    return { ok: true, brand: await getBrand(tx, brandId) };
  });
}

/** Writes the name and the settings for visitors where they differ. */
async function saveFields(
  tx: Tx,
  change: { actor: string; before: BrandRow; after: Pick<BrandInput, 'name' | 'fallbacks' | 'pageUrl'> },
): Promise<void> {
  const { actor, before, after } = change;
  const { id, name, fallbacks, pageUrl } = before;
  const changes = changesBetween({ name, fallbacks, pageUrl }, after);
  if (changes === undefined) return;
  const kept = { fallbacks, pageUrl, name, ...changes.after };
  if (kept.name !== name) await renameBrand(tx, { id, name: kept.name });
  if (changes.after.fallbacks !== undefined || changes.after.pageUrl !== undefined)
    await setVisitorSettings(tx, { id, fallbacks: kept.fallbacks, pageUrl: kept.pageUrl });
  await recordAudit(tx, { actor, action: 'brand.changed', brandId: id, objectId: id, detail: changes });
}

async function savePolicy(
  tx: Tx,
  { actor, before, after }: { actor: string; before: BrandRow; after: BrandPolicy },
): Promise<void> {
  const { id: brandId, inferred, scope, platformFeeBp } = before;
  const changes = changesBetween({ inferred, scope, platformFeeBp }, after);
  if (changes === undefined) return;
  await replacePolicy(tx, { id: newId('pol'), brandId, createdBy: actor, ...after });
  await recordAudit(tx, { actor, action: 'brand.policy_changed', brandId, objectId: brandId, detail: changes });
}

/** The brand's page as it is stored; null to take it away, undefined where it was not given. */
function readPage(url: string | null | undefined): Outcome<{ href: string | null | undefined }, BrandRefusal> {
  if (typeof url !== 'string') return { ok: true, href: url };
  const checked = checkBrandPage(url);
  if (checked.ok) return checked;
  return { ok: false, reason: 'page_refused', code: checked.code, detail: checked.detail };
}

function policyAfter(before: BrandPolicy, { matching, platformFeeBp }: BrandInput): BrandPolicy {
  return {
    inferred: matching?.inferred ?? before.inferred,
    scope: matching?.scope ?? before.scope,
    platformFeeBp: platformFeeBp ?? before.platformFeeBp,
  };
}

async function getBrand(tx: Tx, brandId: string): Promise<BrandRow> {
  const brand = await findBrand(tx, { brandId, scope: undefined });
  assert(brand !== undefined, 'the brand was written or locked in this transaction');
  return brand;
}
