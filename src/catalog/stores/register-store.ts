import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Acting } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { DEFAULT_ELIGIBILITY_RULE, checkEligibility } from '../../core/catalog/eligibility.ts';
import { newId } from '../../http/new-id.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { inRefusableTransaction } from '../../infra/refusal.ts';
import type { Outcome } from '../../infra/refusal.ts';
import { seal } from '../../infra/secrets.ts';
import type { SealingKey } from '../../infra/secrets.ts';
import { newShopSecret } from '../../platforms/shop/verify.ts';
import { violatedConstraint } from '../../infra/failures.ts';
import { findStore, insertOpenedOn, insertRating, insertStore } from './queries.ts';
import type { AssessmentSource, NewStore, OrderSource, StoreRow } from './queries.ts';
import type { StoreInput } from './store-fields.ts';

export interface StoreDeps {
  db: Db;
  sealingKeys: readonly SealingKey[];
}

/** The acting party, and the weight of the rating and opening day that it gives. */
export interface StoreActing extends Acting {
  source: AssessmentSource;
}

export type StoreRefusal =
  | { reason: 'unknown_brand' }
  | { reason: 'unknown_store' }
  /** An active store, of whichever brand, has the same platform and shop id. */
  | { reason: 'already_registered' }
  | { reason: 'invalid_field'; path: string; message: string }
  /** A brand cannot overwrite a value that the operator or the platform gave. */
  | { reason: 'outranked'; field: 'rating' | 'openedOn'; source: AssessmentSource };

interface InvalidField {
  ok: false;
  reason: 'invalid_field';
  path: string;
  message: string;
}

export type RegisteredStore = Outcome<
  {
    store: StoreRow;
    /** `whsec_…`; only its sealed form is stored. */
    webhookSecret: string;
  },
  StoreRefusal
>;

const SHOP_SECRET_BYTES = 32;

/** Registers a store with its declared rating and opening day, and makes the secret that its own shop system signs with. */
export async function registerStore(
  deps: StoreDeps,
  acting: StoreActing,
  input: Omit<StoreInput, 'brandId'> & { brandId: string },
): Promise<RegisteredStore> {
  const { brandId, platform, externalShopId, name } = input;
  const fault = findRatingFault(input.rating);
  if (fault !== undefined) return fault;
  const chosen = chooseOrderSource(input);
  if (!chosen.ok) return chosen;
  const { orderSource } = chosen;
  const { webhookSecret, webhookSecretSealed } = newWebhookSecret(deps.sealingKeys);
  const facts = { platform, externalShopId, name, orderSource };
  const row = { id: newId('str'), brandId, ...facts, webhookSecretSealed, ...sealYouzan(deps, input) };
  try {
    return await inRefusableTransaction(deps.db, async (tx) => {
      if (!(await insertStore(tx, row))) return { ok: false, reason: 'already_registered' };
      await insertFirstAssessments(tx, acting, { row, input });
      const store = await findStore(tx, { storeId: row.id, scope: undefined });
      assert(store !== undefined, 'the store was written in this transaction');
      return { ok: true, store, webhookSecret };
    });
  } catch (error) {
    if (violatedConstraint(error) === 'stores_brand_fkey') return { ok: false, reason: 'unknown_brand' };
    throw error;
  }
}

async function insertFirstAssessments(
  tx: Tx,
  { actor, source }: StoreActing,
  { row, input }: { row: NewStore; input: Pick<StoreInput, 'rating' | 'openedOn'> },
): Promise<void> {
  const { id, brandId, platform, externalShopId, name, orderSource, youzanClientId } = row;
  const { rating, openedOn } = input;
  const assessment = { storeId: id, brandId, source, recordedBy: actor };
  await insertRating(tx, { ...assessment, ...rating });
  await insertOpenedOn(tx, { ...assessment, openedOn });
  const facts = { platform, externalShopId, name, orderSource, youzanClientId };
  const detail = { ...facts, ...rating, openedOn, source };
  await recordAudit(tx, { actor, action: 'store.registered', brandId, objectId: id, detail });
}

/** A score above its scale, or a scale of 0. */
export function findRatingFault(rating: { score: string; scale: string }): InvalidField | undefined {
  const anyDay = '2000-01-01';
  const { reasons } = checkEligibility({ ...rating, openedOn: null }, DEFAULT_ELIGIBILITY_RULE, anyDay);
  const impossible = reasons.find((reason) => reason.code === 'invalid_rating');
  return impossible === undefined ? undefined : invalidField('rating.score', impossible.detail);
}

export function invalidField(path: string, message: string): InvalidField {
  return { ok: false, reason: 'invalid_field', path, message };
}

/** A new secret for Standard Webhooks, and its sealed form. */
export function newWebhookSecret(sealingKeys: readonly SealingKey[]): {
  webhookSecret: string;
  webhookSecretSealed: Buffer;
} {
  const webhookSecret = newShopSecret(randomBytes(SHOP_SECRET_BYTES));
  return { webhookSecret, webhookSecretSealed: seal(sealingKeys, Buffer.from(webhookSecret, 'utf8')) };
}

export const NOT_A_YOUZAN_STORE = 'only a Youzan store has Youzan credentials';

/** A store has exactly one source of orders, and only one that its platform offers. */
function chooseOrderSource(
  input: Pick<StoreInput, 'platform' | 'orderSource' | 'youzan'>,
): { ok: true; orderSource: OrderSource } | InvalidField {
  const { platform, orderSource, youzan } = input;
  const isYouzan = platform === 'youzan';
  if (youzan !== undefined && !isYouzan) return invalidField('youzan', NOT_A_YOUZAN_STORE);
  if (orderSource === undefined) return { ok: true, orderSource: isYouzan ? 'youzan' : 'shop' };
  if (orderSource === 'youzan' && !isYouzan) return invalidField('orderSource', 'youzan is for Youzan stores');
  if (orderSource === 'tbk' && isYouzan) return invalidField('orderSource', 'tbk is for Taobao and Tmall stores');
  return { ok: true, orderSource };
}

function sealYouzan(
  { sealingKeys }: StoreDeps,
  { youzan }: Pick<StoreInput, 'youzan'>,
): Pick<NewStore, 'youzanClientId' | 'youzanClientSecretSealed'> {
  if (youzan === undefined) return { youzanClientId: null, youzanClientSecretSealed: null };
  return {
    youzanClientId: youzan.clientId,
    youzanClientSecretSealed: seal(sealingKeys, Buffer.from(youzan.clientSecret, 'utf8')),
  };
}
