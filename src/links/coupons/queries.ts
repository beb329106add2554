import type { Queryable, Tx } from '../../infra/db.ts';
import type { LeasePage } from '../tracking-slots/queries.ts';

export interface CouponRow {
  id: string;
  brandId: string;
  storeId: string;
  /** Canonical (core/coupon). */
  code: string;
  influencerId: string;
  validFrom: Date;
  validTo: Date | null;
  createdAt: Date;
}

// The first influencer a code was ever registered for keeps it; the foreign key of the lease then refuses every other.
const INSERT_OWNER = `
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
  /** Absent: from now on, by Postgres' clock. */
  validFrom: Date | undefined;
  validTo: Date | undefined;
}

/**
 * Registers a coupon code for an influencer.
 *
 * @throws DatabaseError of coupons_owner_fkey (another influencer's), coupons_no_overlap, coupons_range_check
 */
export async function insertCoupon(tx: Tx, coupon: NewCoupon): Promise<CouponRow | undefined> {
  const { id, brandId, storeId, code, influencerId, validFrom, validTo } = coupon;
  await tx.query({ name: 'insert_coupon_owner', text: INSERT_OWNER, values: [storeId, code, influencerId, brandId] });
  const values = [id, brandId, storeId, code, influencerId, validFrom ?? null, validTo ?? null];
  const { rows } = await tx.query<CouponRow>({ name: 'insert_coupon', text: INSERT_COUPON, values });
  return rows[0];
}

// $3 is the brand the caller is confined to, null for none. Served by coupons_id_idx.
const END_COUPON = `
update coupons
set valid_to = $2
where coupons.id = $1 and ($3::text is null or coupons.brand_id = $3)
returning coupons.id, coupons.brand_id as "brandId", coupons.store_id as "storeId", coupons.code,
  coupons.influencer_id as "influencerId", coupons.valid_from as "validFrom", coupons.valid_to as "validTo",
  coupons.created_at as "createdAt"`;

/** Sets the end of a coupon; undefined when there is none, or it is not the caller's. @throws DatabaseError as `insertCoupon` */
export async function endCoupon(
  db: Queryable,
  { couponId, validTo, scope }: { couponId: string; validTo: Date; scope: string | undefined },
): Promise<CouponRow | undefined> {
  const values = [couponId, validTo, scope ?? null];
  const { rows } = await db.query<CouponRow>({ name: 'end_coupon', text: END_COUPON, values });
  return rows[0];
}

// In order of id, after $4. Served by coupons_pkey (coupons_id_idx for an admin's whole list).
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
