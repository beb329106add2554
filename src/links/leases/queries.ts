import type { Platform, SlotKind } from '../../core/vocabulary.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

export interface SlotRow {
  id: string;
  brandId: string;
  storeId: string;
  kind: SlotKind;
  externalId: string;
  influencerId: string;
  productId: string | null;
  validFrom: Date;
  validTo: Date | null;
  createdAt: Date;
}

export interface LeasePlace {
  brandId: string;
  platform: Platform;
}

// One row if the store belongs to the brand $2 (null: any), the influencer exists, and the product (if one is named) belongs to the store.
// Served by stores_id_idx, influencers_pkey and products_pkey.
const FIND_LEASE_PLACE = `
select s.brand_id as "brandId", s.platform
from stores s
join influencers i on i.id = $3
where s.id = $1 and ($2::text is null or s.brand_id = $2)
  and ($4::text is null or exists (select from products p where p.brand_id = s.brand_id and p.id = $4 and p.store_id = s.id))`;

/** The store of a lease; undefined where store, influencer and product do not exist together for the caller. */
export async function findLeasePlace(
  db: Queryable,
  lease: { storeId: string; scope: string | undefined; influencerId: string; productId: string | undefined },
): Promise<LeasePlace | undefined> {
  const values = [lease.storeId, lease.scope ?? null, lease.influencerId, lease.productId ?? null];
  const { rows } = await db.query<LeasePlace>({ name: 'find_lease_place', text: FIND_LEASE_PLACE, values });
  return rows[0];
}

// A slot belongs for ever to the influencer of its first lease; the foreign key of later leases refuses every other influencer.
const INSERT_SLOT_OWNER = `
insert into tracking_slot_owners (store_id, kind, external_id, influencer_id, brand_id) values ($1, $2, $3, $4, $5)
on conflict on constraint tracking_slot_owners_pkey do nothing`;

const INSERT_SLOT = `
insert into tracking_slots (id, brand_id, store_id, kind, external_id, influencer_id, product_id, valid_from, valid_to)
values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()), $9)
returning tracking_slots.id, tracking_slots.brand_id as "brandId", tracking_slots.store_id as "storeId", tracking_slots.kind,
  tracking_slots.external_id as "externalId", tracking_slots.influencer_id as "influencerId",
  tracking_slots.product_id as "productId", tracking_slots.valid_from as "validFrom", tracking_slots.valid_to as "validTo",
  tracking_slots.created_at as "createdAt"`;

export interface NewSlot {
  id: string;
  brandId: string;
  storeId: string;
  kind: SlotKind;
  externalId: string;
  influencerId: string;
  productId: string | undefined;
  /** Absent: from now on, by the clock of Postgres. */
  validFrom: Date | undefined;
  validTo: Date | undefined;
}

/**
 * Leases a slot.
 *
 * @throws DatabaseError of tracking_slots_owner_fkey (the slot of another influencer), tracking_slots_no_overlap, tracking_slots_range_check
 */
export async function insertSlot(tx: Tx, slot: NewSlot): Promise<SlotRow | undefined> {
  const { id, brandId, storeId, kind, externalId, influencerId, productId, validFrom, validTo } = slot;
  const owner = [storeId, kind, externalId, influencerId, brandId];
  await tx.query({ name: 'insert_slot_owner', text: INSERT_SLOT_OWNER, values: owner });
  const lease = [id, brandId, storeId, kind, externalId, influencerId];
  const values = [...lease, productId ?? null, validFrom ?? null, validTo ?? null];
  const { rows } = await tx.query<SlotRow>({ name: 'insert_slot', text: INSERT_SLOT, values });
  return rows[0];
}

// $3 is the brand of the caller's key, null for an admin. Served by tracking_slots_id_idx.
const END_SLOT = `
update tracking_slots
set valid_to = $2
where tracking_slots.id = $1 and ($3::text is null or tracking_slots.brand_id = $3)
returning tracking_slots.id, tracking_slots.brand_id as "brandId", tracking_slots.store_id as "storeId", tracking_slots.kind,
  tracking_slots.external_id as "externalId", tracking_slots.influencer_id as "influencerId",
  tracking_slots.product_id as "productId", tracking_slots.valid_from as "validFrom", tracking_slots.valid_to as "validTo",
  tracking_slots.created_at as "createdAt"`;

/** Sets the end of a lease; undefined where there is none, or it is not the caller's. @throws DatabaseError as `insertSlot` */
export async function endSlot(
  db: Queryable,
  { slotId, validTo, scope }: { slotId: string; validTo: Date; scope: string | undefined },
): Promise<SlotRow | undefined> {
  const { rows } = await db.query<SlotRow>({
    name: 'end_slot',
    text: END_SLOT,
    values: [slotId, validTo, scope ?? null],
  });
  return rows[0];
}

