import { decideRepeats } from '../../core/click.ts';
import { isDependencyDown } from '../../http/dependency-down.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import type { StreamClick } from './decode-entries.ts';
import type { KnownLink } from './link-directory.ts';
import type { createPartitions } from './partitions.ts';
import type { PlannedBatch, RefusedClick } from './plan-batch.ts';
import { listStoredClicks } from './plan-queries.ts';
import { becomeWriter } from './shard-queries.ts';
import { insertClicks, insertNewClicks } from './store-queries.ts';
import type { ClickRow, ClickWrite } from './store-queries.ts';
import { TrailMap, findKnowledge } from './trails.ts';

/** Places where a test may stop a worker. */
export type IngestStep = 'claimed' | 'read' | 'inserted' | 'committed';

export interface StoreDeps {
  db: Db;
  shard: number;
  /** A name no other process ever had. */
  worker: string;
  now: () => Date;
  ensurePartitions: ReturnType<typeof createPartitions>;
  onStep: (step: IngestStep) => Promise<void> | void;
}

export interface StoreResult {
  stored: number;
  duplicate: number;
  refused: RefusedClick[];
  /** Whether the plan came true; else what was planned after it must be planned again. */
  isAsPlanned: boolean;
}

/** Another worker stored clicks of this shard since this one did: what was planned may be wrong. */
class NotLastWriterError extends Error {
  override readonly name = 'NotLastWriterError';
}

/** The usual way: all clicks are new, and everything about them was worked out beforehand. The constraints are the referee. */
async function storeAsPlanned(deps: StoreDeps, write: ClickWrite): Promise<number> {
  return inTransaction(deps.db, async (tx) => {
    const stored = await insertNewClicks(tx, deps, write);
    if (stored === 0) throw new NotLastWriterError();
    await deps.onStep('inserted');
    return stored;
  });
}

type Links = ReadonlyMap<number, KnownLink>;

function rowOf(click: StreamClick['click'], links: Links): ClickRow {
  const link = links.get(click.linkNumber);
  if (link === undefined) throw new RangeError('a click that is stored has its link');
  const { brandId, linkId, productId, influencerId } = link;
  return { ...click, brandId, linkId, productId, influencerId };
}

/** The careful way, for clicks some of which may be stored: looks under the lock, decides, and adds what is not there. */
async function storeCarefully(tx: Tx, deps: StoreDeps, batch: readonly StreamClick[], links: Links): Promise<number> {
  await becomeWriter(tx, deps.shard, deps.worker);
  const clicks = batch.map(({ click }) => click);
  const trails = new TrailMap(batch);
  await findKnowledge(tx, trails, deps.now());
  const counted = [...trails.values()].flatMap(({ stored }) => stored);
  const decided = decideRepeats(clicks, [...counted, ...(await listStoredClicks(tx, clicks))]);
  const added = await insertClicks(
    tx,
    decided.map((click) => rowOf(click, links)),
  );
  await deps.onStep('inserted');
  return added;
}

/** One transaction for all; where Postgres refuses it, one for each half, down to the clicks that are to blame. */
async function storeOrHalve(
  deps: StoreDeps,
  batch: readonly StreamClick[],
  links: Links,
): Promise<{ stored: number; refused: RefusedClick[] }> {
  try {
    const stored = await inTransaction(deps.db, (tx) => storeCarefully(tx, deps, batch, links));
    return { stored, refused: [] };
  } catch (error) {
    // A Postgres that does not answer says nothing about the clicks: the caller waits and comes again with all of them.
    if (isDependencyDown(error)) throw error;
    const [first] = batch;
    if (first === undefined) throw error;
    if (batch.length === 1) return { stored: 0, refused: [{ streamClick: first, reason: 'not_storable', error }] };
    const middle = Math.ceil(batch.length / 2);
    const left = await storeOrHalve(deps, batch.slice(0, middle), links);
    const right = await storeOrHalve(deps, batch.slice(middle), links);
    return { stored: left.stored + right.stored, refused: [...left.refused, ...right.refused] };
  }
}

/**
 * Returns the function that stores a planned batch. On return every click of it is committed or among `refused`.
 *
 * Storing a click again changes nothing, so after a rejection (Postgres is away, or the answer to COMMIT was lost) the whole batch may and
 * must be given again.
 */
export function createStore(deps: StoreDeps): (batch: PlannedBatch) => Promise<StoreResult> {
  return async ({ clicks, refused, links, write }) => {
    if (write === undefined) return { stored: 0, duplicate: 0, refused, isAsPlanned: true };
    await deps.ensurePartitions(clicks.map(({ click }) => click.clickedAt));
    try {
      const stored = await storeAsPlanned(deps, write);
      return { stored, duplicate: clicks.length - stored, refused, isAsPlanned: true };
    } catch (error) {
      // Some click is there already, another worker came between, or a click cannot be stored: the careful way finds out.
      if (isDependencyDown(error)) throw error;
    }
    const careful = await storeOrHalve(deps, clicks, links);
    const refusedHere = careful.refused.length;
    return {
      stored: careful.stored,
      duplicate: clicks.length - careful.stored - refusedHere,
      refused: [...refused, ...careful.refused],
      isAsPlanned: false,
    };
  };
}
