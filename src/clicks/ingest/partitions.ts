import { addDays, dayToInstant, shanghaiMonth } from '../../core/calendar.ts';
import type { Db } from '../../infra/db.ts';
import { ensureClickPartitions } from './queries.ts';

interface Month {
  fromMs: number;
  untilMs: number;
}

/** Longer than every month, and shorter than two. */
const BEYOND_A_MONTH_DAYS = 32;

function monthOf(instant: Date): Month {
  const from = dayToInstant(`${shanghaiMonth(instant)}-01`);
  const until = dayToInstant(`${shanghaiMonth(addDays(from, BEYOND_A_MONTH_DAYS))}-01`);
  return { fromMs: from.getTime(), untilMs: until.getTime() };
}

/** Returns the function that makes sure that every month of these instants has its partition; asks Postgres once a month. */
export function createPartitions(db: Db): (instants: Iterable<Date>) => Promise<void> {
  const known: Month[] = [];
  return async (instants) => {
    for (const instant of instants) {
      const ms = instant.getTime();
      if (known.some(({ fromMs, untilMs }) => ms >= fromMs && ms < untilMs)) continue;
      await ensureClickPartitions(db, { from: instant, monthsAhead: 0 });
      known.unshift(monthOf(instant));
    }
  };
}
