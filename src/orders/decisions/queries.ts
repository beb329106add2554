import type { Queryable, Tx } from '../../infra/db.ts';
import type { AttributionAnswer, DecisionAnswer } from '../reading/attribution-answer.ts';

// Read after the lock, in a statement of its own: a statement that waited for a lock sees other tables as they were before it waited.
const FIND_STATE_OF_LINE = `
select c.released_at is not null as "isReleased", a.method, a.link_id as "linkId", a.dispute ->> 'linkId' as "disputedLinkId",
  d.overruled_link_id as "overruledLinkId"
from order_lines l
left join priced_lines c on c.brand_id = l.brand_id and c.line_id = l.id
left join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
left join line_decisions d on d.brand_id = l.brand_id and d.line_id = l.id and d.undone_at is null
where l.id = $1`;

export interface LineState {
  /** The commission is payable (or was paid). */
  isReleased: boolean;
  method: string | null;
  linkId: string | null;
  disputedLinkId: string | null;
  /** Of the standing decision. */
  overruledLinkId: string | null;
}

/** What stands for a line just now; the caller holds the order's lock. */
export async function getStateOfLine(tx: Tx, lineId: string): Promise<LineState> {
  const { rows } = await tx.query<LineState>(FIND_STATE_OF_LINE, [lineId]);
  const [state] = rows;
  if (state === undefined) throw new Error(`line ${lineId} vanished under its lock`);
  return state;
}

// Codes and aliases share one name space: link_codes_pkey. Another brand's code is no code.
const FIND_LINK_OF_CODE = `
select c.link_id as "linkId"
from link_codes c
where c.code = $1 and c.brand_id = $2`;

/** The link that a code or alias of this brand names. */
export async function findLinkOfCode(
  tx: Tx,
  { code, brandId }: { code: string; brandId: string },
): Promise<string | undefined> {
  const { rows } = await tx.query<{ linkId: string }>(FIND_LINK_OF_CODE, [code, brandId]);
  return rows[0]?.linkId;
}

// A decision is never changed, only undone. kind null: whichever stands. Served by order_lines_id_idx and line_decisions_standing_key.
const UNDO_STANDING_DECISION = `
update line_decisions set undone_by = $3, undone_at = now()
from order_lines l
where l.id = $1 and line_decisions.brand_id = l.brand_id and line_decisions.line_id = l.id and line_decisions.undone_at is null
  and ($2::text is null or line_decisions.kind = $2)
returning line_decisions.kind, line_decisions.link_id as "linkId", line_decisions.note`;

export interface UndoneDecision {
  kind: 'assign' | 'reject';
  linkId: string | null;
  note: string;
}

/** Undoes the standing decision of a line; undefined: none of that kind stands. */
export async function undoStandingDecision(
  tx: Tx,
  { lineId, kind, actor }: { lineId: string; kind?: 'assign' | 'reject'; actor: string },
): Promise<UndoneDecision | undefined> {
  const { rows } = await tx.query<UndoneDecision>(UNDO_STANDING_DECISION, [lineId, kind ?? null, actor]);
  return rows[0];
}

// line_decisions_standing_key refuses a second standing decision; the caller has undone the first and holds the order's lock.
const INSERT_DECISION = `
insert into line_decisions (line_id, brand_id, kind, link_id, overruled_link_id, note, decided_by)
values ($1, $2, $3, $4, $5, $6, $7)`;

export interface NewDecision {
  lineId: string;
  brandId: string;
  kind: 'assign' | 'reject';
  linkId: string | undefined;
  overruledLinkId: string | undefined;
  note: string;
  actor: string;
}

/** Adds the decision that stands from now on. */
export async function insertDecision(tx: Tx, decision: NewDecision): Promise<void> {
  const { lineId, brandId, kind, linkId, overruledLinkId, note, actor } = decision;
  await tx.query(INSERT_DECISION, [lineId, brandId, kind, linkId ?? null, overruledLinkId ?? null, note, actor]);
}

// At most one row a line. Served by order_lines_id_idx and attributions_pkey.
const LIST_ATTRIBUTIONS = `
select a.line_id as "lineId", a.state, a.method, a.confidence, k.code as "linkCode", a.influencer_id as "influencerId",
  a.click_id as "clickId", a.clicked_at as "clickedAt", a.tag, a.reason, a.candidates, a.dispute
from order_lines l
join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
left join link_codes k on k.link_id = a.link_id and k.kind = 'code'
where l.id = any ($1::text[])`;

export interface AttributionRow extends AttributionAnswer {
  lineId: string;
  /** As `reconcile` answered them: links by id. */
  candidates: unknown;
  dispute: unknown;
}

/** What stands for each of the lines. */
export async function listAttributions(
  db: Queryable,
  lineIds: readonly string[],
): Promise<Map<string, AttributionRow>> {
  const { rows } = await db.query<AttributionRow>(LIST_ATTRIBUTIONS, [lineIds]);
  return new Map(rows.map((row) => [row.lineId, row]));
}

// Oldest first. Served by order_lines_id_idx and line_decisions_line_idx.
const LIST_DECISIONS = `
select d.line_id as "lineId", d.kind, k.code as "linkCode", d.note, d.decided_by as "decidedBy", d.decided_at as "decidedAt",
  d.undone_by as "undoneBy", d.undone_at as "undoneAt"
from order_lines l
join line_decisions d on d.brand_id = l.brand_id and d.line_id = l.id
left join link_codes k on k.link_id = d.link_id and k.kind = 'code'
where l.id = any ($1::text[])
order by d.decided_at, d.id`;

/** Every decision ever made about the lines, oldest first. */
export async function listDecisions(
  db: Queryable,
  lineIds: readonly string[],
): Promise<(DecisionAnswer & { lineId: string })[]> {
  const { rows } = await db.query<DecisionAnswer & { lineId: string }>(LIST_DECISIONS, [lineIds]);
  return rows;
}
