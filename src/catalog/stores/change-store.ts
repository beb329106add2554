import assert from 'node:assert/strict';
import type { AssessmentSource } from '../../core/vocabulary.ts';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { problems } from '../../http/problem.ts';
import { writeAudit } from '../../audit/queries.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Tx } from '../../infra/db.ts';
import { seal } from '../../infra/secrets.ts';
import { violatedConstraint } from '../../infra/failures.ts';
import { findStore, insertOpenedOn, insertRating, lockStore, updateStore } from './queries.ts';
import type { StoreRow } from './queries.ts';
import { newWebhookSecret, refuseImpossibleRating, sourceOf } from './register-store.ts';
import type { StoreDeps, StoreWithSecret } from './register-store.ts';
import type { StoreChangeInput } from './store-fields.ts';

/**
 * Changes a store; values not given stay. A rating or opening day that differs is added to the history, with its source.
 *
 * @throws Problem not_found; conflict when a brand would overwrite a value an admin or the platform gave; validation_failed;
 *   store_already_registered when a closed store is opened again and another took its shop id
 */
export async function changeStore(
  deps: StoreDeps,
  principal: Principal,
  storeId: string,
  input: StoreChangeInput,
): Promise<StoreRow> {
  const { name, status, youzan, rating, openedOn } = input;
  if (rating !== undefined) refuseImpossibleRating(rating);
  try {
    return await inTransaction(deps.db, async (tx) => {
      const before = await lockedStore(tx, principal, storeId);
      if (youzan !== undefined && before.platform !== 'youzan') {
        throw problems.validationFailed([{ path: 'youzan', message: 'only a Youzan store has Youzan credentials' }]);
      }
      if (rating !== undefined) await assessRating(tx, principal, { before, rating });
      if (openedOn !== undefined) await assessOpening(tx, principal, { before, openedOn });
      await updateStore(tx, storeId, {
        name,
        status,
        youzanClientId: youzan?.clientId,
        youzanClientSecretSealed:
          youzan === undefined ? undefined : seal(deps.sealingKeys, Buffer.from(youzan.clientSecret, 'utf8')),
      });
      await auditChange(tx, principal, { before, input });
      return await getStore(tx, storeId);
    });
  } catch (error) {
    throw violatedConstraint(error) === 'stores_active_shop_key' ? problems.storeAlreadyRegistered() : error;
  }
}

/** Replaces the secret of the store's own shop system; messages signed with the old one are refused from now on. @throws Problem not_found */
export async function rotateWebhookSecret(
  deps: StoreDeps,
  principal: Principal,
  storeId: string,
): Promise<StoreWithSecret> {
  const { webhookSecret, webhookSecretSealed } = newWebhookSecret(deps.sealingKeys);
  return await inTransaction(deps.db, async (tx) => {
    const { brandId } = await lockedStore(tx, principal, storeId);
    await updateStore(tx, storeId, { webhookSecretSealed });
    const actor = actorOf(principal);
    await writeAudit(tx, { actor, action: 'store.rotate_webhook_secret', brandId, subject: storeId, detail: {} });
    return { store: await getStore(tx, storeId), webhookSecret };
  });
}

async function lockedStore(tx: Tx, principal: Principal, storeId: string): Promise<StoreRow> {
  if (!(await lockStore(tx, { storeId, scope: brandScope(principal) }))) throw problems.notFound();
  return await getStore(tx, storeId);
}

async function getStore(tx: Tx, storeId: string): Promise<StoreRow> {
  const store = await findStore(tx, { storeId, scope: undefined });
  assert(store !== undefined, 'the store is locked by this transaction');
  return store;
}

interface RatingChange {
  before: StoreRow;
  rating: { score: string; scale: string };
}

async function assessRating(tx: Tx, principal: Principal, { before, rating }: RatingChange): Promise<void> {
  const source = sourceOf(principal);
  const isSame = before.score === rating.score && before.scale === rating.scale;
  if (!isNews({ source, isSame, kept: before.ratingSource, field: 'rating' })) return;
  await insertRating(tx, { ...assessmentOf(before, principal), ...rating });
}

interface OpeningChange {
  before: StoreRow;
  openedOn: string;
}

async function assessOpening(tx: Tx, principal: Principal, { before, openedOn }: OpeningChange): Promise<void> {
  const source = sourceOf(principal);
  const isSame = before.openedOn === openedOn;
  if (!isNews({ source, isSame, kept: before.openedOnSource, field: 'openedOn' })) return;
  await insertOpenedOn(tx, { ...assessmentOf(before, principal), openedOn });
}

/**
 * Whether a value adds to what is kept. An admin who states the declared value vouches for it, which is news; a brand that repeats a
 * value, whoever gave it, is not.
 *
 * @throws Problem conflict when a brand would overwrite what an admin or the platform gave
 */
function isNews(change: {
  source: AssessmentSource;
  isSame: boolean;
  kept: AssessmentSource | null;
  field: string;
}): boolean {
  const { source, isSame, kept, field } = change;
  if (source !== 'declared') return !isSame || kept !== source;
  if (isSame) return false;
  if (kept === null || kept === 'declared') return true;
  throw problems.conflict(
    `The ${field} was given by the ${kept === 'admin' ? 'operator' : 'platform'}; a brand cannot overwrite it.`,
  );
}

function assessmentOf(
  { id, brandId }: StoreRow,
  principal: Principal,
): { storeId: string; brandId: string; source: AssessmentSource; recordedBy: string } {
  return { storeId: id, brandId, source: sourceOf(principal), recordedBy: actorOf(principal) };
}

/** Names what was changed; credentials themselves are never written. */
async function auditChange(
  tx: Tx,
  principal: Principal,
  { before, input }: { before: StoreRow; input: StoreChangeInput },
): Promise<void> {
  const { youzan, ...rest } = input;
  const detail = youzan === undefined ? rest : { ...rest, youzanClientId: youzan.clientId };
  if (Object.keys(detail).length === 0) return;
  const actor = actorOf(principal);
  await writeAudit(tx, { actor, action: 'store.change', brandId: before.brandId, subject: before.id, detail });
}
