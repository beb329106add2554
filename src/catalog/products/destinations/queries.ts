import type { DestinationHealth } from '../../../core/catalog/destination-health.ts';
import type { Platform } from '../../../core/vocabulary.ts';
import type { Queryable, Tx } from '../../../infra/db.ts';
import { OPAQUE_HOSTS } from '../../../platforms/platform-hosts.ts';

// Products whose destination visitors are sent to: active, with an active link, not on the list yet, and not on one of the hosts $1; at most $2
// of them. Idempotent. Reads all of products and of the list (100,000 of each: 0.2 s on a busy machine).
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

/** More than can be looked at before the next renewal; a hundred thousand at once would outlast the time of a statement. */
const NEW_AT_ONCE = 2_000;

// What visitors are sent to no more is known of no more either. Costs what LIST_NEW_DESTINATIONS does.
const DROP_OLD_DESTINATIONS = `
delete from destination_checks
where not exists (
  select 1 from products p
  where p.brand_id = destination_checks.brand_id and p.id = destination_checks.product_id and p.status = 'active'
    and exists (select 1 from links l where l.product_id = p.id and l.status = 'active'))`;

/**
 * Puts on the list of destinations what visitors are sent to, and takes off it what they are not. Short and converted links are left out: a
 * robot's look at them is a click in the platform's own books.
 */
export async function renewDestinationList(db: Queryable): Promise<void> {
  await db.query(DROP_OLD_DESTINATIONS);
  await db.query(LIST_NEW_DESTINATIONS, [OPAQUE_HOSTS, NEW_AT_ONCE]);
}

/** What a check needs, and what earlier ones found. */
export type DueDestination = DestinationHealth & {
  productId: string;
  url: string;
  platform: Platform;
};

// The longest due of each host first, no more of a host than $2 less what was taken of it within the last minute. Whoever takes a row pushes it
// $3 ms into the future. The pace holds because takers hold an advisory lock and come one after the other. Served by destination_checks_due_idx and
// destination_checks_taken_idx; reads all that is due (0.2 s where 100,000 are, which is after an outage of days).
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

/** Takes destinations to look at; they are this caller's for `leaseMs`. Call it under a lock that only one process holds. */
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

// Changes nothing where the product has another url by now: the row is a new one then, with nothing taken. Served by products_id_idx and
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
