import { sumEntries } from '../../../src/ledger/verify/queries.ts';
import { inTransaction } from '../../../src/infra/db.ts';
import type { Db, Queryable } from '../../../src/infra/db.ts';

// Everything the second's look counts, of one snapshot.
const COUNT = `
select (select count(*) from clicks c) as clicks, (select count(*) from postings e) as entries,
  (select count(*) from click_dead_letters d) as "deadLetters"`;
const LIST_DEAD_LETTERS = `
select d.reason, left(d.payload, 120) as payload from click_dead_letters d order by d.id limit 3`;

export interface Snapshot {
  clicks: bigint;
  entries: bigint;
  deadLetters: { reason: string; payload: string }[];
  unbalanced: { entryId: string; sumFen: bigint }[];
}

/** What must hold at every moment, of one REPEATABLE READ snapshot. Rejects while Postgres is away. */
export async function readSnapshot(db: Db): Promise<Snapshot> {
  return inTransaction(
    db,
    async (tx) => {
      const { unbalanced } = await sumEntries(tx);
      const counts = await tx.query<{ clicks: bigint; entries: bigint; deadLetters: bigint }>(COUNT);
      const { clicks = 0n, entries = 0n, deadLetters = 0n } = counts.rows[0] ?? {};
      const letters = deadLetters === 0n ? [] : (await tx.query<Snapshot['deadLetters'][0]>(LIST_DEAD_LETTERS)).rows;
      return { clicks, entries, deadLetters: letters, unbalanced };
    },
    { isolation: 'repeatable read' },
  );
}

export interface StoredClickId {
  clickId: string;
  clickedAt: Date;
  linkNumber: bigint;
}

// A page in the order of the primary key, which serves it in every partition.
const LIST_CLICK_IDS = `
select c.click_id as "clickId", c.clicked_at as "clickedAt", c.link_number as "linkNumber"
from clicks c
where (c.click_id, c.clicked_at) > ($1, $2)
order by c.click_id, c.clicked_at
limit $3`;
const PAGE = 20_000;

/** Every stored click once, equal ids behind each other. */
export async function* listClickIds(db: Queryable): AsyncGenerator<StoredClickId> {
  let [clickId, clickedAt] = ['', new Date(0)];
  for (;;) {
    const { rows } = await db.query<StoredClickId>(LIST_CLICK_IDS, [clickId, clickedAt, PAGE]);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    ({ clickId, clickedAt } = last);
  }
}

// Rollups as they were raised batch by batch, against those counted anew from the clicks; a row where they differ.
const LIST_ROLLUP_DIFFERENCES = `
with counted as (
  select c.link_number, date_trunc('hour', c.clicked_at, 'Asia/Shanghai') as hour, c.verdict, coalesce(c.tag, '') as tag, count(*) as clicks
  from clicks c
  group by 1, 2, 3, 4
)
select coalesce(r.link_number, n.link_number) as "linkNumber", r.clicks as kept, n.clicks as counted
from click_rollups r
full join counted n on n.link_number = r.link_number and n.hour = r.hour and n.verdict = r.verdict and n.tag = r.tag
where r.clicks is distinct from n.clicks
limit 5`;
// A visitor is unique once a link and Shanghai day, with the first click of theirs that counted.
const COUNT_UNIQUES = `
select (select coalesce(sum(r.uniques), 0) from click_rollups r)::bigint as kept,
  (select count(distinct (c.link_number, c.visitor, (c.clicked_at at time zone 'Asia/Shanghai')::date))
   from clicks c where c.verdict = 'counted') as counted`;

/** Where rollups and clicks disagree, in words. */
export async function listRollupFaults(db: Queryable): Promise<string[]> {
  const differences = await db.query<{ linkNumber: bigint; kept: bigint | null; counted: bigint | null }>(
    LIST_ROLLUP_DIFFERENCES,
  );
  const { rows } = await db.query<{ kept: bigint; counted: bigint }>(COUNT_UNIQUES);
  const { kept = 0n, counted = 0n } = rows[0] ?? {};
  return [
    ...differences.rows.map((row) => `K8: link ${row.linkNumber} has ${row.kept} in rollups, ${row.counted} clicks`),
    ...(kept === counted ? [] : [`K8: rollups say ${kept} unique visitors, the clicks ${counted}`]),
  ];
}

// Refused by the trigger: clicks are append-only.
const CHANGE_A_CLICK = `
update clicks set tag = 'x' where click_id = (select c.click_id from clicks c limit 1)`;

/** Whether Postgres refuses to change a click. */
export async function areClicksAppendOnly(db: Queryable): Promise<boolean> {
  try {
    return (await db.query(CHANGE_A_CLICK)).rowCount === 0;
  } catch {
    return true;
  }
}

// Absent in a schema without spools.
const HAS_SPOOLS = `
select to_regclass('click_spools') is not null as "hasSpools"`;
const COUNT_SPOOLS = `
select count(*) as spools from click_spools s`;

/** Spools that still hold clicks, as their processes published. */
export async function countSpools(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ hasSpools: boolean }>(HAS_SPOOLS);
  if (rows[0]?.hasSpools !== true) return 0;
  const counted = await db.query<{ spools: bigint }>(COUNT_SPOOLS);
  return Number(counted.rows[0]?.spools ?? 0n);
}

// Every connection but this one and those of the servers' own helpers.
const TERMINATE_ALL = `
select count(pg_terminate_backend(a.pid)) as ended
from pg_stat_activity a
where a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name <> 'daihuo-faults'`;

/** Ends every connection to the database but those of this harness. @returns how many */
export async function terminateConnections(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ ended: bigint }>(TERMINATE_ALL);
  return Number(rows[0]?.ended ?? 0n);
}

// Served by link_codes_pkey.
const FIND_LINK_NUMBER = `
select l.number from links l join link_codes c on c.link_id = l.id where c.code = $1`;

/** The number by which click ids name a link. @throws where there is no such link */
export async function readLinkNumber(db: Queryable, code: string): Promise<bigint> {
  const { rows } = await db.query<{ number: bigint }>(FIND_LINK_NUMBER, [code]);
  const [link] = rows;
  if (link === undefined) throw new Error(`there is no link ${code}`);
  return link.number;
}
