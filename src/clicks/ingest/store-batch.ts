import { decideRepeats } from '../../core/clicks/click.ts';
import { isDependencyDown } from '../../infra/failures.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { createTransactionLane } from '../../infra/transaction-lane.ts';
import type { StreamClick } from './decode-entries.ts';
import type { KnownLink } from './link-directory.ts';
import type { createPartitions } from './partitions.ts';
import type { PlannedBatch, RefusedClick } from './plan-batch.ts';
import { listStoredClicks } from './plan-queries.ts';
import { becomeWriter } from './shard-queries.ts';
import { askNewClicks, insertClicks } from './store-queries.ts';
import type { BatchPlace, ClickRow, ClickWrite } from './store-queries.ts';
import { TrailMap, findKnowledge } from './visitor-history.ts';

/** Places where a test may stop a worker: `sent` whole, the usual way; `inserted` but not committed, the careful way. */
export type IngestStep = 'claimed' | 'read' | 'sent' | 'inserted' | 'committed';

export interface StoreDeps {
  db: Db;
  shard: number;
  /** A name no other process ever had. */
  worker: string;
  /** A number that this worker gives no other batch, whatever its shard. */
  nextBatch: () => number;
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

/** Stores the planned batches of one shard. Where a function rejects, nobody knows what is stored: storing carefully finds out. */
export interface BatchStore {
  /** To be called before the first batch is planned. */
  begin(): Promise<void>;
  /**
   * The usual way: all clicks are new, and everything about them was worked out beforehand. It is sent whole, and the next batch may be given
   * at once: Postgres stores it after this one, or refuses it where this one failed.
   *
   * @throws also where some click is there already, a click cannot be stored, or it does not follow the shard's latest batch
   */
  asPlanned(batch: PlannedBatch): Promise<StoreResult>;
  /**
   * For clicks some of which may be stored, or refused. On return every click is committed or among `refused`. May be repeated: storing a
   * click again changes nothing.
   */
  carefully(batch: PlannedBatch): Promise<StoreResult>;
}

type Links = ReadonlyMap<number, KnownLink>;

/** `batch`: its number. */
type CarefulDeps = StoreDeps & { batch: number };

function rowOf(click: StreamClick['click'], links: Links): ClickRow {
  const link = links.get(click.linkNumber);
  if (link === undefined) throw new RangeError('a click that is stored has its link');
  const { brandId, linkId, productId, influencerId } = link;
  return { ...click, brandId, linkId, productId, influencerId };
}

/** Looks under the lock, decides, and adds what is not there. */
async function storeCarefully(tx: Tx, deps: CarefulDeps, batch: readonly StreamClick[], links: Links): Promise<number> {
  await becomeWriter(tx, deps);
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
  deps: CarefulDeps,
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

interface Sending {
  write: ClickWrite;
  place: BatchPlace;
  result: StoreResult;
  hasMonths: Promise<void>;
}

/** @see BatchStore */
export function createStore(deps: StoreDeps): BatchStore {
  const { db, shard, worker, nextBatch, ensurePartitions } = deps;
  const lane = createTransactionLane(db);
  /** The number of the batch that the next one is to follow. */
  let latest = 0;
  const follow = (): { latest: number; next: number } => {
    const place = { latest, next: nextBatch() };
    latest = place.next;
    return place;
  };
  const ensureMonths = (clicks: readonly StreamClick[]): Promise<void> =>
    ensurePartitions(clicks.map(({ click }) => click.clickedAt));

  /** Apart from its caller, so that nothing holds on to the clicks while Postgres writes them. */
  const send = async ({ write, place, result, hasMonths }: Sending): Promise<StoreResult> => {
    await hasMonths;
    await lane.run((tx) => {
      // Behind what is sent in this moment, COMMIT included.
      queueMicrotask(() => void deps.onStep('sent'));
      return askNewClicks(tx, place, write);
    });
    return result;
  };

  return {
    begin: () => becomeWriter(db, { shard, worker, batch: follow().next }),
    asPlanned: ({ clicks, refused, write }) => {
      const stored = write?.rows.count ?? 0;
      const result = {
        stored,
        duplicate: write === undefined ? 0 : clicks.length - stored,
        refused,
        isAsPlanned: true,
      };
      // Its place is that of the call, not that of the moment when Postgres has the months.
      return write === undefined
        ? Promise.resolve(result)
        : send({ write, result, place: { shard, worker, ...follow() }, hasMonths: ensureMonths(clicks) });
    },
    carefully: async ({ clicks, refused, links }) => {
      const batch = follow().next;
      await ensureMonths(clicks);
      const careful = await storeOrHalve({ ...deps, batch }, clicks, links);
      return {
        stored: careful.stored,
        duplicate: clicks.length - careful.stored - careful.refused.length,
        refused: [...refused, ...careful.refused],
        isAsPlanned: false,
      };
    },
  };
}
