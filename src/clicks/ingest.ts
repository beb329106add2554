import { REPEAT_WINDOW_MS, decideRepeats } from '../core/click.ts';
import type { Click } from '../core/click.ts';
import { shanghaiMonth } from '../core/calendar.ts';
import { isDependencyDown } from '../http/dependency-down.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db, Tx } from '../infra/db.ts';
import { ensureClickPartitions, findLinksByNumber, insertClicks, listStoredClicks, lockShard } from './queries.ts';
import type { ClickLink, ClickRow, LinkSpan } from './queries.ts';

/** A click and where in the stream it stands. */
export interface StreamClick {
  entryId: string;
  /** From 1. */
  lineNumber: number;
  click: Click;
}

/** A click that cannot be stored. `error`: Postgres refused it, perhaps not for ever; without one, nothing will change. */
export interface RefusedClick {
  streamClick: StreamClick;
  reason: 'unknown_link' | 'clicked_at_out_of_range' | 'not_storable';
  error?: unknown;
}

export interface IngestResult {
  stored: number;
  duplicate: number;
  refused: RefusedClick[];
}

/** Farther from now, a time is a mistake of some clock, and must not make a partition. */
const MAX_DISTANCE_MS = 40 * 24 * 60 * 60 * 1000;

/** For each link the span in which a counted click can make one of these a repeat. */
function spansOf(clicks: readonly Click[]): LinkSpan[] {
  const byLink = Map.groupBy(clicks, ({ linkNumber }) => linkNumber);
  return [...byLink].map(([linkNumber, ofLink]) => {
    const timesMs = ofLink.map(({ clickedAt }) => clickedAt.getTime());
    return {
      linkNumber,
      fromAt: new Date(timesMs.reduce((least, ms) => Math.min(least, ms)) - REPEAT_WINDOW_MS),
      // A click exactly the window later belongs to it; times are whole milliseconds.
      untilAt: new Date(timesMs.reduce((most, ms) => Math.max(most, ms)) + REPEAT_WINDOW_MS + 1),
    };
  });
}

function rowsOf(clicks: readonly Click[], links: ReadonlyMap<number, ClickLink>): ClickRow[] {
  return clicks.flatMap((click) => {
    const link = links.get(click.linkNumber);
    return link === undefined ? [] : [{ ...link, ...click }];
  });
}

/** Stores clicks of one shard in the caller's transaction: decides repeats, adds what is not there, raises the rollups. */
async function storeClicks(tx: Tx, shard: number, streamClicks: readonly StreamClick[]): Promise<IngestResult> {
  await lockShard(tx, shard);
  const links = await findLinksByNumber(tx, [...new Set(streamClicks.map(({ click }) => click.linkNumber))]);
  const [known, unknown] = partition(streamClicks, ({ click }) => links.has(click.linkNumber));
  const clicks = known.map(({ click }) => click);
  const refused = unknown.map((streamClick): RefusedClick => ({ streamClick, reason: 'unknown_link' }));
  if (clicks.length === 0) return { stored: 0, duplicate: 0, refused };
  const decided = decideRepeats(clicks, await listStoredClicks(tx, clicks, spansOf(clicks)));
  const stored = await insertClicks(tx, rowsOf(decided, links));
  return { stored, duplicate: clicks.length - stored, refused };
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const passed: T[] = [];
  const failed: T[] = [];
  for (const item of items) (test(item) ? passed : failed).push(item);
  return [passed, failed];
}

function merge(results: readonly IngestResult[]): IngestResult {
  return {
    stored: results.reduce((sum, { stored }) => sum + stored, 0),
    duplicate: results.reduce((sum, { duplicate }) => sum + duplicate, 0),
    refused: results.flatMap(({ refused }) => refused),
  };
}

/** One transaction for all; where Postgres refuses it, one for each half, down to the clicks that are to blame. */
async function storeOrHalve(db: Db, shard: number, clicks: readonly StreamClick[]): Promise<IngestResult> {
  try {
    return await inTransaction(db, (tx) => storeClicks(tx, shard, clicks));
  } catch (error) {
    // A Postgres that does not answer says nothing about the clicks: the caller waits and comes again with all of them.
    if (isDependencyDown(error)) throw error;
    const [first] = clicks;
    if (first === undefined) throw error;
    if (clicks.length === 1)
      return merge([{ stored: 0, duplicate: 0, refused: [{ streamClick: first, reason: 'not_storable', error }] }]);
    const middle = Math.ceil(clicks.length / 2);
    const left = await storeOrHalve(db, shard, clicks.slice(0, middle));
    return merge([left, await storeOrHalve(db, shard, clicks.slice(middle))]);
  }
}

/**
 * Returns the function that stores a batch of one shard's clicks. On return every click of the batch is committed or among `refused`.
 *
 * Storing a click again changes nothing, so after a rejection (Postgres is away, or the answer to COMMIT was lost) the whole batch may and
 * must be given again.
 */
export function createIngest(deps: { db: Db; now: () => Date }) {
  /** Months whose partition is known to exist. */
  const months = new Set<string>();
  const ensurePartitions = async (clicks: readonly StreamClick[]): Promise<void> => {
    for (const { click } of clicks) {
      const month = shanghaiMonth(click.clickedAt);
      if (months.has(month)) continue;
      await ensureClickPartitions(deps.db, { from: click.clickedAt, monthsAhead: 0 });
      months.add(month);
    }
  };
  return async (shard: number, clicks: readonly StreamClick[]): Promise<IngestResult> => {
    const nowMs = deps.now().getTime();
    const [near, far] = partition(
      clicks,
      ({ click }) => Math.abs(click.clickedAt.getTime() - nowMs) <= MAX_DISTANCE_MS,
    );
    const refused = far.map((streamClick): RefusedClick => ({ streamClick, reason: 'clicked_at_out_of_range' }));
    if (near.length === 0) return { stored: 0, duplicate: 0, refused };
    await ensurePartitions(near);
    return merge([{ stored: 0, duplicate: 0, refused }, await storeOrHalve(deps.db, shard, near)]);
  };
}
