import type { Queryable } from '../../infra/db.ts';

// The orders that have waited longest first. Served by attributions_retry_idx.
const LIST_ORDERS_TO_RETRY = `
select l.order_id as "orderId"
from attributions a
join order_lines l on l.brand_id = a.brand_id and l.id = a.line_id
where a.retry_at <= now()
group by l.order_id
order by min(a.retry_at), l.order_id
limit $1`;

/** Orders with a line that is due to be looked at again. */
export async function listOrdersToRetry(db: Queryable, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ orderId: string }>({
    name: 'list_orders_to_retry',
    text: LIST_ORDERS_TO_RETRY,
    values: [limit],
  });
  return rows.map((row) => row.orderId);
}

// An order that cannot be recomputed must not stay the one that has waited longest, or enough of them would hold up all others. Served by
// orders_id_idx, order_lines_external_key and attributions_pkey.
const POSTPONE_RETRY = `
update attributions
set retry_at = now() + interval '1 hour'
from orders o
join order_lines l on l.brand_id = o.brand_id and l.order_id = o.id
where o.id = $1 and attributions.brand_id = l.brand_id and attributions.line_id = l.id and attributions.retry_at is not null`;

/** Lets the sweep come back to an order in an hour. */
export async function postponeRetry(db: Queryable, orderId: string): Promise<void> {
  await db.query({ name: 'postpone_retry', text: POSTPONE_RETRY, values: [orderId] });
}
