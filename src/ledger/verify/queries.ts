import type { Tx } from '../../infra/db.ts';

/** How many journals there are, and up to ten that do not sum to 0 fen. */
export interface BalanceCheck {
  journals: bigint;
  entries: bigint;
  unbalanced: { journalId: string; sumFen: bigint }[];
}

const COUNT_JOURNALS = `
select (select count(*) from journal_entries j) as "journals", (select count(*) from postings e) as "entries"`;
// One pass over the entries; Postgres spills to disk what does not fit its memory.
const LIST_UNBALANCED = `
select e.entry_id as "journalId", sum(e.amount_fen)::bigint as "sumFen"
from postings e
group by e.brand_id, e.entry_id
having sum(e.amount_fen) <> 0
order by e.entry_id
limit 10`;

/** Every journal's sum. */
export async function checkBalances(tx: Tx): Promise<BalanceCheck> {
  const counts = await tx.query<{ journals: bigint; entries: bigint }>(COUNT_JOURNALS);
  const unbalanced = await tx.query<{ journalId: string; sumFen: bigint }>(LIST_UNBALANCED);
  return { journals: 0n, entries: 0n, ...counts.rows[0], unbalanced: unbalanced.rows };
}

// By payee and brand, the money that left for cash (and what was written off), counted on the accounts that no total reads: what a payee
// was paid must be what its lines say left them.
const LIST_CASH_DIFFERENCES = `
select e.brand_id as "brandId", e.payee_id as "payeeId", sum(e.amount_fen)::bigint as "differenceFen"
from postings e
where e.line_position is not null
group by e.brand_id, e.payee_id
having sum(e.amount_fen) <> 0
order by e.brand_id, e.payee_id
limit 10`;

/** Up to ten payees whose lines say more or less was paid out than left in cash. */
export async function listCashDifferences(
  tx: Tx,
): Promise<{ brandId: string; payeeId: string; differenceFen: bigint }[]> {
  const { rows } = await tx.query<{ brandId: string; payeeId: string; differenceFen: bigint }>(LIST_CASH_DIFFERENCES);
  return rows;
}

// Journals that are neither sealed nor waiting to be: the sealer would never find them.
const LIST_FORGOTTEN_JOURNALS = `
select j.id as "journalId"
from journal_entries j
left join entry_seals s on s.brand_id = j.brand_id and s.entry_id = j.id
left join seal_queue q on q.brand_id = j.brand_id and q.entry_id = j.id
where (s.entry_id is null) = (q.entry_id is null)
order by j.id
limit 10`;
const COUNT_QUEUED = `
select count(*) as "queued" from seal_queue q`;

/** Up to ten journals that are neither sealed nor queued (or both), and how many are queued. */
export async function checkSealQueue(tx: Tx): Promise<{ queued: bigint; forgotten: string[] }> {
  const forgotten = await tx.query<{ journalId: string }>(LIST_FORGOTTEN_JOURNALS);
  const queued = await tx.query<{ queued: bigint }>(COUNT_QUEUED);
  return { queued: queued.rows[0]?.queued ?? 0n, forgotten: forgotten.rows.map(({ journalId }) => journalId) };
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
