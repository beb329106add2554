import { addDays, shanghaiDay } from '../core/calendar.ts';
import type { Db } from '../infra/db.ts';
import type { RepeatedJob } from '../infra/repeat.ts';
import { deleteStepsBefore } from './steps/queries.ts';
import { ensureClickPartitions } from './ingest/store-queries.ts';
import { deleteVisitorsBefore } from './visitor-keys/queries.ts';

const HOUR_MS = 3_600_000;
/** This month and the two after it: a database nobody looks at for weeks still takes clicks. */
const MONTHS_AHEAD = 2;
/** Today's and yesterday's key stay: a click may be stored a day late and must still be recognised as a repeat. */
const KEPT_DAYS = 2;

/** The longest window terms may have is 90 days; a sale that comes to light later is for a person. The funnel's sums stay. */
const KEPT_STEP_DAYS = 100;
const DELETED_STEPS = 5_000;

async function deleteOldSteps({ db, now }: { db: Db; now: () => Date }): Promise<void> {
  const before = addDays(now(), -KEPT_STEP_DAYS);
  while ((await deleteStepsBefore(db, { before, limit: DELETED_STEPS })) === DELETED_STEPS);
}

/**
 * What the tables of clicks need from time to time. Any number of processes may run it at once: making a partition that exists and deleting
 * what is gone change nothing.
 */
export function clickUpkeepJobs(deps: { db: Db; now: () => Date }): RepeatedJob[] {
  return [
    {
      name: 'click partitions ahead',
      everyMs: 6 * HOUR_MS,
      run: () => ensureClickPartitions(deps.db, { from: deps.now(), monthsAhead: MONTHS_AHEAD }),
    },
    {
      name: 'visitor keys retention',
      everyMs: HOUR_MS,
      run: () => deleteVisitorsBefore(deps.db, shanghaiDay(addDays(deps.now(), 1 - KEPT_DAYS))),
    },
    { name: 'middle page steps retention', everyMs: HOUR_MS, run: () => deleteOldSteps(deps) },
  ];
}
