import type { Queryable } from '../../infra/db.ts';

// A page of line ids: every line that is attributed, priced or was ever booked. Served by order_lines_id_idx and the keys of the others.
const LIST_LINE_IDS = `
select l.id as "lineId"
from order_lines l
where l.id > $1
  and (exists (select from priced_lines c where c.brand_id = l.brand_id and c.line_id = l.id)
    or exists (select from attributions a where a.brand_id = l.brand_id and a.line_id = l.id and a.state = 'matched')
    or exists (select from entry_lines e where e.brand_id = l.brand_id and e.line_id = l.id))
order by l.id
limit $2`;

/** The next ids after `after` of lines for which something is, or should be, booked. */
export async function listLineIds(db: Queryable, page: { after: string; limit: number }): Promise<string[]> {
  const { rows } = await db.query<{ lineId: string }>(LIST_LINE_IDS, [page.after, page.limit]);
  return rows.map(({ lineId }) => lineId);
}

// A copy is taken from its terms and never drifts from them: rate, basis and times of a version never change.
const LIST_DRIFTED_TERMS = `
select c.line_id as "lineId", c.terms_id as "termsId"
from priced_lines c
left join terms t on t.brand_id = c.brand_id and t.id = c.terms_id
where t.id is null or (c.basis, c.window_days, c.hold_days) is distinct from (t.basis, t.window_days, t.hold_days)
  or c.rate_bp is distinct from t.rate_bp or c.flat_fen is distinct from t.flat_fen
order by c.line_id
limit 10`;

/** Up to ten lines whose copy of the terms differs from the version it was taken from. */
export async function listDriftedTerms(db: Queryable): Promise<{ lineId: string; termsId: string }[]> {
  const { rows } = await db.query<{ lineId: string; termsId: string }>(LIST_DRIFTED_TERMS);
  return rows;
}
