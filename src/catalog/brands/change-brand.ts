import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { writeAudit } from '../../audit/queries.ts';
import { inTransaction } from '../../infra/db.ts';
import type { FallbackKind } from '../../core/links/landing-mode.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { checkBrandPage } from '../../platforms/brand-page.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
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

/** Level 6 also credits organic sales, so it only suggests until the brand decides otherwise. */
export const DEFAULT_POLICY: BrandPolicy = { inferred: 'review', scope: 'product', platformFeeBp: 0 };

export interface BrandInput {
  name?: string | undefined;
  matching?: Partial<Pick<BrandPolicy, 'inferred' | 'scope'>> | undefined;
  platformFeeBp?: number | undefined;
  fallbacks?: FallbackKind[] | undefined;
  pageUrl?: string | null | undefined;
}

/** Registers a brand with its first policy. */
export async function createBrand(
  db: Db,
  principal: Principal,
  input: BrandInput & { name: string },
): Promise<BrandRow> {
  const id = newId('brd');
  return await inTransaction(db, async (tx) => {
    await insertBrand(tx, { id, name: input.name });
    const policy = {
      id: newId('pol'),
      brandId: id,
      createdBy: actorOf(principal),
      ...policyAfter(DEFAULT_POLICY, input),
    };
    await insertFirstPolicy(tx, policy);
    await saveVisitorSettings(tx, { id, fallbacks: [], pageUrl: null }, input);
    return await getBrand(tx, id);
  });
}

/**
 * Renames a brand, begins a new version of its policy, or sets where visitors of its dead links go; values not given stay. A policy that does
 * not change begins no version. A brand itself may change only the last.
 *
 * @throws Problem not_found, forbidden; platform_not_supported, destination_not_allowed (the page)
 */
export async function changeBrand(db: Db, principal: Principal, brandId: string, input: BrandInput): Promise<BrandRow> {
  const scope = brandScope(principal);
  if (scope !== undefined && scope !== brandId) throw problems.notFound();
  const { name, matching, platformFeeBp } = input;
  if (scope !== undefined && (name ?? matching ?? platformFeeBp) !== undefined)
    throw problems.forbidden('A brand itself may change only fallbacks and pageUrl.');
  return await inTransaction(db, async (tx) => {
    if (!(await lockBrand(tx, brandId))) throw problems.notFound();
    const before = await getBrand(tx, brandId);
    if (input.name !== undefined) await renameBrand(tx, { id: brandId, name: input.name });
    await saveVisitorSettings(tx, before, input);
    const policy = policyAfter(before, input);
    if (!isSamePolicy(before, policy)) {
      const actor = actorOf(principal);
      await replacePolicy(tx, { id: newId('pol'), brandId, createdBy: actor, ...policy });
      await writeAudit(tx, { actor, action: 'brand.change_policy', brandId, subject: brandId, detail: { ...policy } });
    }
    return await getBrand(tx, brandId);
  });
}

/** Writes nothing where nothing was given. @throws Problem platform_not_supported, destination_not_allowed */
async function saveVisitorSettings(
  tx: Tx,
  before: Pick<BrandRow, 'id' | 'fallbacks' | 'pageUrl'>,
  { fallbacks = before.fallbacks, pageUrl }: BrandInput,
): Promise<void> {
  if (fallbacks === before.fallbacks && pageUrl === undefined) return;
  const href = typeof pageUrl === 'string' ? brandPageOf(pageUrl) : pageUrl;
  const page = href === undefined ? before.pageUrl : href;
  await setVisitorSettings(tx, { id: before.id, fallbacks, pageUrl: page });
}

function brandPageOf(url: string): string {
  const checked = checkBrandPage(url);
  if (checked.ok) return checked.href;
  const { code, detail } = checked;
  throw code === 'platform_not_supported'
    ? problems.platformNotSupported(detail)
    : problems.destinationNotAllowed(detail);
}

function policyAfter(before: BrandPolicy, { matching, platformFeeBp }: BrandInput): BrandPolicy {
  return {
    inferred: matching?.inferred ?? before.inferred,
    scope: matching?.scope ?? before.scope,
    platformFeeBp: platformFeeBp ?? before.platformFeeBp,
  };
}

function isSamePolicy(a: BrandPolicy, b: BrandPolicy): boolean {
  return a.inferred === b.inferred && a.scope === b.scope && a.platformFeeBp === b.platformFeeBp;
}

async function getBrand(tx: Tx, brandId: string): Promise<BrandRow> {
  const brand = await findBrand(tx, { brandId, scope: undefined });
  if (brand === undefined) throw problems.notFound();
  return brand;
}
