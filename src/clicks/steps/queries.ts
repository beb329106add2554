import type { Step } from '../../core/clicks/visit-step.ts';
import type { Queryable } from '../../infra/db.ts';

/** A step taken on the page of an authentic click. */
export interface TakenStep {
  clickId: string;
  step: Step;
  clickedAt: Date;
  steppedAt: Date;
  linkNumber: number;
  app: string;
  os: string;
}

// Adds the steps that are missing, and raises the funnel by exactly those: a repeated step changes nothing, and a step of a link that does not
// exist is ignored. Rows are written in key order, so that two processes cannot deadlock. Served by links_number_key, click_steps_pkey and
// step_rollups_pkey.
const INSERT_STEPS = `
with stored as (
  insert into click_steps (click_id, step, clicked_at, stepped_at, link_number, brand_id, product_id, app, os)
  select input.click_id, input.step, input.clicked_at, input.stepped_at, l.number, l.brand_id, l.product_id, input.app, input.os
  from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::text[], $7::text[])
    as input (click_id, step, clicked_at, stepped_at, link_number, app, os)
  join links l on l.number = input.link_number
  order by input.click_id collate "C", input.step collate "C"
  on conflict on constraint click_steps_pkey do nothing
  returning link_number, clicked_at, app, step, brand_id
)
insert into step_rollups as r (link_number, day, app, step, brand_id, steps)
select s.link_number, (s.clicked_at at time zone 'Asia/Shanghai')::date, s.app, s.step, s.brand_id, count(*)
from stored s
group by 1, 2, 3, 4, 5
order by s.link_number, (s.clicked_at at time zone 'Asia/Shanghai')::date, s.app collate "C", s.step collate "C"
on conflict on constraint step_rollups_pkey do update set steps = r.steps + excluded.steps`;

/** Adds steps; any of them may be stored already, or occur twice. */
export async function insertSteps(db: Queryable, steps: readonly TakenStep[]): Promise<void> {
  const values = [
    steps.map(({ clickId }) => clickId),
    steps.map(({ step }) => step),
    steps.map(({ clickedAt }) => clickedAt),
    steps.map(({ steppedAt }) => steppedAt),
    steps.map(({ linkNumber }) => linkNumber),
    steps.map(({ app }) => app),
    steps.map(({ os }) => os),
  ];
  await db.query({ name: 'insert_click_steps', text: INSERT_STEPS, values });
}

// A bounded number of steps before the given time. Served by click_steps_time_idx.
const DELETE_OLD_STEPS = `
delete from click_steps
where (click_steps.click_id, click_steps.step) in (
  select s.click_id, s.step from click_steps s where s.stepped_at < $1 limit $2
)`;

/** Deletes steps from before that time. @returns how many, at most `limit` */
export async function deleteStepsBefore(
  db: Queryable,
  { before, limit }: { before: Date; limit: number },
): Promise<number> {
  const { rowCount } = await db.query({ name: 'delete_old_steps', text: DELETE_OLD_STEPS, values: [before, limit] });
  return rowCount ?? 0;
}
