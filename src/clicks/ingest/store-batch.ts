import { addDays, dayToInstant, shanghaiMonth } from '../../core/calendar.ts';
import { decideRepeats } from '../../core/clicks/click.ts';
import { isDependencyDown } from '../../infra/failures.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { createPipelinedTransactions } from '../../infra/pipelined-transactions.ts';
import type { IngestStep, StreamClick } from './entry-source.ts';
import type { KnownLink } from './click-write.ts';
import type { PlannedBatch, RefusedClick } from './plan-batch.ts';
import { listStoredClicks } from './plan-queries.ts';
import { becomeWriter } from './shard-queries.ts';
import { sendNewClicks, ensureClickPartitions, insertClicks } from './store-queries.ts';
import type { BatchPlace, ClickRow, ClickWrite } from './store-queries.ts';
import { VisitorHistories, loadHistories } from './visitor-history.ts';

interface Month {
  fromMs: number;
  untilMs: number;
}

/** Longer than every month, and shorter than two. */
const BEYOND_A_MONTH_DAYS = 32;

function monthOf(instant: Date): Month {
  const from = dayToInstant(`${shanghaiMonth(instant)}-01`);
  const until = dayToInstant(`${shanghaiMonth(addDays(from, BEYOND_A_MONTH_DAYS))}-01`);
  return { fromMs: from.getTime(), untilMs: until.getTime() };
}

/** Makes the partitions of the months of these instants where they are missing. */
export type EnsurePartitions = (instants: Iterable<Date>) => Promise<void>;

/** Returns the function that ensures the partitions; it queries Postgres once for each month. */
export function createPartitions(db: Db): EnsurePartitions {
  const known: Month[] = [];
  return async (instants) => {
    for (const instant of instants) {
      const ms = instant.getTime();
      if (known.some(({ fromMs, untilMs }) => ms >= fromMs && ms < untilMs)) continue;
      await ensureClickPartitions(db, { from: instant, monthsAhead: 0 });
      known.unshift(monthOf(instant));
    }
  };
}

export interface StoreDeps {
  db: Db;
  shard: number;
  /** A name that no other process ever had. */
  worker: string;
  /** Returns a token that this worker gives to no other batch of any shard. */
  nextFencingToken: () => number;
  now: () => Date;
  ensurePartitions: EnsurePartitions;
  onStep: (step: IngestStep) => Promise<void> | void;
}

export interface StoreResult {
  stored: number;
  duplicate: number;
  refused: RefusedClick[];
  /** Whether the batch was stored as planned; otherwise the batches planned after it must be planned again. */
  isOptimistic: boolean;
}

/** Stores the planned batches of one shard. When a function rejects, it is unknown what is stored: `storeIdempotent` finds out. */
export interface BatchStore {
  /** Makes this worker the writer of the shard. Call it before the first batch is planned. */
  begin(): Promise<void>;
  /**
   * The usual way: all clicks are new, and the plan holds everything that changes. The batch is sent whole, and the next one may be given at
   * once: Postgres stores it after this one, or refuses it when this one failed.
   *
   * @throws also when a click is stored already, a click cannot be stored, or the batch does not follow the shard's latest one
   */
  storeOptimistic(batch: PlannedBatch): Promise<StoreResult>;
  /**
   * For a batch of which some clicks may be stored already, or cannot be stored. On return every click is committed or among `refused`. May be
   * repeated: storing a click again changes nothing.
   */
  storeIdempotent(batch: PlannedBatch): Promise<StoreResult>;
}

type Links = ReadonlyMap<number, KnownLink>;

type IdempotentDeps = StoreDeps & { fencingToken: number };

function rowOf(click: StreamClick['click'], links: Links): ClickRow {
  const link = links.get(click.linkNumber);
  if (link === undefined) throw new RangeError('every click of a plan has its link');
  const { brandId, linkId, productId, influencerId } = link;
  return { ...click, brandId, linkId, productId, influencerId };
}

/** Holds the shard's lock, decides from what is stored, and inserts the clicks that are missing. */
async function insertMissing(
  tx: Tx,
  deps: IdempotentDeps,
  batch: readonly StreamClick[],
  links: Links,
): Promise<number> {
  await becomeWriter(tx, deps);
  const clicks = batch.map(({ click }) => click);
  const histories = new VisitorHistories(batch);
  await loadHistories(tx, histories, deps.now());
  const counted = [...histories.values()].flatMap(({ stored }) => stored);
  const decided = decideRepeats(clicks, [...counted, ...(await listStoredClicks(tx, clicks))]);
  const added = await insertClicks(
    tx,
    decided.map((click) => rowOf(click, links)),
  );
  await deps.onStep('inserted');
  return added;
}

/** One transaction for all clicks; when Postgres refuses it, one for each half, down to the single clicks that cannot be stored. */
async function storeOrHalve(
  deps: IdempotentDeps,
  batch: readonly StreamClick[],
  links: Links,
): Promise<{ stored: number; refused: RefusedClick[] }> {
  try {
    const stored = await inTransaction(deps.db, (tx) => insertMissing(tx, deps, batch, links));
    return { stored, refused: [] };
  } catch (error) {
    // A Postgres that does not answer says nothing about the clicks: the caller waits and tries again with all of them.
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
  const { db, shard, worker, nextFencingToken, ensurePartitions } = deps;
  const pipeline = createPipelinedTransactions(db);
  /** The token of the batch that the next one must follow. */
  let latestToken = 0;
  const takeToken = (): { latestToken: number; nextToken: number } => {
    const tokens = { latestToken, nextToken: nextFencingToken() };
    latestToken = tokens.nextToken;
    return tokens;
  };
  const ensureMonths = (clicks: readonly StreamClick[]): Promise<void> =>
    ensurePartitions(clicks.map(({ click }) => click.clickedAt));

  /** A function of its own, so that no variable keeps the clicks alive while Postgres writes them. */
  const send = async ({ write, place, result, hasMonths }: Sending): Promise<StoreResult> => {
    await hasMonths;
    await pipeline.run((tx) => {
      // Runs after the whole transaction was sent, COMMIT included.
      queueMicrotask(() => void deps.onStep('sent'));
      return sendNewClicks(tx, place, write);
    });
    return result;
  };

  return {
    begin: () => becomeWriter(db, { shard, worker, fencingToken: takeToken().nextToken }),
    storeOptimistic: ({ clicks, refused, write }) => {
      const stored = write?.rows.count ?? 0;
      const result = {
        stored,
        duplicate: write === undefined ? 0 : clicks.length - stored,
        refused,
        isOptimistic: true,
      };
      // The token is taken at the call, not when the partitions exist: calls keep their order.
      return write === undefined
        ? Promise.resolve(result)
        : send({ write, result, place: { shard, worker, ...takeToken() }, hasMonths: ensureMonths(clicks) });
    },
    storeIdempotent: async ({ clicks, refused, links }) => {
      const fencingToken = takeToken().nextToken;
      await ensureMonths(clicks);
      const outcome = await storeOrHalve({ ...deps, fencingToken }, clicks, links);
      return {
        stored: outcome.stored,
        duplicate: clicks.length - outcome.stored - outcome.refused.length,
        refused: [...refused, ...outcome.refused],
        isOptimistic: false,
      };
    },
  };
}
