import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable } from '../../infra/db.ts';

/** Who shares in an influencer's commission at some instant. */
export interface SplitRow {
  influencerId: string;
  payeeId: string;
  agencyPayeeId: string | null;
  agencyShareBp: number | null;
}

// The payee of each influencer, and the agency in force at the instant beside it (none in force: nobody shares). At most one version is in
// force at an instant by influencer_agencies_no_overlap, which serves the lookup; the answer keeps the order of the question.
const LIST_SPLITS = `
select i.id as "influencerId", i.payee_id as "payeeId", a.agency_payee_id as "agencyPayeeId", a.share_bp as "agencyShareBp"
from unnest($1::text[], $2::timestamptz[]) with ordinality as asked (influencer_id, at, position)
join influencers i on i.id = asked.influencer_id
left join influencer_agencies a on a.influencer_id = i.id and a.valid_from <= asked.at and (a.valid_to is null or asked.at < a.valid_to)
order by asked.position`;

/** The payee and the agency of each influencer at each instant, in the order asked; every influencer must exist. */
export async function listSplits(
  db: Queryable,
  asked: readonly { influencerId: string; at: Date }[],
): Promise<SplitRow[]> {
  const values = arrayLiterals([asked.map(({ influencerId }) => influencerId), asked.map(({ at }) => at)]);
  const { rows } = await db.query<SplitRow>({ name: 'list_splits', text: LIST_SPLITS, values });
  return rows;
}

// As LIST_SPLITS, for those whom links credit, named by the links' numbers; a number that no link has is left out. Served by
// links_number_key.
const LIST_SPLITS_OF_LINKS = `
select asked.position, i.id as "influencerId", i.payee_id as "payeeId", a.agency_payee_id as "agencyPayeeId", a.share_bp as "agencyShareBp"
from unnest($1::bigint[], $2::timestamptz[]) with ordinality as asked (link_number, at, position)
join links l on l.number = asked.link_number
join influencers i on i.id = l.influencer_id
left join influencer_agencies a on a.influencer_id = i.id and a.valid_from <= asked.at and (a.valid_to is null or asked.at < a.valid_to)`;

/** The payee and the agency of each link's influencer at each instant, with the place of the question, from 0. */
export async function listSplitsOfLinks(
  db: Queryable,
  asked: readonly { linkNumber: number; at: Date }[],
): Promise<(SplitRow & { place: number })[]> {
  const { rows } = await db.query<SplitRow & { position: bigint }>({
    name: 'list_splits_of_links',
    text: LIST_SPLITS_OF_LINKS,
    values: arrayLiterals([asked.map(({ linkNumber }) => linkNumber), asked.map(({ at }) => at)]),
  });
  return rows.map(({ position, ...row }) => ({ ...row, place: Number(position) - 1 }));
}
