import { REPEAT_WINDOW_MS } from '../../core/clicks/click.ts';
import type { Click, StoredClick } from '../../core/clicks/click.ts';
import type { Queryable } from '../../infra/db.ts';
import type { StreamClick } from './entry-source.ts';
import { listCountedClicks, listVisits } from './plan-queries.ts';
import type { LinkSpan } from './plan-queries.ts';
import type { Visit } from './store-queries.ts';
import { dayOf, visitOf } from './row-texts.ts';

/** One day of a trail. */
export interface TrailDay {
  /** `2026-11-22`. */
  day: string;
  /** When the latest counted click of the day was that is stored; undefined: there is none. */
  storedMs: number | undefined;
  /** What the batch writes of it: where it counts a click on this day. */
  visit: Visit | undefined;
}

/** What one visitor does on one link. */
export interface Trail {
  key: string;
  linkNumber: number;
  visitor: string;
  /** `visitOf` both. */
  visit: string;
  /** Clicks of the batch that would count, as delivered. */
  clicks: readonly StreamClick[];
  /** The days in which a counted click can make one of them a repeat: nearly always one. */
  days: TrailDay[];
  /** Stored counted clicks: enough to tell which of the clicks are repeats. */
  stored: readonly StoredClick[];
  /** When those of the clicks happened that count, ms. */
  countedMs: readonly number[];
}

/** Shared by all trails that have none, which is nearly every one: lists of their own would be most of what a batch allocates. */
const NONE: readonly never[] = [];

/** `click_visits` keeps today and yesterday; clocks may differ by the rest. */
const VISITS_ARE_KEPT_MS = 20 * 60 * 60 * 1000;

function keyOf({ visitor, linkNumber }: Pick<Click, 'visitor' | 'linkNumber'>): string {
  return visitor + linkNumber;
}

function addDay(trail: Trail, day: string): void {
  if (!trail.days.some((each) => each.day === day)) trail.days.push({ day, storedMs: undefined, visit: undefined });
}

/** The clicks of a batch that would count, by visitor and link. */
export class TrailMap extends Map<string, Trail> {
  constructor(clicks: readonly StreamClick[]) {
    super();
    for (const streamClick of clicks) if (streamClick.click.verdict === 'counted') this.#add(streamClick);
  }

  /** Keeps what is left behind for later batches, and lets go of the clicks. */
  release(): void {
    for (const trail of this.values()) {
      trail.clicks = NONE;
      trail.stored = NONE;
    }
  }

  #add(streamClick: StreamClick): void {
    const { click } = streamClick;
    const key = keyOf(click);
    const atMs = click.clickedAt.getTime();
    const day = dayOf(atMs);
    let trail = this.get(key);
    if (trail === undefined) {
      const { linkNumber, visitor } = click;
      const visit = visitOf(visitor, linkNumber);
      // Lists that begin with what is in them take a tenth of the memory of those that are pushed to.
      const days = [{ day, storedMs: undefined, visit: undefined }];
      trail = { key, linkNumber, visitor, visit, clicks: [streamClick], days, stored: NONE, countedMs: NONE };
      this.set(key, trail);
    } else {
      trail.clicks = [...trail.clicks, streamClick];
      addDay(trail, day);
    }
    // About midnight the neighbour's too.
    const [before, after] = [dayOf(atMs - REPEAT_WINDOW_MS), dayOf(atMs + REPEAT_WINDOW_MS)];
    if (before !== day) addDay(trail, before);
    if (after !== day) addDay(trail, after);
  }
}

/** The trail of a click that would count. */
export function trailOf(trails: TrailMap, click: Click): Trail {
  const trail = trails.get(keyOf(click));
  if (trail === undefined) throw new RangeError('a click that would count has a trail');
  return trail;
}

/** For each link the span in which a counted click can make one of these a repeat. */
function spansOf(clicks: readonly Click[]): LinkSpan[] {
  return [...Map.groupBy(clicks, ({ linkNumber }) => linkNumber)].map(([linkNumber, ofLink]) => {
    const timesMs = ofLink.map(({ clickedAt }) => clickedAt.getTime());
    return {
      linkNumber,
      fromAt: new Date(timesMs.reduce((least, ms) => Math.min(least, ms)) - REPEAT_WINDOW_MS),
      // A click exactly the window later belongs to it; times are whole milliseconds.
      untilAt: new Date(timesMs.reduce((most, ms) => Math.max(most, ms)) + REPEAT_WINDOW_MS + 1),
    };
  });
}

/** A counted click of the trail. Which one is of no importance. */
export function countedClickOf({ linkNumber, visitor }: Trail, atMs: number): StoredClick {
  return { clickId: '', clickedAt: new Date(atMs), linkNumber, verdict: 'counted', visitor };
}

/** Asks for the latest counted click of each trail and day. */
async function findVisits(db: Queryable, trails: TrailMap): Promise<void> {
  const asked: Trail[] = [];
  const days: TrailDay[] = [];
  for (const trail of trails.values()) {
    for (const day of trail.days) {
      asked.push(trail);
      days.push(day);
    }
  }
  const found = await listVisits(db, { days: days.map(({ day }) => day), visits: asked.map(({ visit }) => visit) });
  for (const [index, lastCountedMs] of found) {
    const [trail, day] = [asked[index], days[index]];
    if (trail === undefined || day === undefined) continue;
    day.storedMs = lastCountedMs;
    trail.stored = [...trail.stored, countedClickOf(trail, lastCountedMs)];
  }
}

/** Asks `clicks` itself for those that the latest counted click says too little about. */
async function findAround(db: Queryable, trails: TrailMap, nowMs: number): Promise<void> {
  const late: Click[] = [];
  for (const { clicks, days } of trails.values()) {
    for (const { click } of clicks) {
      const atMs = click.clickedAt.getTime();
      const isOld = atMs < nowMs - VISITS_ARE_KEPT_MS;
      if (isOld || days.some(({ storedMs = -Infinity }) => atMs < storedMs - REPEAT_WINDOW_MS)) late.push(click);
    }
  }
  if (late.length === 0) return;
  const visitors = [...new Set(late.map(({ visitor }) => visitor))];
  for (const click of await listCountedClicks(db, spansOf(late), visitors)) {
    const trail = trails.get(keyOf(click));
    if (trail !== undefined) trail.stored = [...trail.stored, click];
  }
}

/**
 * Finds out what is stored of these trails.
 *
 * The latest counted click of a visitor on a link and day tells all about a click that is not earlier than the window before it: any other
 * counted click lies more than a window further back. For earlier ones (a spool that was drained late) and old ones the clicks themselves
 * are asked for.
 */
export async function findKnowledge(db: Queryable, trails: TrailMap, now: Date): Promise<void> {
  await findVisits(db, trails);
  await findAround(db, trails, now.getTime());
}
