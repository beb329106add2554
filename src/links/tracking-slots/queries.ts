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

// One row if the store is the caller's ($2, null for none), the influencer exists, and the product (if named) is one of the store.
// Served by stores_id_idx, influencers_pkey and products_pkey.
const FIND_LEASE_PLACE = `
select s.brand_id as "brandId", s.platform
from stores s
join influencers i on i.id = $3
where s.id = $1 and ($2::text is null or s.brand_id = $2)
  and ($4::text is null or exists (select from products p where p.brand_id = s.brand_id and p.id = $4 and p.store_id = s.id))`;

/** Where something may be leased; undefined when store, influencer or product do not exist together for the caller. */
export async function findLeasePlace(
  db: Queryable,
  lease: { storeId: string; scope: string | undefined; influencerId: string; productId: string | undefined },
): Promise<LeasePlace | undefined> {
  const values = [lease.storeId, lease.scope ?? null, lease.influencerId, lease.productId ?? null];
  const { rows } = await db.query<LeasePlace>({ name: 'find_lease_place', text: FIND_LEASE_PLACE, values });
  return rows[0];
}

// The first influencer a slot was ever leased to keeps it; the foreign key of the lease then refuses every other.
const INSERT_OWNER = `
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
  /** Absent: from now on, by Postgres' clock. */
  validFrom: Date | undefined;
  validTo: Date | undefined;
}

/**
 * Leases a slot.
 *
 * @throws DatabaseError of tracking_slots_owner_fkey (another influencer's), tracking_slots_no_overlap, tracking_slots_range_check
 */
export async function insertSlot(tx: Tx, slot: NewSlot): Promise<SlotRow | undefined> {
  const { id, brandId, storeId, kind, externalId, influencerId, productId, validFrom, validTo } = slot;
  const owner = [storeId, kind, externalId, influencerId, brandId];
  await tx.query({ name: 'insert_slot_owner', text: INSERT_OWNER, values: owner });
  const lease = [id, brandId, storeId, kind, externalId, influencerId];
  const values = [...lease, productId ?? null, validFrom ?? null, validTo ?? null];
  const { rows } = await tx.query<SlotRow>({ name: 'insert_slot', text: INSERT_SLOT, values });
  return rows[0];
}

// $3 is the brand the caller is confined to, null for none. Served by tracking_slots_id_idx.
const END_SLOT = `
update tracking_slots
set valid_to = $2
where tracking_slots.id = $1 and ($3::text is null or tracking_slots.brand_id = $3)
returning tracking_slots.id, tracking_slots.brand_id as "brandId", tracking_slots.store_id as "storeId", tracking_slots.kind,
  tracking_slots.external_id as "externalId", tracking_slots.influencer_id as "influencerId",
  tracking_slots.product_id as "productId", tracking_slots.valid_from as "validFrom", tracking_slots.valid_to as "validTo",
  tracking_slots.created_at as "createdAt"`;

/** Sets the end of a lease; undefined when there is none, or it is not the caller's. @throws DatabaseError as `insertSlot` */
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

// In order of id, after $4. Served by tracking_slots_pkey (tracking_slots_id_idx for an admin's whole list).
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
