import { addDays, shanghaiDay } from '../core/calendar.ts';
import type { Db } from '../infra/db.ts';
import type { RepeatedJob } from '../infra/repeat.ts';
import { ensureClickPartitions } from './ingest/store-queries.ts';
import { deleteStepsBefore } from './steps/queries.ts';
import { deleteVisitorsBefore } from './visitor-keys/queries.ts';

const HOUR_MS = 3_600_000;
/** This month and the next two: a database without a worker for weeks still takes clicks. */
const MONTHS_AHEAD = 2;
/** Today's and yesterday's key stay: a click may be stored a day late and must still be recognised as a repeat. */
const KEPT_DAYS = 2;

/** The longest attribution window is 90 days; a person decides about sales that become known later. The sums of the funnel stay. */
const KEPT_STEP_DAYS = 100;
const DELETED_STEPS = 5_000;

async function deleteOldSteps({ db, now }: { db: Db; now: () => Date }): Promise<void> {
  const before = addDays(now(), -KEPT_STEP_DAYS);
  while ((await deleteStepsBefore(db, { before, limit: DELETED_STEPS })) === DELETED_STEPS);
}

/**
 * The periodic jobs for the tables of clicks. Any number of processes may run them at once: making a partition that exists and deleting rows
 * that are gone change nothing.
 */
export function clickUpkeepJobs(deps: { db: Db; now: () => Date }): RepeatedJob[] {
  return [
    {
      name: 'create_click_partitions',
      everyMs: 6 * HOUR_MS,
      run: () => ensureClickPartitions(deps.db, { from: deps.now(), monthsAhead: MONTHS_AHEAD }),
    },
    {
      name: 'delete_visitor_keys',
      everyMs: HOUR_MS,
      run: () => deleteVisitorsBefore(deps.db, shanghaiDay(addDays(deps.now(), 1 - KEPT_DAYS))),
    },
    { name: 'delete_middle_page_steps', everyMs: HOUR_MS, run: () => deleteOldSteps(deps) },
  ];
}