// In order of id, after $4. Served by tracking_slots_pkey (tracking_slots_id_idx for the whole list of an admin).
const LIST_SLOTS = `
select ts.id, ts.brand_id as "brandId", ts.store_id as "storeId", ts.kind, ts.external_id as "externalId",
  ts.influencer_id as "influencerId", ts.product_id as "productId", ts.valid_from as "validFrom", ts.valid_to as "validTo",
  ts.created_at as "createdAt"
from tracking_slots ts
where ($1::text is null or ts.brand_id = $1)
  and ($2::text is null or ts.store_id = $2)
  and ($3::text is null or ts.influencer_id = $3)
  and ($4::text is null or ts.id > $4)
order by ts.id
limit $5`;

export interface LeasePage {
  brandId: string | undefined;
  storeId: string | undefined;
  influencerId: string | undefined;
  afterId: string | undefined;
  limit: number;
}

export async function listSlots(db: Queryable, page: LeasePage): Promise<SlotRow[]> {
  const { brandId, storeId, influencerId, afterId, limit } = page;
  const values = [brandId ?? null, storeId ?? null, influencerId ?? null, afterId ?? null, limit];
  const { rows } = await db.query<SlotRow>({ text: LIST_SLOTS, values });
  return rows;
}

export interface CouponRow {
  id: string;
  brandId: string;
  storeId: string;
  /** In canonical spelling (`canonicalCoupon`). */
  code: string;
  influencerId: string;
  validFrom: Date;
  validTo: Date | null;
  createdAt: Date;
}

// A code belongs for ever to the influencer it was first registered for; the foreign key of later leases refuses every other influencer.
const INSERT_COUPON_OWNER = `
insert into coupon_owners (store_id, code, influencer_id, brand_id) values ($1, $2, $3, $4)
on conflict on constraint coupon_owners_pkey do nothing`;

const INSERT_COUPON = `
insert into coupons (id, brand_id, store_id, code, influencer_id, valid_from, valid_to)
values ($1, $2, $3, $4, $5, coalesce($6, now()), $7)
returning coupons.id, coupons.brand_id as "brandId", coupons.store_id as "storeId", coupons.code,
  coupons.influencer_id as "influencerId", coupons.valid_from as "validFrom", coupons.valid_to as "validTo",
  coupons.created_at as "createdAt"`;

export interface NewCoupon {
  id: string;
  brandId: string;
  storeId: string;
  code: string;
  influencerId: string;
  /** Absent: from now on, by the clock of Postgres. */
  validFrom: Date | undefined;
  validTo: Date | undefined;
}

/**
 * Registers a coupon code for an influencer.
 *
 * @throws DatabaseError of coupons_owner_fkey (the code of another influencer), coupons_no_overlap, coupons_range_check
 */
export async function insertCoupon(tx: Tx, coupon: NewCoupon): Promise<CouponRow | undefined> {
  const { id, brandId, storeId, code, influencerId, validFrom, validTo } = coupon;
  await tx.query({
    name: 'insert_coupon_owner',
    text: INSERT_COUPON_OWNER,
    values: [storeId, code, influencerId, brandId],
  });
  const values = [id, brandId, storeId, code, influencerId, validFrom ?? null, validTo ?? null];
  const { rows } = await tx.query<CouponRow>({ name: 'insert_coupon', text: INSERT_COUPON, values });
  return rows[0];
}

// $3 is the brand of the caller's key, null for an admin. Served by coupons_pkey.
const END_COUPON = `
update coupons
set valid_to = $2
where coupons.id = $1 and ($3::text is null or coupons.brand_id = $3)
returning coupons.id, coupons.brand_id as "brandId", coupons.store_id as "storeId", coupons.code,
  coupons.influencer_id as "influencerId", coupons.valid_from as "validFrom", coupons.valid_to as "validTo",
  coupons.created_at as "createdAt"`;

/** Sets the end of a coupon; undefined where there is none, or it is not the caller's. @throws DatabaseError as `insertCoupon` */
export async function endCoupon(
  db: Queryable,
  { couponId, validTo, scope }: { couponId: string; validTo: Date; scope: string | undefined },
): Promise<CouponRow | undefined> {
  const values = [couponId, validTo, scope ?? null];
  const { rows } = await db.query<CouponRow>({ name: 'end_coupon', text: END_COUPON, values });
  return rows[0];
}

// In order of id, after $4. Served by coupons_brand_idx (coupons_pkey for the whole list of an admin).
const LIST_COUPONS = `
select c.id, c.brand_id as "brandId", c.store_id as "storeId", c.code, c.influencer_id as "influencerId",
  c.valid_from as "validFrom", c.valid_to as "validTo", c.created_at as "createdAt"
from coupons c
where ($1::text is null or c.brand_id = $1)
  and ($2::text is null or c.store_id = $2)
  and ($3::text is null or c.influencer_id = $3)
  and ($4::text is null or c.id > $4)
order by c.id
limit $5`;

export async function listCoupons(db: Queryable, page: LeasePage): Promise<CouponRow[]> {
  const { brandId, storeId, influencerId, afterId, limit } = page;
  const values = [brandId ?? null, storeId ?? null, influencerId ?? null, afterId ?? null, limit];
  const { rows } = await db.query<CouponRow>({ text: LIST_COUPONS, values });
  return rows;
}
