import { LRUCache } from 'lru-cache';

import { decideRepeats } from '../../core/clicks/click.ts';
import type { Click, StoredClick } from '../../core/clicks/click.ts';
import type { Db } from '../../infra/db.ts';
import { buildClickWrite } from './click-write.ts';
import type { DecidedClick } from './click-write.ts';
import type { DecodedEntries, StreamClick } from './entry-source.ts';
import { listLinksByNumber } from './plan-queries.ts';
import type { ClickLink } from './plan-queries.ts';
import { linkRowText } from './store-queries.ts';
import type { ClickWrite } from './store-queries.ts';
import { TrailMap, countedClickOf, findKnowledge, trailOf } from './visitor-history.ts';
import type { Trail } from './visitor-history.ts';

/** A link with the part of a row that all its clicks share. */
export interface KnownLink extends ClickLink {
  rowText: string;
}

export interface LinkDirectory {
  /** The links of these numbers; numbers of no link are absent, and asked for again the next time. */
  find(numbers: ReadonlySet<number>): Promise<Map<number, KnownLink>>;
}

/** 60 MB at the most; a link seldom visited costs a lookup. */
const MAX_LINKS = 100_000;

/**
 * Links by number. A link belongs to its brand, product and influencer for ever (nothing writes those columns again, and numbers are not
 * reused), so what was found once is right for ever.
 */
export function createLinkDirectory(db: Db): LinkDirectory {
  const cache = new LRUCache<number, KnownLink>({ max: MAX_LINKS });
  return {
    find: async (numbers) => {
      const found = new Map<number, KnownLink>();
      const missing: number[] = [];
      for (const number of numbers) {
        const link = cache.get(number);
        if (link === undefined) missing.push(number);
        else found.set(number, link);
      }
      if (missing.length === 0) return found;
      for (const link of await listLinksByNumber(db, missing)) {
        const known = { ...link, rowText: linkRowText(link) };
        cache.set(link.number, known);
        found.set(link.number, known);
      }
      return found;
    },
  };
}

/** A click that cannot be stored. `error`: Postgres refused it, perhaps not for ever; without one, nothing will change. */
export interface RefusedClick {
  streamClick: StreamClick;
  reason: 'unknown_link' | 'clicked_at_out_of_range' | 'not_storable';
  error?: unknown;
}

/** What a batch will leave behind for the decisions of the next ones: its trails, without their clicks. */
export type Aftermath = TrailMap;

export interface PlannedBatch {
  entries: DecodedEntries;
  /** Clicks that can be stored, as delivered. */
  clicks: StreamClick[];
  refused: RefusedClick[];
  links: ReadonlyMap<number, KnownLink>;
  /** Right where none of the clicks is stored, and only the batches it was planned after were stored since; undefined without clicks. */
  write: ClickWrite | undefined;
  aftermath: Aftermath | undefined;
}

export interface PlannerDeps {
  db: Db;
  links: LinkDirectory;
  now: () => Date;
}

/** Farther from now, a time is a mistake of some clock, and must not make a partition. */
const MAX_DISTANCE_MS = 40 * 24 * 60 * 60 * 1000;

interface Sorted {
  clicks: StreamClick[];
  refused: RefusedClick[];
  links: ReadonlyMap<number, KnownLink>;
}

async function sortOut(deps: PlannerDeps, all: readonly StreamClick[], nowMs: number): Promise<Sorted> {
  const refused: RefusedClick[] = [];
  const isNear = ({ click }: StreamClick): boolean => Math.abs(click.clickedAt.getTime() - nowMs) <= MAX_DISTANCE_MS;
  const links = await deps.links.find(new Set(all.filter(isNear).map(({ click }) => click.linkNumber)));
  const clicks = all.filter((streamClick) => {
    if (!isNear(streamClick)) refused.push({ streamClick, reason: 'clicked_at_out_of_range' });
    else if (!links.has(streamClick.click.linkNumber)) refused.push({ streamClick, reason: 'unknown_link' });
    else return true;
    return false;
  });
  return { clicks, refused, links };
}

/** Counted clicks of the trail that are stored, or will be by the batches before. */
function earlierOf(trail: Trail, before: readonly Aftermath[]): readonly StoredClick[] {
  const countedMs = before.flatMap((aftermath) => aftermath.get(trail.key)?.countedMs ?? []);
  if (countedMs.length === 0) return trail.stored;
  return [...trail.stored, ...countedMs.map((atMs) => countedClickOf(trail, atMs))];
}

/** Decides about the clicks that could be repeats; most visitors come once, and count. */
function decide(trails: TrailMap, before: readonly Aftermath[]): DecidedClick[] {
  const decided: DecidedClick[] = [];
  const doubtful: Click[] = [];
  const stored: StoredClick[] = [];
  for (const trail of trails.values()) {
    const earlier = earlierOf(trail, before);
    const [first] = trail.clicks;
    if (first !== undefined && trail.clicks.length === 1 && earlier.length === 0) {
      trail.countedMs = [first.click.clickedAt.getTime()];
      decided.push({ click: first.click, trail });
    } else {
      for (const { click } of trail.clicks) doubtful.push(click);
      stored.push(...earlier);
    }
  }
  for (const click of decideRepeats(doubtful, stored)) {
    const trail = click.verdict === 'counted' ? trailOf(trails, click) : undefined;
    if (trail !== undefined) trail.countedMs = [...trail.countedMs, click.clickedAt.getTime()];
    decided.push({ click, trail });
  }
  return decided;
}

/** Whether a batch before leaves a counted click of this trail on this day. */
function isVisitBefore(before: readonly Aftermath[], key: string, day: string): boolean {
  return before.some((aftermath) =>
    aftermath.get(key)?.days.some((each) => each.day === day && each.visit !== undefined),
  );
}

/**
 * Returns the function that decides about a batch before it is stored: which clicks can be, which are repeats, what else they change. It
 * reads only, and may run while batches before it are being stored: `before` says what those will leave behind.
 */
export function createPlanner(
  deps: PlannerDeps,
): (entries: DecodedEntries, before: readonly Aftermath[]) => Promise<PlannedBatch> {
  return async (entries, before) => {
    const now = deps.now();
    const sorted = await sortOut(deps, entries.clicks, now.getTime());
    if (sorted.clicks.length === 0) return { entries, ...sorted, write: undefined, aftermath: undefined };
    const trails = new TrailMap(sorted.clicks);
    await findKnowledge(deps.db, trails, now);
    const decided = decide(trails, before);
    for (const { click } of sorted.clicks) if (click.verdict !== 'counted') decided.push({ click, trail: undefined });
    const write = buildClickWrite(decided, sorted.links, (key, day) => isVisitBefore(before, key, day));
    trails.release();
    return { entries, ...sorted, write, aftermath: trails };
  };
}
