/**
 * Leases of the evidence by which orders name an influencer: tracking slots, which the platform's own order contains, and coupon codes. Each
 * belongs to one influencer for ever, because otherwise old evidence would credit the wrong one; only its leases begin and end.
 */
import { actorOf, brandScope, type Principal } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { canonicalCoupon } from '../../core/attribution/coupon.ts';
import type { SlotKind } from '../../core/vocabulary.ts';
import { newId } from '../../http/new-id.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { violatedConstraint } from '../../infra/failures.ts';
import { endCoupon, endSlot, findLeasePlace, insertCoupon, insertSlot } from './queries.ts';
import type { CouponRow, SlotRow } from './queries.ts';

export type LeaseRefusal =
  /** Store, influencer, product or lease does not exist for the caller. */
  | { reason: 'not_found' }
  /** The slot or code belongs to another influencer for ever. */
  | { reason: 'owned_by_another' }
  /** It is leased for a part of that time already. */
  | { reason: 'overlaps' }
  | { reason: 'invalid'; path: string; message: string };

export type LeaseOutcome<Lease> = { ok: true; lease: Lease } | ({ ok: false } & LeaseRefusal);

export interface SlotRequest {
  storeId: string;
  kind: SlotKind;
  externalId: string;
  influencerId: string;
  productId?: string | undefined;
  validFrom?: Date | undefined;
  validTo?: Date | undefined;
}

export interface CouponRequest {
  storeId: string;
  code: string;
  influencerId: string;
  validFrom?: Date | undefined;
  validTo?: Date | undefined;
}

const NOT_FOUND = { ok: false, reason: 'not_found' } as const;

function invalid(path: string, message: string) {
  return { ok: false, reason: 'invalid', path, message } as const;
}

/** Leases a tracking slot for a brand, or for an admin. */
export async function leaseSlot(db: Db, principal: Principal, request: SlotRequest): Promise<LeaseOutcome<SlotRow>> {
  const { storeId, kind, influencerId, productId, validFrom, validTo } = request;
  if (kind === 'adzone' && productId === undefined) return invalid('productId', 'an adzone is leased for one product');
  return refusedByConstraint(
    inTransaction(db, async (tx) => {
      const place = await findLeasePlace(tx, { storeId, scope: brandScope(principal), influencerId, productId });
      if (place === undefined) return NOT_FOUND;
      if ((kind === 'sls') !== (place.platform === 'youzan')) {
        return invalid('kind', 'sls is for Youzan stores, adzone and relation for Taobao and Tmall stores');
      }
      const externalId = kind === 'adzone' ? adzoneOf(request.externalId) : request.externalId;
      const slot = { id: newId('slt'), brandId: place.brandId, storeId, kind, externalId, influencerId, productId };
      const leased = await insertSlot(tx, { ...slot, validFrom, validTo });
      if (leased === undefined) return NOT_FOUND;
      await recordAudit(tx, {
        actor: actorOf(principal),
        action: 'tracking_slot.leased',
        brandId: place.brandId,
        objectId: leased.id,
        detail: {
          storeId,
          influencerId,
          kind,
          externalId,
          productId: productId ?? null,
          validFrom: leased.validFrom,
          validTo: leased.validTo,
        },
      });
      return { ok: true, lease: leased };
    }),
  );
}

/** Registers a coupon code for a brand, or for an admin. */
export async function registerCoupon(
  db: Db,
  principal: Principal,
  request: CouponRequest,
): Promise<LeaseOutcome<CouponRow>> {
  const { storeId, influencerId, validFrom, validTo } = request;
  const code = canonicalCoupon(request.code);
  if (code === undefined) {
    return invalid('code', 'must be 1 to 64 letters, digits, - and _, beginning with a letter or digit');
  }
  return refusedByConstraint(
    inTransaction(db, async (tx) => {
      const place = await findLeasePlace(tx, {
        storeId,
        scope: brandScope(principal),
        influencerId,
        productId: undefined,
      });
      if (place === undefined) return NOT_FOUND;
      const coupon = { id: newId('cpn'), brandId: place.brandId, storeId, code, influencerId };
      const leased = await insertCoupon(tx, { ...coupon, validFrom, validTo });
      if (leased === undefined) return NOT_FOUND;
      await recordAudit(tx, {
        actor: actorOf(principal),
        action: 'coupon.registered',
        brandId: place.brandId,
        objectId: leased.id,
        detail: { storeId, influencerId, code, validFrom: leased.validFrom, validTo: leased.validTo },
      });
      return { ok: true, lease: leased };
    }),
  );
}

interface EndDeps {
  db: Db;
  now: () => Date;
}

interface EndRequest {
  id: string;
  validTo: Date;
  principal: Principal;
}

/** Sets the end of a slot's lease, never in the past: what it credited until now stays credited. */
export async function endSlotLease(
  { db, now }: EndDeps,
  { id, validTo, principal }: EndRequest,
): Promise<LeaseOutcome<SlotRow>> {
  if (validTo < now()) return invalid('validTo', 'must not be in the past');
  return refusedByConstraint(
    inTransaction(db, async (tx) => {
      const moved = await endSlot(tx, { slotId: id, validTo, scope: brandScope(principal) });
      if (moved === undefined) return NOT_FOUND;
      const entry = { actor: actorOf(principal), brandId: moved.brandId, objectId: moved.id };
      await recordAudit(tx, { ...entry, action: 'tracking_slot.end_moved', detail: { validTo } });
      return { ok: true, lease: moved };
    }),
  );
}

/** Sets the end of a coupon, never in the past. */
export async function endCouponLease(
  { db, now }: EndDeps,
  { id, validTo, principal }: EndRequest,
): Promise<LeaseOutcome<CouponRow>> {
  if (validTo < now()) return invalid('validTo', 'must not be in the past');
  return refusedByConstraint(
    inTransaction(db, async (tx) => {
      const moved = await endCoupon(tx, { couponId: id, validTo, scope: brandScope(principal) });
      if (moved === undefined) return NOT_FOUND;
      const entry = { actor: actorOf(principal), brandId: moved.brandId, objectId: moved.id };
      await recordAudit(tx, { ...entry, action: 'coupon.end_moved', detail: { validTo } });
      return { ok: true, lease: moved };
    }),
  );
}

/** Orders contain only the adzone, which is the last number of a PID. */
function adzoneOf(externalId: string): string {
  return /^mm_\d+_\d+_(\d+)$/.exec(externalId)?.[1] ?? externalId;
}

/** Turns the refusal of a constraint into an outcome; rejects with any other error. */
async function refusedByConstraint<Lease>(lease: Promise<LeaseOutcome<Lease>>): Promise<LeaseOutcome<Lease>> {
  try {
    return await lease;
  } catch (error) {
    switch (violatedConstraint(error)) {
      case 'tracking_slots_owner_fkey':
      case 'coupons_owner_fkey':
        return { ok: false, reason: 'owned_by_another' };
      case 'tracking_slots_no_overlap':
      case 'coupons_no_overlap':
        return { ok: false, reason: 'overlaps' };
      case 'tracking_slots_range_check':
      case 'coupons_range_check':
        return invalid('validTo', 'must be after validFrom (which is now, where absent)');
      default:
        throw error;
    }
  }
}
