import type { DestinationHealth } from '../../../core/catalog/destination-health.ts';
import type { Platform } from '../../../core/vocabulary.ts';
import type { Queryable, Tx } from '../../../infra/db.ts';
import { OPAQUE_HOSTS } from '../../../platforms/platform.ts';

// Adds at most $2 products that visitors are sent to and that are not on the list: active, with an active link, and not on one of the hosts $1.
// Idempotent. Reads all of products and of the list (100,000 of each: 0.2 s on a busy machine).
const LIST_NEW_DESTINATIONS = `
insert into destination_checks (product_id, brand_id, host)
select p.id, p.brand_id, u.host
from products p
cross join lateral (select lower(substring(p.url from '^https?://([^/?#:]+)')) as host) u
where p.status = 'active' and u.host <> all ($1::text[])
  and exists (select 1 from links l where l.product_id = p.id and l.status = 'active')
  and not exists (select 1 from destination_checks dc where dc.brand_id = p.brand_id and dc.product_id = p.id)
limit $2
on conflict on constraint destination_checks_pkey do nothing`;

/** More than can be checked before the next renewal. A hundred thousand at once would exceed the statement timeout. */
const NEW_AT_ONCE = 2_000;

// Drops the findings of products that visitors are no longer sent to. Idempotent. Costs as much as LIST_NEW_DESTINATIONS.
const DROP_OLD_DESTINATIONS = `
delete from destination_checks
where not exists (
  select 1 from products p
  where p.brand_id = destination_checks.brand_id and p.id = destination_checks.product_id and p.status = 'active'
    and exists (select 1 from links l where l.product_id = p.id and l.status = 'active'))`;

/**
 * Brings the list of destinations to the products that visitors are sent to. Short and converted links are left out, because a robot's request
 * to them counts as a click at the platform.
 */
export async function renewDestinationList(db: Queryable): Promise<void> {
  await db.query(DROP_OLD_DESTINATIONS);
  await db.query(LIST_NEW_DESTINATIONS, [OPAQUE_HOSTS, NEW_AT_ONCE]);
}

/** A destination to check, with the findings of earlier checks. */
export type DueDestination = DestinationHealth & {
  productId: string;
  url: string;
  platform: Platform;
};

// The longest due of each host first, at most $1 in all, and of a host at most $2 less those taken within the last minute. A taken row is due
// again $3 ms later, so the destinations of a process that died come back. The pace holds because callers hold an advisory lock, one after the
// other. Reads all due rows (0.2 s for 100,000, as after an outage of days). Served by destination_checks_due_idx and
// destination_checks_taken_idx.
const TAKE_DUE_DESTINATIONS = `
with recent as (
  select dc.host, count(*) as taken from destination_checks dc
  where dc.taken_at > now() - interval '1 minute'
  group by dc.host
), ranked as (
  select dc.brand_id, dc.product_id, dc.host, dc.next_check_at,
    row_number() over (partition by dc.host order by dc.next_check_at, dc.product_id) as place
  from destination_checks dc
  where dc.next_check_at <= now()
), due as (
  select r.brand_id, r.product_id
  from ranked r
  left join recent on recent.host = r.host
  where r.place + coalesce(recent.taken, 0) <= $2
  order by r.next_check_at, r.product_id
  limit $1
)
update destination_checks
set taken_at = now(), next_check_at = now() + $3 * interval '1 millisecond'
from due, products p, stores s
where destination_checks.brand_id = due.brand_id and destination_checks.product_id = due.product_id
  and p.brand_id = due.brand_id and p.id = due.product_id and s.brand_id = p.brand_id and s.id = p.store_id
returning p.id as "productId", p.url, s.platform, destination_checks.failures, destination_checks.failure,
  destination_checks.first_failed_at as "firstFailedAt", destination_checks.last_failed_at as "lastFailedAt",
  destination_checks.broken_since as "brokenSince"`;

/** Takes destinations to check, which belong to this caller for `leaseMs`. Call it under a lock that only one process holds. */
export async function takeDueDestinations(
  tx: Tx,
  { limit, perHostAndMinute, leaseMs }: { limit: number; perHostAndMinute: number; leaseMs: number },
): Promise<DueDestination[]> {
  const values = [limit, perHostAndMinute, leaseMs];
  const { rows } = await tx.query<DueDestination>({
    name: 'take_due_destinations',
    text: TAKE_DUE_DESTINATIONS,
    values,
  });
  return rows;
}

// Changes nothing where the product has another url by now, because then the row is a new one. Served by products_id_idx and
// destination_checks_pkey.
const STORE_DESTINATION_CHECK = `
update destination_checks
set checked_at = $3, outcome = $4, status = $5, failures = $6, failure = $7, first_failed_at = $8, last_failed_at = $9, broken_since = $10,
  next_check_at = now() + $11 * interval '1 millisecond'
from products p
where p.id = $1 and p.url = $2 and destination_checks.brand_id = p.brand_id and destination_checks.product_id = p.id`;

export async function storeDestinationCheck(
  db: Queryable,
  check: DestinationHealth & {
    productId: string;
    url: string;
    checkedAt: Date;
    outcome: string;
    status: number | undefined;
    pauseMs: number;
  },
): Promise<void> {
  const { productId, url, checkedAt, outcome, status, failures, failure, pauseMs } = check;
  const known = [failures, failure, check.firstFailedAt, check.lastFailedAt, check.brokenSince];
  const values = [productId, url, checkedAt, outcome, status ?? null, ...known, pauseMs];
  await db.query({ name: 'store_destination_check', text: STORE_DESTINATION_CHECK, values });
}
