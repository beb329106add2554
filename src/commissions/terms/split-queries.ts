import assert from 'node:assert/strict';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable } from '../../infra/db.ts';

/** The payee of an influencer at some instant, and the agency that shares in its commissions. */
export interface SplitRow {
  influencerId: string;
  payeeId: string;
  agencyPayeeId: string | null;
  agencyShareBp: number | null;
}

/** Splits of influencers at instants, by `splitKey`. */
export type Splits = ReadonlyMap<string, SplitRow>;

export function splitKey({ influencerId, at }: { influencerId: string; at: Date }): string {
  return `${influencerId} ${at.getTime()}`;
}

// The payee of each influencer, and the agency in force at the instant beside it (none in force: no agency shares). At most one version is in
// force at an instant by influencer_agencies_no_overlap, which serves the lookup; rows keep the order of the input.
const LIST_SPLITS = `
select i.id as "influencerId", i.payee_id as "payeeId", a.agency_payee_id as "agencyPayeeId", a.share_bp as "agencyShareBp"
from unnest($1::text[], $2::timestamptz[]) with ordinality as input (influencer_id, at, position)
join influencers i on i.id = input.influencer_id
left join influencer_agencies a on a.influencer_id = i.id and a.valid_from <= input.at and (a.valid_to is null or input.at < a.valid_to)
order by input.position`;

/** The payee and the agency of each influencer at each instant; every influencer must exist. */
export async function loadSplits(
  db: Queryable,
  shares: readonly { influencerId: string; at: Date }[],
): Promise<Splits> {
  const distinct = new Map(shares.map((share) => [splitKey(share), share]));
  if (distinct.size === 0) return new Map();
  const lookups = [...distinct.values()];
  const values = arrayLiterals([lookups.map(({ influencerId }) => influencerId), lookups.map(({ at }) => at)]);
  const { rows } = await db.query<SplitRow>({ name: 'list_splits', text: LIST_SPLITS, values });
  assert(rows.length === distinct.size, 'every influencer exists');
  return new Map([...distinct.keys()].flatMap((key, place) => (rows[place] === undefined ? [] : [[key, rows[place]]])));
}

// As LIST_SPLITS, for the influencers that links credit, named by the links' numbers; a number that no link has is left out. Served by
// links_number_key.
const LIST_SPLITS_OF_LINKS = `
select input.position, i.id as "influencerId", i.payee_id as "payeeId", a.agency_payee_id as "agencyPayeeId", a.share_bp as "agencyShareBp"
from unnest($1::bigint[], $2::timestamptz[]) with ordinality as input (link_number, at, position)
join links l on l.number = input.link_number
join influencers i on i.id = l.influencer_id
left join influencer_agencies a on a.influencer_id = i.id and a.valid_from <= input.at and (a.valid_to is null or input.at < a.valid_to)`;

/** The same for the influencers that links credit, by the links' numbers. */
export async function loadSplitsOfLinks(
  db: Queryable,
  clicks: readonly { linkNumber: number; at: Date }[],
): Promise<Splits> {
  const lookups = [...new Map(clicks.map((click) => [`${click.linkNumber} ${click.at.getTime()}`, click])).values()];
  if (lookups.length === 0) return new Map();
  const { rows } = await db.query<SplitRow & { position: bigint }>({
    name: 'list_splits_of_links',
    text: LIST_SPLITS_OF_LINKS,
    values: arrayLiterals([lookups.map(({ linkNumber }) => linkNumber), lookups.map(({ at }) => at)]),
  });
  return new Map(
    rows.flatMap(({ position, ...row }) => {
      const at = lookups[Number(position) - 1]?.at;
      return at === undefined ? [] : [[splitKey({ influencerId: row.influencerId, at }), row]];
    }),
  );
}
