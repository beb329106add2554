import { actorOf } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { writeAudit } from '../../infra/audit.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import { findBrand, insertBrand, insertFirstPolicy, lockBrand, renameBrand, replacePolicy } from './queries.ts';
import type { BrandPolicy, BrandRow } from './queries.ts';

/** Level 6 also credits organic sales, so it only suggests until the brand decides otherwise. */
export const DEFAULT_POLICY: BrandPolicy = { inferred: 'review', scope: 'product', platformFeeBp: 0 };

export interface BrandInput {
  name?: string | undefined;
  matching?: Partial<Pick<BrandPolicy, 'inferred' | 'scope'>> | undefined;
  platformFeeBp?: number | undefined;
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
    return await getBrand(tx, id);
  });
}

/**
 * Renames a brand, or begins a new version of its policy; values not given stay. A policy that does not change begins no version.
 *
 * @throws Problem not_found
 */
export async function changeBrand(db: Db, principal: Principal, brandId: string, input: BrandInput): Promise<BrandRow> {
  return await inTransaction(db, async (tx) => {
    if (!(await lockBrand(tx, brandId))) throw problems.notFound();
    const before = await getBrand(tx, brandId);
    if (input.name !== undefined) await renameBrand(tx, { id: brandId, name: input.name });
    const policy = policyAfter(before, input);
    if (!isSamePolicy(before, policy)) {
      const actor = actorOf(principal);
      await replacePolicy(tx, { id: newId('pol'), brandId, createdBy: actor, ...policy });
      await writeAudit(tx, { actor, action: 'brand.change_policy', brandId, subject: brandId, detail: { ...policy } });
    }
    return await getBrand(tx, brandId);
  });
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
