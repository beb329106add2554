import type { Client } from 'pg';

import type { LandingMode, Platform, TargetStatus } from '../core/vocabulary.ts';
import type { Queryable } from '../infra/db.ts';

/** The facts that decide a redirect, as Postgres holds them. Redis holds the same form; every process checks and splits the destination itself. */
export interface LinkFacts {
  linkNumber: number;
  linkId: string;
  brandId: string;
  status: TargetStatus;
  platform: Platform;
  url: string;
  /** The Youzan salesman that is leased to the influencer now. */
  sls: string | null;
  /** The override of the link itself. Those of its brand and the operator are not link facts (`landing-modes/overrides.ts`). */
  landingMode: LandingMode | null;
  /** When a lease begins or ends by itself, ms since 1970. Until then the facts hold, unless the version of the link rises. */
  changesAtMs: number | null;
  version: number;
}

interface LinkFactsRow extends Omit<LinkFacts, 'linkNumber' | 'version' | 'changesAtMs'> {
  linkNumber: bigint;
  version: bigint;
  changesAtMs: bigint | null;
}

// At most one row, from one snapshot, so the version belongs to every other column. `gone` outranks `paused`. Of several salesmen leased now,
// one for the product goes before one for the store, then the newest. Served by link_codes_pkey and tracking_slots_influencer_idx.
const FIND_LINK_FACTS = `
select l.number as "linkNumber", l.id as "linkId", l.brand_id as "brandId", s.platform, p.url, l.version, slot.external_id as sls,
  l.landing_mode as "landingMode",
  ceil(extract(epoch from lease.changes_at) * 1000)::bigint as "changesAtMs",
  case
    when s.status <> 'active' or p.status = 'off_sale' then 'gone'
    when l.status <> 'active' or p.status <> 'active' or i.status <> 'active' then 'paused'
    else 'active' end as status
from link_codes c
join links l on l.brand_id = c.brand_id and l.id = c.link_id
join products p on p.brand_id = l.brand_id and p.id = l.product_id
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
join influencers i on i.id = l.influencer_id
left join lateral (
  select t.external_id
  from tracking_slots t
  where t.influencer_id = l.influencer_id and t.store_id = s.id and t.kind = 'sls'
    and (t.product_id is null or t.product_id = l.product_id)
    and t.valid_from <= now() and (t.valid_to is null or now() < t.valid_to)
  order by t.product_id nulls last, t.valid_from desc, t.id
  limit 1
) slot on true
left join lateral (
  select min(edge.at) as changes_at
  from tracking_slots t
  cross join lateral (values (t.valid_from), (t.valid_to)) as edge (at)
  where t.influencer_id = l.influencer_id and t.store_id = s.id and t.kind = 'sls'
    and (t.product_id is null or t.product_id = l.product_id) and edge.at > now()
) lease on true
where c.code = $1`;

/** The facts behind a code or alias in canonical spelling; undefined where it names no link. */
export async function findLinkFacts(db: Queryable, code: string): Promise<LinkFacts | undefined> {
  const { rows } = await db.query<LinkFactsRow>({ name: 'find_link_facts', text: FIND_LINK_FACTS, values: [code] });
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    ...row,
    // The click path counts and encodes in plain numbers. Both are far below 2^53: the schema limits the number of a link to 2^40.
    linkNumber: Number(row.linkNumber),
    version: Number(row.version),
    changesAtMs: row.changesAtMs === null ? null : Number(row.changesAtMs),
  };
}

// Triggers announce on this channel every change of a link that can change a redirect, in the transaction that makes the change.
const LISTEN = `
listen links_changed`;

/** After it resolves, no change is missed for as long as the connection lives. */
export async function listenToLinkChanges(client: Client): Promise<void> {
  await client.query(LISTEN);
}

const PING = `
select 1 as "isAlive"`;

/** Rejects where the server does not answer within the client's query timeout. */
export async function pingPostgres(client: Client): Promise<void> {
  await client.query(PING);
}
