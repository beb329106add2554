import assert from 'node:assert/strict';
import type { Acting } from '../../access/principal.ts';
import { changesBetween, recordAudit } from '../../audit/record-audit.ts';
import type { Tx } from '../../infra/db.ts';
import { inRefusableTransaction } from '../../infra/refusal.ts';
import type { Outcome } from '../../infra/refusal.ts';
import { seal } from '../../infra/secrets.ts';
import { violatedConstraint } from '../../infra/failures.ts';
import { findStore, insertOpenedOn, insertRating, lockStore, updateStore } from './queries.ts';
import type { AssessmentSource, StoreRow } from './queries.ts';
import { findRatingFault, invalidField, newWebhookSecret, NOT_A_YOUZAN_STORE } from './register-store.ts';
import type { RegisteredStore, StoreActing, StoreDeps, StoreRefusal } from './register-store.ts';
import type { StoreChangeInput } from './store-fields.ts';

export type ChangedStore = Outcome<{ store: StoreRow }, StoreRefusal>;

/** Changes a store; values that are not given stay. A rating or opening day that differs is added to the history, with its source. */
export async function changeStore(
  deps: StoreDeps,
  acting: StoreActing,
  storeId: string,
  input: StoreChangeInput,
): Promise<ChangedStore> {
  const fault = input.rating === undefined ? undefined : findRatingFault(input.rating);
  if (fault !== undefined) return fault;
  try {
    return await inRefusableTransaction(deps.db, async (tx): Promise<ChangedStore> => {
      const before = await lockOwnStore(tx, acting, storeId);
      if (before === undefined) return { ok: false, reason: 'unknown_store' };
      if (input.youzan !== undefined && before.platform !== 'youzan') return invalidField('youzan', NOT_A_YOUZAN_STORE);
      const refusal = await recordAssessments(tx, acting, { before, input });
      if (refusal !== undefined) return refusal;
      await saveFields(tx, acting, { before, input });
      await saveCredentials(tx, acting, { before, input, deps });
      return { ok: true, store: await getStore(tx, storeId) };
    });
  } catch (error) {
    // A closed store is opened again, and another one took its shop id meanwhile.
    if (violatedConstraint(error) === 'stores_active_shop_key') return { ok: false, reason: 'already_registered' };
    throw error;
  }
}

/** Replaces the secret of the store's own shop system; messages signed with the old one are refused from now on. */
export async function rotateWebhookSecret(deps: StoreDeps, acting: Acting, storeId: string): Promise<RegisteredStore> {
  const { webhookSecret, webhookSecretSealed } = newWebhookSecret(deps.sealingKeys);
  return await inRefusableTransaction(deps.db, async (tx) => {
    const store = await lockOwnStore(tx, acting, storeId);
    if (store === undefined) return { ok: false, reason: 'unknown_store' };
    await updateStore(tx, storeId, { webhookSecretSealed });
    const entry = { actor: acting.actor, brandId: store.brandId, objectId: storeId };
    await recordAudit(tx, { ...entry, action: 'store.webhook_secret_rotated', detail: {} });
    return { ok: true, store: await getStore(tx, storeId), webhookSecret };
  });
}

async function lockOwnStore(tx: Tx, { brandScope }: Acting, storeId: string): Promise<StoreRow | undefined> {
  if (!(await lockStore(tx, { storeId, scope: brandScope }))) return undefined;
  return await getStore(tx, storeId);
}

async function getStore(tx: Tx, storeId: string): Promise<StoreRow> {
  const store = await findStore(tx, { storeId, scope: undefined });
  assert(store !== undefined, 'the store is locked by this transaction');
  return store;
}

interface Change {
  before: StoreRow;
  input: StoreChangeInput;
}

type Refused = { ok: false } & StoreRefusal;

/** Adds the rating and the opening day to the store's history where they are news. */
async function recordAssessments(tx: Tx, acting: StoreActing, { before, input }: Change): Promise<Refused | undefined> {
  const { id: storeId, brandId } = before;
  const { actor, source } = acting;
  const { rating, openedOn } = input;
  const assessment = { storeId, brandId, source, recordedBy: actor };
  const entry = { actor, brandId, objectId: storeId };
  if (rating !== undefined) {
    const isSame = before.score === rating.score && before.scale === rating.scale;
    const news = newsOf({ source, isSame, kept: before.ratingSource });
    if (news === 'outranked') return outranked('rating', before.ratingSource);
    if (news === 'new') {
      await insertRating(tx, { ...assessment, ...rating });
      await recordAudit(tx, { ...entry, action: 'store.rating_recorded', detail: { ...rating, source } });
    }
  }
  if (openedOn !== undefined) {
    const news = newsOf({ source, isSame: before.openedOn === openedOn, kept: before.openedOnSource });
    if (news === 'outranked') return outranked('openedOn', before.openedOnSource);
    if (news === 'new') {
      await insertOpenedOn(tx, { ...assessment, openedOn });
      await recordAudit(tx, { ...entry, action: 'store.opening_recorded', detail: { openedOn, source } });
    }
  }
  return undefined;
}

/**
 * Whether a value adds to the history. An operator who repeats a declared value vouches for it, which is news; a brand that repeats a value
 * adds nothing, whichever source gave it.
 */
function newsOf(value: {
  source: AssessmentSource;
  isSame: boolean;
  kept: AssessmentSource | null;
}): 'new' | 'known' | 'outranked' {
  const { source, isSame, kept } = value;
  if (source !== 'declared') return isSame && kept === source ? 'known' : 'new';
  if (isSame) return 'known';
  return kept === null || kept === 'declared' ? 'new' : 'outranked';
}

function outranked(field: 'rating' | 'openedOn', kept: AssessmentSource | null): Refused {
  assert(kept !== null, 'only a value with a source outranks another one');
  return { ok: false, reason: 'outranked', field, source: kept };
}

async function saveFields(tx: Tx, { actor }: Acting, { before, input }: Change): Promise<void> {
  const { id, brandId, name, status } = before;
  const changes = changesBetween({ name, status }, { name: input.name, status: input.status });
  if (changes === undefined) return;
  await updateStore(tx, id, changes.after);
  await recordAudit(tx, { actor, action: 'store.changed', brandId, objectId: id, detail: changes });
}

/** Replaces the Youzan credentials. The audit log names the client id and never the secret. */
async function saveCredentials(
  tx: Tx,
  { actor }: Acting,
  { before, input, deps }: Change & { deps: StoreDeps },
): Promise<void> {
  if (input.youzan === undefined) return;
  const { id, brandId } = before;
  const { clientId: youzanClientId, clientSecret } = input.youzan;
  const youzanClientSecretSealed = seal(deps.sealingKeys, Buffer.from(clientSecret, 'utf8'));
  await updateStore(tx, id, { youzanClientId, youzanClientSecretSealed });
  const detail = { youzanClientId };
  await recordAudit(tx, { actor, action: 'store.credentials_replaced', brandId, objectId: id, detail });
}
