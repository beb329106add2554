import { recordAudit } from '../audit/record-audit.ts';
import { newId } from '../http/new-id.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db, Tx } from '../infra/db.ts';
import type { Outcome } from '../infra/refusal.ts';
import { newApiKey } from './api-key.ts';
import type { Role } from './principal.ts';
import { insertKey, revokeKeyRow } from './queries.ts';
import type { KeyRow } from './queries.ts';

export interface KeyInput {
  role: Role;
  /** Required for `brand`; optional for `finance`, whose key then sees only that brand. */
  brandId?: string | undefined;
  /** Required for `influencer`. */
  influencerId?: string | undefined;
  label: string;
  expiresAt?: Date | undefined;
  /** The creator, for the audit log. */
  actor: string;
}

/** A field that does not fit the role, in words for the caller. */
export interface SubjectFault {
  path: 'brandId' | 'influencerId';
  message: string;
}

export type KeyCreation = Outcome<
  {
    row: KeyRow;
    /** The text of the key. It is stored nowhere, so this is the only time it can be shown. */
    key: string;
  },
  { reason: 'subject_does_not_fit'; faults: SubjectFault[] } | { reason: 'unknown_subject'; path: SubjectFault['path'] }
>;

/** Makes an API key and its audit entry in the caller's transaction. A refusal has written nothing. */
export async function createKey(tx: Tx, input: KeyInput): Promise<KeyCreation> {
  const { role, brandId, influencerId, label, expiresAt } = input;
  const faults = findSubjectFaults(input);
  if (faults.length > 0) return { ok: false, reason: 'subject_does_not_fit', faults };
  const { key, prefix, hash } = newApiKey(role);
  const row = await insertKey(tx, { id: newId('key'), role, brandId, influencerId, label, prefix, hash, expiresAt });
  if (row === undefined) {
    return { ok: false, reason: 'unknown_subject', path: influencerId === undefined ? 'brandId' : 'influencerId' };
  }
  await recordAudit(tx, {
    actor: input.actor,
    action: 'key.created',
    objectId: row.id,
    brandId,
    detail: { role, label, influencerId, prefix, expiresAt },
  });
  return { ok: true, row, key };
}

/** The rule of the check constraint api_keys_subject_check, in words. */
function findSubjectFaults({ role, brandId, influencerId }: KeyInput): SubjectFault[] {
  const faults: SubjectFault[] = [];
  const refuse = (path: SubjectFault['path'], message: string): void => void faults.push({ path, message });
  if (role === 'brand' && brandId === undefined) refuse('brandId', 'is needed for a brand key');
  if (brandId !== undefined && role !== 'brand' && role !== 'finance')
    refuse('brandId', 'does not belong to this role');
  if (role === 'influencer' && influencerId === undefined) refuse('influencerId', 'is needed for an influencer key');
  if (influencerId !== undefined && role !== 'influencer') refuse('influencerId', 'does not belong to this role');
  return faults;
}

/** Ends a key for good. A second call changes nothing and leaves no second audit entry. */
export async function revokeKey(
  db: Db,
  request: { id: string; actor: string },
): Promise<'revoked' | 'already_revoked' | 'unknown_key'> {
  return await inTransaction(db, async (tx) => {
    const revoked = await revokeKeyRow(tx, request.id);
    if (revoked === undefined) return 'unknown_key';
    if (!revoked.isNew) return 'already_revoked';
    await recordAudit(tx, {
      actor: request.actor,
      action: 'key.revoked',
      objectId: request.id,
      brandId: revoked.brandId,
      detail: {},
    });
    return 'revoked';
  });
}
