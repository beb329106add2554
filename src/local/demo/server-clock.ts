import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The time of the server that is driven, which may run on another machine with another clock: signatures expire after 300 s, and an order
 * must not come before the click it names.
 */
export interface ServerClock {
  /** At most a second behind the server, never ahead of it. */
  now(): Date;
  /** Waits for the first whole second after an instant: marketplaces write times without fractions. */
  nextSecondAfter(instant: Date): Promise<Date>;
}

const SECOND_MS = 1_000;

/** @param dateHeader  `Date` of an answer that has just come */
export function createServerClock(dateHeader: string | null): ServerClock {
  const serverMs = Date.parse(dateHeader ?? '');
  const aheadMs = Number.isNaN(serverMs) ? 0 : serverMs - Date.now();
  const now = (): Date => new Date(Date.now() + aheadMs);
  return {
    now,
    nextSecondAfter: async (instant) => {
      const second = new Date((Math.floor(instant.getTime() / SECOND_MS) + 1) * SECOND_MS);
      while (now() < second) await sleep(Math.max(1, second.getTime() - now().getTime()));
      return second;
    },
  };
}
