import { randomBytes } from 'node:crypto';
import type { AssessmentSource, OrderSource } from '../../core/vocabulary.ts';
import { actorOf } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { DEFAULT_ELIGIBILITY_RULE, checkEligibility } from '../../core/catalog/eligibility.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { seal } from '../../infra/secrets.ts';
import type { SealingKey } from '../../infra/secrets.ts';
import { newShopSecret } from '../../platforms/shop/verify.ts';
import { violatedConstraint } from '../../infra/failures.ts';
import { findStore, insertOpenedOn, insertRating, insertStore } from './queries.ts';
import type { NewStore, StoreRow } from './queries.ts';
import type { StoreInput } from './store-fields.ts';

export interface StoreDeps {
  db: Db;
  sealingKeys: readonly SealingKey[];
}

export interface StoreWithSecret {
  store: StoreRow;
  /** `whsec_…`; only its sealed form is kept. */
  webhookSecret: string;
}

const SHOP_SECRET_BYTES = 32;

/**
 * Registers a store with what is declared of its quality, and makes the secret its own shop system signs with.
 *
 * @throws Problem validation_failed (brandId or orderSource that do not fit), not_found (no such brand), store_already_registered
 */
export async function registerStore(
  deps: StoreDeps,
  principal: Principal,
  input: StoreInput,
): Promise<StoreWithSecret> {
  const { platform, externalShopId, name, rating, openedOn } = input;
  const brandId = brandOf(principal, input);
  refuseImpossibleRating(rating);
  const id = newId('str');
  const { webhookSecret, webhookSecretSealed } = newWebhookSecret(deps.sealingKeys);
  const orderSource = orderSourceOf(input);
  const row = {
    id,
    brandId,
    platform,
    externalShopId,
    name,
    orderSource,
    webhookSecretSealed,
    ...sealYouzan(deps, input),
  };
  const assessment = { storeId: id, brandId, source: sourceOf(principal), recordedBy: actorOf(principal) };
  try {
    const store = await inTransaction(deps.db, async (tx) => {
      if (!(await insertStore(tx, row))) throw problems.storeAlreadyRegistered();
      await insertRating(tx, { ...assessment, ...rating });
      await insertOpenedOn(tx, { ...assessment, openedOn });
      return await findStore(tx, { storeId: id, scope: undefined });
    });
    if (store === undefined) throw problems.notFound();
    return { store, webhookSecret };
  } catch (error) {
    throw violatedConstraint(error) === 'stores_brand_fkey' ? problems.notFound() : error;
  }
}

/** What a key's values count as. A marketplace's own values come with the clients that ask it (a later issue). */
export function sourceOf(principal: Principal): AssessmentSource {
  return principal.role === 'admin' ? 'admin' : 'declared';
}

/** @throws Problem validation_failed on a score above its scale, or a scale of 0 */
export function refuseImpossibleRating(rating: { score: string; scale: string }): void {
  const anyDay = '2000-01-01';
  const { reasons } = checkEligibility({ ...rating, openedOn: null }, DEFAULT_ELIGIBILITY_RULE, anyDay);
  const impossible = reasons.find((reason) => reason.code === 'invalid_rating');
  if (impossible !== undefined) throw problems.validationFailed([{ path: 'rating.score', message: impossible.detail }]);
}

/** A new secret for Standard Webhooks, and its sealed form. */
export function newWebhookSecret(sealingKeys: readonly SealingKey[]): {
  webhookSecret: string;
  webhookSecretSealed: Buffer;
} {
  const webhookSecret = newShopSecret(randomBytes(SHOP_SECRET_BYTES));
  return { webhookSecret, webhookSecretSealed: seal(sealingKeys, Buffer.from(webhookSecret, 'utf8')) };
}

function brandOf(principal: Principal, { brandId }: StoreInput): string {
  if (principal.brandId === undefined) {
    if (brandId !== undefined) return brandId;
    throw problems.validationFailed([{ path: 'brandId', message: 'an admin key must name the brand' }]);
  }
  if (brandId === undefined) return principal.brandId;
  throw problems.validationFailed([{ path: 'brandId', message: 'only an admin key may name the brand' }]);
}

/** One store, one source of money facts, and only one that its platform has. */
function orderSourceOf({ platform, orderSource, youzan }: StoreInput): OrderSource {
  const refuse = (path: string, message: string): Error => problems.validationFailed([{ path, message }]);
  if (youzan !== undefined && platform !== 'youzan')
    throw refuse('youzan', 'only a Youzan store has Youzan credentials');
  if (orderSource === undefined) return platform === 'youzan' ? 'youzan' : 'shop';
  if (orderSource === 'youzan' && platform !== 'youzan') throw refuse('orderSource', 'youzan is for Youzan stores');
  if (orderSource === 'tbk' && platform === 'youzan') throw refuse('orderSource', 'tbk is for Taobao and Tmall stores');
  return orderSource;
}

function sealYouzan(
  { sealingKeys }: StoreDeps,
  { youzan }: StoreInput,
): Pick<NewStore, 'youzanClientId' | 'youzanClientSecretSealed'> {
  if (youzan === undefined) return { youzanClientId: null, youzanClientSecretSealed: null };
  return {
    youzanClientId: youzan.clientId,
    youzanClientSecretSealed: seal(sealingKeys, Buffer.from(youzan.clientSecret, 'utf8')),
  };
}
