import { REPEAT_WINDOW_MS } from '../../core/clicks/click.ts';
import type { Click, StoredClick } from '../../core/clicks/click.ts';
import type { Queryable } from '../../infra/db.ts';
import type { StreamClick } from './entry-source.ts';
import { listCountedClicks, listVisitsByPlace } from './plan-queries.ts';
import type { LinkSpan } from './plan-queries.ts';
import { dayOf, visitOf } from './row-texts.ts';
import type { Visit } from './store-queries.ts';

/** One Shanghai day of a history. */
export interface HistoryDay {
  /** `2026-11-22`. */
  day: string;
  /** Time of the latest stored counted click of the day; undefined where none is stored. */
  storedMs: number | undefined;
  /** The row that the batch writes; undefined where it counts no click on this day. */
  visit: Visit | undefined;
}

/** The clicks of one visitor on one link. */
export interface VisitorHistory {
  key: string;
  linkNumber: number;
  visitor: string;
  /** `visitOf` of visitor and link. */
  visit: string;
  /** Clicks of the batch that would count, as delivered. */
  clicks: readonly StreamClick[];
  /** The days in which a counted click can make one of `clicks` a repeat: nearly always one. */
  days: HistoryDay[];
  /** Stored counted clicks, as many as decide which of `clicks` are repeats. */
  stored: readonly StoredClick[];
  /** Times of those of `clicks` that count, ms. */
  countedMs: readonly number[];
}

/** The empty list that nearly all histories share: lists of their own would be most of the memory that a batch allocates. */
const NONE: readonly never[] = [];

/** `click_visits` keeps today and yesterday; clocks may differ by the rest. */
const VISITS_ARE_KEPT_MS = 20 * 60 * 60 * 1000;

function keyOf({ visitor, linkNumber }: Pick<Click, 'visitor' | 'linkNumber'>): string {
  return visitor + linkNumber;
}

function addDay(history: VisitorHistory, day: string): void {
  if (!history.days.some((each) => each.day === day)) history.days.push({ day, storedMs: undefined, visit: undefined });
}

/** The clicks of a batch that would count, by visitor and link. */
export class VisitorHistories extends Map<string, VisitorHistory> {
  constructor(clicks: readonly StreamClick[]) {
    super();
    for (const streamClick of clicks) if (streamClick.click.verdict === 'counted') this.#add(streamClick);
  }

  /** Keeps what later batches need, and releases the clicks. */
  release(): void {
    for (const history of this.values()) {
      history.clicks = NONE;
      history.stored = NONE;
    }
  }

  #add(streamClick: StreamClick): void {
    const { click } = streamClick;
    const key = keyOf(click);
    const atMs = click.clickedAt.getTime();
    const day = dayOf(atMs);
    let history = this.get(key);
    if (history === undefined) {
      const { linkNumber, visitor } = click;
      const visit = visitOf(visitor, linkNumber);
      // A list made with its elements takes a tenth of the memory of one that elements are pushed to.
      const days = [{ day, storedMs: undefined, visit: undefined }];
      history = { key, linkNumber, visitor, visit, clicks: [streamClick], days, stored: NONE, countedMs: NONE };
      this.set(key, history);
    } else {
      history.clicks = [...history.clicks, streamClick];
      addDay(history, day);
    }
    // Around midnight the neighbouring day too.
    const [before, after] = [dayOf(atMs - REPEAT_WINDOW_MS), dayOf(atMs + REPEAT_WINDOW_MS)];
    if (before !== day) addDay(history, before);
    if (after !== day) addDay(history, after);
  }
}

/** The history of a click that would count. */
export function historyOf(histories: VisitorHistories, click: Click): VisitorHistory {
  const history = histories.get(keyOf(click));
  if (history === undefined) throw new RangeError('a click that would count has a history');
  return history;
}

/** For each link the span in which a counted click can make one of these clicks a repeat. */
function spansOf(clicks: readonly Click[]): LinkSpan[] {
  return [...Map.groupBy(clicks, ({ linkNumber }) => linkNumber)].map(([linkNumber, ofLink]) => {
    const timesMs = ofLink.map(({ clickedAt }) => clickedAt.getTime());
    return {
      linkNumber,
      fromAt: new Date(timesMs.reduce((least, ms) => Math.min(least, ms)) - REPEAT_WINDOW_MS),
      // A click exactly one window later belongs to the span; times are whole milliseconds.
      untilAt: new Date(timesMs.reduce((most, ms) => Math.max(most, ms)) + REPEAT_WINDOW_MS + 1),
    };
  });
}

/** A counted click of the history; its id has no meaning. */
export function countedClickOf({ linkNumber, visitor }: VisitorHistory, atMs: number): StoredClick {
  return { clickId: '', clickedAt: new Date(atMs), linkNumber, verdict: 'counted', visitor };
}

/** Reads the latest counted click of each history and day. */
async function loadLastCounted(db: Queryable, histories: VisitorHistories): Promise<void> {
  const requested: VisitorHistory[] = [];
  const days: HistoryDay[] = [];
  for (const history of histories.values()) {
    for (const day of history.days) {
      requested.push(history);
      days.push(day);
    }
  }
  const found = await listVisitsByPlace(db, {
    days: days.map(({ day }) => day),
    visits: requested.map(({ visit }) => visit),
  });
  for (const [index, lastCountedMs] of found) {
    const [history, day] = [requested[index], days[index]];
    if (history === undefined || day === undefined) continue;
    day.storedMs = lastCountedMs;
    history.stored = [...history.stored, countedClickOf(history, lastCountedMs)];
  }
}

/** Reads counted clicks from `clicks` for those clicks that the latest counted one does not decide. */
async function loadCountedAround(db: Queryable, histories: VisitorHistories, nowMs: number): Promise<void> {
  const late: Click[] = [];
  for (const { clicks, days } of histories.values()) {
    for (const { click } of clicks) {
      const atMs = click.clickedAt.getTime();
      const isOld = atMs < nowMs - VISITS_ARE_KEPT_MS;
      if (isOld || days.some(({ storedMs = -Infinity }) => atMs < storedMs - REPEAT_WINDOW_MS)) late.push(click);
    }
  }
  if (late.length === 0) return;
  const visitors = [...new Set(late.map(({ visitor }) => visitor))];
  for (const click of await listCountedClicks(db, spansOf(late), visitors)) {
    const history = histories.get(keyOf(click));
    if (history !== undefined) history.stored = [...history.stored, click];
  }
}

/**
 * Adds to these histories what is stored of them.
 *
 * The latest counted click of a visitor on a link and day decides about every click that is not more than a window earlier than it: any other
 * counted click lies more than a window further back. For earlier clicks (from a spool that was drained late) and old ones, `clicks` is read.
 */
export async function loadHistories(db: Queryable, histories: VisitorHistories, now: Date): Promise<void> {
  await loadLastCounted(db, histories);
  await loadCountedAround(db, histories, now.getTime());
}
