import type { Role } from '../core/vocabulary.ts';
import { newId } from '../http/new-id.ts';
import { problems } from '../http/problem.ts';
import { writeAudit } from '../audit/queries.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db, Tx } from '../infra/db.ts';
import { newApiKey } from './api-key.ts';
import { insertKey, revokeKeyRow } from './queries.ts';
import type { KeyRow } from './queries.ts';

export interface KeyInput {
  role: Role;
  /** Needed for `brand`; optional for `finance`, whose key then sees only that brand. */
  brandId?: string | undefined;
  /** Needed for `influencer`. */
  influencerId?: string | undefined;
  label: string;
  expiresAt?: Date | undefined;
  /** For the audit log: who creates it. */
  actor: string;
}

/**
 * Makes an API key and its audit entry, in the caller's transaction.
 *
 * @returns the row, and `key`: the only time it can be seen
 * @throws Problem validation_failed when role and subject do not fit, or the brand or influencer does not exist
 */
export async function createKey(tx: Tx, input: KeyInput): Promise<KeyRow & { key: string }> {
  const { role, brandId, influencerId, label, expiresAt } = input;
  assertSubjectFits(input);
  const { key, prefix, hash } = newApiKey(role);
  const row = await insertKey(tx, { id: newId('key'), role, brandId, influencerId, label, prefix, hash, expiresAt });
  if (row === undefined) {
    const path = influencerId === undefined ? 'brandId' : 'influencerId';
    throw problems.validationFailed([{ path, message: 'there is no such object' }]);
  }
  await writeAudit(tx, {
    actor: input.actor,
    action: 'key.create',
    subject: row.id,
    ...(brandId === undefined ? {} : { brandId }),
    detail: { role, label, influencerId, prefix, expiresAt },
  });
  return { ...row, key };
}

/** The same rule as the check constraint api_keys_subject_check, in words for the caller. */
function assertSubjectFits({ role, brandId, influencerId }: KeyInput): void {
  const errors: { path: string; message: string }[] = [];
  const refuse = (path: string, message: string): void => {
    errors.push({ path, message });
  };
  if (role === 'brand' && brandId === undefined) refuse('brandId', 'is needed for a brand key');
  if (brandId !== undefined && role !== 'brand' && role !== 'finance')
    refuse('brandId', 'does not belong to this role');
  if (role === 'influencer' && influencerId === undefined) refuse('influencerId', 'is needed for an influencer key');
  if (influencerId !== undefined && role !== 'influencer') refuse('influencerId', 'does not belong to this role');
  if (errors.length > 0) throw problems.validationFailed(errors);
}

/**
 * Ends a key for good; ending it again changes nothing.
 *
 * @throws Problem not_found when there is no such key
 */
export async function revokeKey(db: Db, request: { id: string; actor: string }): Promise<void> {
  await inTransaction(db, async (tx) => {
    const revoked = await revokeKeyRow(tx, request.id);
    if (revoked === undefined) throw problems.notFound();
    if (!revoked.isNew) return;
    await writeAudit(tx, {
      actor: request.actor,
      action: 'key.revoke',
      subject: request.id,
      ...(revoked.brandId === null ? {} : { brandId: revoked.brandId }),
      detail: {},
    });
  });
}
