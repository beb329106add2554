import type { Queryable } from '../../infra/db.ts';

// The key of the first process that offers one for a day stays, so that all processes hash alike. Served by visitor_day_keys_pkey.
const OFFER_DAY_KEYS = `
insert into visitor_day_keys (day, key)
select input.day, input.key
from unnest($1::date[], $2::bytea[]) as input (day, key)
on conflict on constraint visitor_day_keys_pkey do nothing`;

// At most one row for each day, in no order. Served by visitor_day_keys_pkey.
const LIST_DAY_KEYS = `
select v.day, v.key from visitor_day_keys v where v.day = any ($1::date[])`;

export interface DayKey {
  day: string;
  /** 16 bytes. */
  key: Buffer;
}

/** The valid keys of these days: the offered ones for days without a key. */
export async function offerDayKeys(db: Queryable, offers: readonly DayKey[]): Promise<DayKey[]> {
  const days = offers.map(({ day }) => day);
  await db.query({ name: 'offer_day_keys', text: OFFER_DAY_KEYS, values: [days, offers.map(({ key }) => key)] });
  const { rows } = await db.query<DayKey>({ name: 'list_day_keys', text: LIST_DAY_KEYS, values: [days] });
  return rows;
}

// Served by visitor_day_keys_pkey.
const DELETE_DAY_KEYS = `
delete from visitor_day_keys v where v.day < $1::date`;

// At most $2 rows, because a busy day has millions. Served by click_visits_pkey, whose first column is the day.
const DELETE_VISITS = `
delete from click_visits v
where (v.day, v.visit) in (select o.day, o.visit from click_visits o where o.day < $1::date order by o.day, o.visit limit $2)`;
const VISITS_AT_ONCE = 50_000;

/** Deletes the keys of earlier days and the rows of visitors counted then: from now on no hash can be traced to a visitor. */
export async function deleteVisitorsBefore(db: Queryable, day: string): Promise<void> {
  await db.query({ name: 'delete_day_keys', text: DELETE_DAY_KEYS, values: [day] });
  for (let deleted = VISITS_AT_ONCE; deleted === VISITS_AT_ONCE;) {
    const { rowCount } = await db.query({
      name: 'delete_click_visits',
      text: DELETE_VISITS,
      values: [day, VISITS_AT_ONCE],
    });
    deleted = rowCount ?? 0;
  }
}
