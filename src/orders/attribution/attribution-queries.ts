/** What stands of attributions, and what is written of them. */
import type { AttributionMethod, Confidence, UnmatchedReason } from '../../core/attribution/facts.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Tx } from '../../infra/db.ts';

/** An attribution as it is stored: what the ladder answered, without its trace. */
export interface StoredAttribution {
  state: 'matched' | 'unmatched' | 'review';
  method?: AttributionMethod;
  confidence?: Confidence;
  linkId?: string;
  influencerId?: string;
  clickId?: string;
  clickedAt?: Date;
  tag?: string;
  reason?: UnmatchedReason;
  candidates?: unknown;
}

interface AttributionRow {
  lineId: string;
  state: 'matched' | 'unmatched' | 'review';
  method: AttributionMethod | null;
  confidence: Confidence | null;
  linkId: string | null;
  influencerId: string | null;
  clickId: string | null;
  clickedAt: Date | null;
  tag: string | null;
  reason: UnmatchedReason | null;
  candidates: unknown;
  released: boolean;
}

export interface StandingAttribution {
  attribution: StoredAttribution;
  /** Its commission is payable already. */
  released: boolean;
}

// order_lines gives the brand that the other two are keyed by. Served by order_lines_id_idx, attributions_pkey and priced_lines_pkey.
const LIST_STANDING_ATTRIBUTIONS = `
select a.line_id as "lineId", a.state, a.method, a.confidence, a.link_id as "linkId", a.influencer_id as "influencerId",
  a.click_id as "clickId", a.clicked_at as "clickedAt", a.tag, a.reason, a.candidates,
  coalesce(c.released_at is not null, false) as released
from order_lines l
join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
left join priced_lines c on c.brand_id = a.brand_id and c.line_id = a.line_id
where l.id = any ($1::text[])`;

/** What stands for these lines before they are decided again, and whether their commission is payable already; keyed by line id. */
export async function listStandingAttributions(
  tx: Tx,
  lineIds: readonly string[],
): Promise<Map<string, StandingAttribution>> {
  if (lineIds.length === 0) return new Map();
  const { rows } = await tx.query<AttributionRow>({
    name: 'list_standing_attributions',
    text: LIST_STANDING_ATTRIBUTIONS,
    values: arrayLiterals([lineIds]),
  });
  return new Map(
    rows.map(({ lineId, released, ...columns }) => {
      const present = Object.entries(columns).filter(([, value]) => value !== null);
      return [lineId, { attribution: Object.fromEntries(present) as unknown as StoredAttribution, released }];
    }),
  );
}

export interface AttributionToWrite {
  lineId: string;
  brandId: string;
  attribution: StoredAttribution;
  dispute: unknown;
  /** Whether the sweep should look at the line again. */
  retry: boolean;
}

// decided_at moves only when the decision does. Unmatched lines are looked at again ever more rarely: every 30 s while clicks are still
// on their way, then each 10 min on the first day, 6 h in the first week, daily for 60 days; then only new facts bring them back.
const UPSERT_ATTRIBUTIONS = `
insert into attributions as a (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag,
  reason, candidates, dispute, retry_at)
select input.line_id, input.brand_id, input.state, input.method, input.confidence, input.link_id, input.influencer_id, input.click_id,
  input.clicked_at, input.tag, input.reason, input.candidates, input.dispute,
  case
    when not input.retry then null
    when input.reason = 'waiting_for_clicks' then now() + interval '30 seconds'
    when o.first_seen_at > now() - interval '1 day' then now() + interval '10 minutes'
    when o.first_seen_at > now() - interval '7 days' then now() + interval '6 hours'
    when o.first_seen_at > now() - interval '60 days' then now() + interval '1 day'
  end
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
  $10::text[], $11::text[], $12::jsonb[], $13::jsonb[], $14::boolean[])
  as input (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag, reason, candidates,
    dispute, retry)
join order_lines o on o.brand_id = input.brand_id and o.id = input.line_id
on conflict on constraint attributions_pkey do update
set state = excluded.state, method = excluded.method, confidence = excluded.confidence, link_id = excluded.link_id,
  influencer_id = excluded.influencer_id, click_id = excluded.click_id, clicked_at = excluded.clicked_at, tag = excluded.tag,
  reason = excluded.reason, candidates = excluded.candidates, dispute = excluded.dispute, retry_at = excluded.retry_at,
  decided_at = case
    when (a.state, a.method, a.link_id, a.click_id, a.reason) is distinct from
      (excluded.state, excluded.method, excluded.link_id, excluded.click_id, excluded.reason) then now()
    else a.decided_at
  end`;

/** Writes the attribution of each line whole. */
export async function upsertAttributions(tx: Tx, rows: readonly AttributionToWrite[]): Promise<void> {
  if (rows.length === 0) return;
  const values = arrayLiterals(attributionColumns(rows));
  await tx.query({ name: 'upsert_attributions', text: UPSERT_ATTRIBUTIONS, values });
}

/** The attributions column by column, as statements unnest them. */
export function attributionColumns(rows: readonly AttributionToWrite[]): unknown[][] {
  const column = <K extends keyof StoredAttribution>(name: K): (StoredAttribution[K] | null)[] =>
    rows.map(({ attribution }) => attribution[name] ?? null);
  return [
    rows.map((row) => row.lineId),
    rows.map((row) => row.brandId),
    column('state'),
    column('method'),
    column('confidence'),
    column('linkId'),
    column('influencerId'),
    column('clickId'),
    column('clickedAt'),
    column('tag'),
    column('reason'),
    column('candidates').map((candidates) => JSON.stringify(candidates ?? [])),
    rows.map((row) => (row.dispute === undefined ? null : JSON.stringify(row.dispute))),
    rows.map((row) => row.retry),
  ];
}
