import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';

import { addDays, dayToInstant, shanghaiDay } from '../../core/calendar.ts';
import { createVisitorHash } from '../../core/clicks/click.ts';
import { SIPHASH_KEY_BYTES } from '../../core/clicks/siphash.ts';
import type { Db } from '../../infra/db.ts';
import { repeat } from '../../infra/repeat.ts';
import { offerDayKeys } from './queries.ts';

export type VisitorHash = ReturnType<typeof createVisitorHash>;

export interface VisitorKeys {
  /** The hash function of the Shanghai day of this instant. Never waits. */
  hashAt(instant: Date): VisitorHash;
  /** Reads the keys of today and tomorrow from Postgres, and offers new ones where they are missing. Rejects when Postgres does not answer. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/** Tomorrow's key is read a day ahead; a key that was not available in time replaces the temporary one within this interval. */
const REFRESH_EVERY_MS = 60_000;

interface DayHash {
  hash: VisitorHash;
  /** Made by this process alone because Postgres did not answer. */
  isTemporary: boolean;
}

/** The hash function in use and the limits of its day, so that a click compares two numbers and formats no date. */
interface CurrentDay {
  fromMs: number;
  untilMs: number;
  hash: VisitorHash;
}

/**
 * The keys of the visitor hash, one for each Shanghai day, shared by all processes through Postgres and cached in the process.
 *
 * While Postgres has not given the key of a day, the process hashes with a random temporary key, so that visitors are served and their clicks
 * kept. Such a visitor may count as unique a second time, and a repeat through another process is not recognised. The temporary key is never
 * stored, so those hashes are anonymous at once.
 */
export function createVisitorKeys(deps: { db: Db; now: () => Date; log: Logger }): VisitorKeys {
  const days = new Map<string, DayHash>();
  let current: CurrentDay | undefined;

  const refresh = async (): Promise<void> => {
    const today = shanghaiDay(deps.now());
    const wanted = [today, shanghaiDay(addDays(deps.now(), 1))];
    const missing = wanted.filter((day) => days.get(day)?.isTemporary !== false);
    for (const day of days.keys()) if (!wanted.includes(day)) days.delete(day);
    if (missing.length === 0) return;
    const offers = missing.map((day) => ({ day, key: randomBytes(SIPHASH_KEY_BYTES) }));
    for (const { day, key } of await offerDayKeys(deps.db, offers)) {
      days.set(day, { hash: createVisitorHash(key), isTemporary: false });
    }
    current = undefined;
  };

  const hashOfDay = (day: string): VisitorHash => {
    const known = days.get(day);
    if (known !== undefined) return known.hash;
    deps.log.warn({ day }, 'no shared key for the visitor hash: this process uses a temporary one');
    const hash = createVisitorHash(randomBytes(SIPHASH_KEY_BYTES));
    days.set(day, { hash, isTemporary: true });
    return hash;
  };

  const stop = repeat({ name: 'refresh_visitor_keys', everyMs: REFRESH_EVERY_MS, run: refresh }, deps.log);
  return {
    hashAt: (instant) => {
      const atMs = instant.getTime();
      if (current === undefined || atMs < current.fromMs || atMs >= current.untilMs) {
        const day = shanghaiDay(instant);
        const fromMs = dayToInstant(day).getTime();
        current = { fromMs, untilMs: addDays(dayToInstant(day), 1).getTime(), hash: hashOfDay(day) };
      }
      return current.hash;
    },
    refresh,
    stop,
  };
}
