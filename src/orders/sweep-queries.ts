import type { Queryable } from '../infra/db.ts';

// The orders that have waited longest first. Served by attributions_retry_idx.
const LIST_ORDERS_TO_RETRY = `
select l.order_id as "orderId"
from attributions a
join order_lines l on l.id = a.line_id
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
