import { encodeClickLine } from '../../core/click-batch.ts';
import { decideRepeats } from '../../core/click.ts';
import type { Click, StoredClick } from '../../core/click.ts';
import type { Db } from '../../infra/db.ts';
import { buildClickWrite } from './click-write.ts';
import type { DecidedClick } from './click-write.ts';
import type { DecodedEntries, StreamClick } from './decode-entries.ts';
import type { KnownLink, LinkDirectory } from './link-directory.ts';
import type { ClickWrite } from './store-queries.ts';
import { TrailMap, findKnowledge, trailOf } from './trails.ts';
import type { Trail } from './trails.ts';

/** A click that cannot be stored. `error`: Postgres refused it, perhaps not for ever; without one, nothing will change. */
export interface RefusedClick {
  streamClick: StreamClick;
  reason: 'unknown_link' | 'clicked_at_out_of_range' | 'not_storable';
  error?: unknown;
}

/** What a batch will leave behind for the decisions of the next one: its trails, each with the clicks it counts. */
export type Aftermath = TrailMap;

export interface PlannedBatch {
  entries: DecodedEntries;
  /** Clicks that can be stored, as delivered. */
  clicks: StreamClick[];
  refused: RefusedClick[];
  links: ReadonlyMap<number, KnownLink>;
  /** Right as long as none of the clicks is stored, and nobody else has stored clicks of this shard since; undefined without clicks. */
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

/** Counted clicks of the trail that are stored, or will be by the batch before. */
function earlierOf(trail: Trail, before: Aftermath | undefined): readonly StoredClick[] {
  const ofBatchBefore = before?.get(trail.key)?.counted ?? [];
  return ofBatchBefore.length === 0 ? trail.stored : [...trail.stored, ...ofBatchBefore];
}

/** Decides about the clicks that could be repeats; most visitors come once, and count. */
function decide(trails: TrailMap, before: Aftermath | undefined): DecidedClick[] {
  const decided: DecidedClick[] = [];
  const doubtful: Click[] = [];
  const stored: StoredClick[] = [];
  for (const trail of trails.values()) {
    const earlier = earlierOf(trail, before);
    const [first] = trail.clicks;
    if (first !== undefined && trail.clicks.length === 1 && earlier.length === 0) {
      trail.counted = [first.click];
      decided.push({ click: first.click, line: first.line, trail });
    } else {
      for (const { click } of trail.clicks) doubtful.push(click);
      stored.push(...earlier);
    }
  }
  for (const click of decideRepeats(doubtful, stored)) {
    const trail = click.verdict === 'counted' ? trailOf(trails, click) : undefined;
    if (trail !== undefined) trail.counted = [...trail.counted, click];
    decided.push({ click, line: encodeClickLine(click), trail });
  }
  return decided;
}

/** Whether the batch before leaves a counted click of this trail on this day. */
function isVisitBefore(before: Aftermath | undefined, key: string, day: string): boolean {
  return before?.get(key)?.days.some((each) => each.day === day && each.visit !== undefined) ?? false;
}

/**
 * Returns the function that decides about a batch before it is stored: which clicks can be, which are repeats, what else they change. It
 * reads only, and may run while the batch before it is being stored: `before` says what that one will leave behind.
 */
export function createPlanner(
  deps: PlannerDeps,
): (entries: DecodedEntries, before?: Aftermath) => Promise<PlannedBatch> {
  return async (entries, before) => {
    const now = deps.now();
    const sorted = await sortOut(deps, entries.clicks, now.getTime());
    if (sorted.clicks.length === 0) return { entries, ...sorted, write: undefined, aftermath: undefined };
    const trails = new TrailMap(sorted.clicks);
    await findKnowledge(deps.db, trails, now);
    const decided = decide(trails, before);
    for (const { click, line } of sorted.clicks)
      if (click.verdict !== 'counted') decided.push({ click, line, trail: undefined });
    const write = buildClickWrite(decided, sorted.links, (key, day) => isVisitBefore(before, key, day));
    return { entries, ...sorted, write, aftermath: trails };
  };
}
