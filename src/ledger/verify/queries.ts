import type { Tx } from '../../infra/db.ts';

/** How many entries and postings there are, and up to ten entries that do not sum to 0 fen. */
export interface EntrySums {
  entries: bigint;
  postings: bigint;
  unbalanced: { entryId: string; sumFen: bigint }[];
}

const COUNT_ENTRIES = `
select (select count(*) from journal_entries e) as "entries", (select count(*) from postings p) as "postings"`;
// One pass over the postings; Postgres spills to disk what does not fit its memory.
const LIST_UNBALANCED = `
select p.entry_id as "entryId", sum(p.amount_fen)::bigint as "sumFen"
from postings p
group by p.brand_id, p.entry_id
having sum(p.amount_fen) <> 0
order by p.entry_id
limit 10`;

/** The sum of every entry. */
export async function sumEntries(tx: Tx): Promise<EntrySums> {
  const counts = await tx.query<{ entries: bigint; postings: bigint }>(COUNT_ENTRIES);
  const unbalanced = await tx.query<{ entryId: string; sumFen: bigint }>(LIST_UNBALANCED);
  return { entries: 0n, postings: 0n, ...counts.rows[0], unbalanced: unbalanced.rows };
}

// By payee and brand, the sum over all accounts of lines. It is 0 where the money that left for cash or was written off, which no figure of a
// line counts, is what the figures say was paid out.
const LIST_CASH_DIFFERENCES = `
select p.brand_id as "brandId", p.payee_id as "payeeId", sum(p.amount_fen)::bigint as "differenceFen"
from postings p
where p.line_position is not null
group by p.brand_id, p.payee_id
having sum(p.amount_fen) <> 0
order by p.brand_id, p.payee_id
limit 10`;

/** Up to ten payees whose lines say more or less was paid out than left in cash. */
export async function listCashDifferences(
  tx: Tx,
): Promise<{ brandId: string; payeeId: string; differenceFen: bigint }[]> {
  const { rows } = await tx.query<{ brandId: string; payeeId: string; differenceFen: bigint }>(LIST_CASH_DIFFERENCES);
  return rows;
}

// Entries that are neither sealed nor waiting to be: the sealer would never find them.
const LIST_FORGOTTEN = `
select e.id as "entryId"
from journal_entries e
left join entry_seals s on s.brand_id = e.brand_id and s.entry_id = e.id
left join seal_queue q on q.brand_id = e.brand_id and q.entry_id = e.id
where (s.entry_id is null) = (q.entry_id is null)
order by e.id
limit 10`;
const COUNT_QUEUED = `
select count(*) as "queued" from seal_queue q`;

/** Up to ten entries that are neither sealed nor queued (or both), and how many are queued. */
export async function checkSealQueue(tx: Tx): Promise<{ queued: bigint; forgotten: string[] }> {
  const forgotten = await tx.query<{ entryId: string }>(LIST_FORGOTTEN);
  const queued = await tx.query<{ queued: bigint }>(COUNT_QUEUED);
  return { queued: queued.rows[0]?.queued ?? 0n, forgotten: forgotten.rows.map(({ entryId }) => entryId) };
}

export interface RollupDifference {
  linkNumber: bigint;
  hour: Date;
  verdict: string;
  clicks: bigint;
  rolledUp: bigint;
}

// Counts of clicks and rollups side by side, from the first month whose clicks are still kept: older rollups outlive their clicks.
const LIST_ROLLUP_DIFFERENCES = `
with kept as (
  select min(to_date(substr(p.relname, 8), 'YYYY_MM'))::timestamp at time zone 'Asia/Shanghai' as since
  from pg_inherits i
  join pg_class p on p.oid = i.inhrelid
  where i.inhparent = 'clicks'::regclass and p.relname ~ '^clicks_[0-9]{4}_[0-9]{2}$'
), counted as (
  select c.link_number, date_trunc('hour', c.clicked_at, 'UTC') as hour, c.verdict, coalesce(c.tag, '') as tag, count(*) as clicks
  from clicks c
  group by c.link_number, date_trunc('hour', c.clicked_at, 'UTC'), c.verdict, coalesce(c.tag, '')
), rolled as (
  select r.link_number, r.hour, r.verdict, r.tag, r.clicks from click_rollups r where r.hour >= (select k.since from kept k)
)
select coalesce(c.link_number, r.link_number) as "linkNumber", coalesce(c.hour, r.hour) as "hour",
  coalesce(c.verdict, r.verdict) as "verdict", coalesce(c.clicks, 0) as "clicks", coalesce(r.clicks, 0) as "rolledUp"
from counted c
full join rolled r on r.link_number = c.link_number and r.hour = c.hour and r.verdict = c.verdict and r.tag = c.tag
where coalesce(c.clicks, 0) <> coalesce(r.clicks, 0)
limit 10`;
const COUNT_CLICKS = `
select (select count(*) from clicks c) as "clicks", (select count(*) from click_rollups r) as "rollups"`;

/** How many clicks and rollups there are, and up to ten rollups that do not count their clicks. */
export async function checkRollups(
  tx: Tx,
): Promise<{ clicks: bigint; rollups: bigint; differences: RollupDifference[] }> {
  const counts = await tx.query<{ clicks: bigint; rollups: bigint }>(COUNT_CLICKS);
  const { rows } = await tx.query<RollupDifference>(LIST_ROLLUP_DIFFERENCES);
  return { clicks: 0n, rollups: 0n, ...counts.rows[0], differences: rows };
}
