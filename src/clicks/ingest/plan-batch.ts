import { LRUCache } from 'lru-cache';

import { decideRepeats } from '../../core/clicks/click.ts';
import type { Click, StoredClick } from '../../core/clicks/click.ts';
import type { Db } from '../../infra/db.ts';
import { buildClickWrite } from './click-write.ts';
import type { DecidedClick, KnownLink } from './click-write.ts';
import type { DecodedEntries, StreamClick } from './entry-source.ts';
import { listLinksByNumber } from './plan-queries.ts';
import { linkRowText } from './store-queries.ts';
import type { ClickWrite } from './store-queries.ts';
import { VisitorHistories, countedClickOf, loadHistories, historyOf } from './visitor-history.ts';
import type { VisitorHistory } from './visitor-history.ts';

export interface LinkDirectory {
  /** The links of these numbers. Numbers without a link are absent, and looked up again the next time. */
  listByNumber(numbers: ReadonlySet<number>): Promise<Map<number, KnownLink>>;
}

/** At most 60 MB; a link that is rarely visited costs a lookup. */
const MAX_LINKS = 100_000;

/**
 * Caches links by number. A link keeps its brand, product and influencer for ever (no statement updates those columns, and numbers are not
 * reused), so a cached link never becomes wrong.
 */
export function createLinkDirectory(db: Db): LinkDirectory {
  const cache = new LRUCache<number, KnownLink>({ max: MAX_LINKS });
  return {
    listByNumber: async (numbers) => {
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

/** A click that cannot be stored. With `error`, Postgres refused it, and a later try may succeed; without one, no later try can. */
export interface RefusedClick {
  streamClick: StreamClick;
  reason: 'unknown_link' | 'clicked_at_out_of_range' | 'not_storable';
  error?: unknown;
}

/** The state that a batch leaves for the decisions of the next ones once it is stored: its histories, without their clicks. */
export type ProjectedState = VisitorHistories;

export interface PlannedBatch {
  entries: DecodedEntries;
  /** Clicks that can be stored, as delivered. */
  clicks: StreamClick[];
  refused: RefusedClick[];
  links: ReadonlyMap<number, KnownLink>;
  /** Valid while none of the clicks is stored and only the batches before it were stored since; undefined without clicks. */
  write: ClickWrite | undefined;
  projected: ProjectedState | undefined;
}

export interface PlannerDeps {
  db: Db;
  links: LinkDirectory;
  now: () => Date;
}

/** A time farther from now comes from a wrong clock, and must not make a partition. */
const MAX_DISTANCE_MS = 40 * 24 * 60 * 60 * 1000;

interface SeparatedClicks {
  clicks: StreamClick[];
  refused: RefusedClick[];
  links: ReadonlyMap<number, KnownLink>;
}

async function separateRefused(
  deps: PlannerDeps,
  all: readonly StreamClick[],
  nowMs: number,
): Promise<SeparatedClicks> {
  const refused: RefusedClick[] = [];
  const isNear = ({ click }: StreamClick): boolean => Math.abs(click.clickedAt.getTime() - nowMs) <= MAX_DISTANCE_MS;
  const links = await deps.links.listByNumber(new Set(all.filter(isNear).map(({ click }) => click.linkNumber)));
  const clicks = all.filter((streamClick) => {
    if (!isNear(streamClick)) refused.push({ streamClick, reason: 'clicked_at_out_of_range' });
    else if (!links.has(streamClick.click.linkNumber)) refused.push({ streamClick, reason: 'unknown_link' });
    else return true;
    return false;
  });
  return { clicks, refused, links };
}

/** Counted clicks of the history that are stored, or that the batches before will store. */
function earlierOf(history: VisitorHistory, before: readonly ProjectedState[]): readonly StoredClick[] {
  const countedMs = before.flatMap((projected) => projected.get(history.key)?.countedMs ?? []);
  if (countedMs.length === 0) return history.stored;
  return [...history.stored, ...countedMs.map((atMs) => countedClickOf(history, atMs))];
}

/** Gives every click that could count its final verdict. Most visitors come once and count; only the others need the comparison. */
function decide(histories: VisitorHistories, before: readonly ProjectedState[]): DecidedClick[] {
  const decided: DecidedClick[] = [];
  const undecided: Click[] = [];
  const stored: StoredClick[] = [];
  for (const history of histories.values()) {
    const earlier = earlierOf(history, before);
    const [first] = history.clicks;
    if (first !== undefined && history.clicks.length === 1 && earlier.length === 0) {
      history.countedMs = [first.click.clickedAt.getTime()];
      decided.push({ click: first.click, history });
    } else {
      for (const { click } of history.clicks) undecided.push(click);
      stored.push(...earlier);
    }
  }
  for (const click of decideRepeats(undecided, stored)) {
    const history = click.verdict === 'counted' ? historyOf(histories, click) : undefined;
    if (history !== undefined) history.countedMs = [...history.countedMs, click.clickedAt.getTime()];
    decided.push({ click, history });
  }
  return decided;
}

/** Whether one of the batches before has a counted click of this history on this day. */
function isVisitBefore(before: readonly ProjectedState[], key: string, day: string): boolean {
  return before.some((projected) =>
    projected.get(key)?.days.some((each) => each.day === day && each.visit !== undefined),
  );
}

/** @param before  what the batches in flight will leave, oldest first */
export type PlanBatch = (entries: DecodedEntries, before: readonly ProjectedState[]) => Promise<PlannedBatch>;

/**
 * Returns the function that decides about a batch before it is stored: which clicks can be stored, which are repeats, and what they change in
 * the rollups. It only reads, and may run while the batches before it are being stored.
 */
export function createPlanner(deps: PlannerDeps): PlanBatch {
  return async (entries, before) => {
    const now = deps.now();
    const separated = await separateRefused(deps, entries.clicks, now.getTime());
    if (separated.clicks.length === 0) return { entries, ...separated, write: undefined, projected: undefined };
    const histories = new VisitorHistories(separated.clicks);
    await loadHistories(deps.db, histories, now);
    const decided = decide(histories, before);
    for (const { click } of separated.clicks)
      if (click.verdict !== 'counted') decided.push({ click, history: undefined });
    const write = buildClickWrite(decided, separated.links, (key, day) => isVisitBefore(before, key, day));
    histories.release();
    return { entries, ...separated, write, projected: histories };
  };
}
