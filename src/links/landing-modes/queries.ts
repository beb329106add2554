import type { VisitWay } from '../../core/links/landing-mode.ts';
import type { App } from '../../core/vocabulary.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

export interface VisitWayRow {
  app: string;
  way: VisitWay;
}

/** Whose wishes: a brand's, or with null the operator's. */
type Owner = string | null;

// In order of the app. Served by landing_mode_overrides_key.
const LIST_VISIT_WAYS = `
select v.app, v.landing_mode as "way" from landing_mode_overrides v where v.brand_id is not distinct from $1 order by v.app collate "C"`;

export async function listVisitWays(db: Queryable, brandId: Owner): Promise<VisitWayRow[]> {
  const { rows } = await db.query<VisitWayRow>({ name: 'list_visit_ways', text: LIST_VISIT_WAYS, values: [brandId] });
  return rows;
}

// Everybody's, one row an owner: the operator's has no brand. The keys of a jsonb are in one order, so equal wishes are equal texts. The whole
// table is read, which has a row for an app of a brand that wants something.
const LIST_WISHES = `
select v.brand_id as "brandId", jsonb_object_agg(v.app, v.landing_mode)::text as "byApp" from landing_mode_overrides v group by v.brand_id`;

export interface WishesRow {
  brandId: Owner;
  /** A JSON object: app → way. */
  byApp: string;
}

export async function listWishes(db: Queryable): Promise<WishesRow[]> {
  const { rows } = await db.query<WishesRow>({ name: 'list_wishes', text: LIST_WISHES });
  return rows;
}

// Two replacements of the operator's wishes follow each other, so they are always those that somebody sent. Nobody who reads waits.
const LOCK_VISIT_WAYS = `
lock table landing_mode_overrides in share row exclusive mode`;

export async function lockVisitWays(tx: Tx): Promise<void> {
  await tx.query({ name: 'lock_visit_ways', text: LOCK_VISIT_WAYS });
}

// $1 is the brand asked for, $2 the one the caller is confined to. FOR NO KEY UPDATE: of two who replace a brand's ways, one goes first.
const LOCK_BRAND = `
select b.id from brands b where b.id = $1 and ($2::text is null or b.id = $2) for no key update`;

/** @returns false where there is no such brand, or it is not the caller's */
export async function lockBrand(tx: Tx, brand: { brandId: string; scope: string | undefined }): Promise<boolean> {
  const values = [brand.brandId, brand.scope ?? null];
  const { rows } = await tx.query({ name: 'lock_brand_of_ways', text: LOCK_BRAND, values });
  return rows.length === 1;
}

// Only rows that change are written, because each that is written is told to every process (landing_mode_overrides_notify).
const DELETE_OTHER_WAYS = `
delete from landing_mode_overrides
where landing_mode_overrides.brand_id is not distinct from $1 and not landing_mode_overrides.app = any ($2::text[])`;
const UPSERT_WAYS = `
insert into landing_mode_overrides as v (brand_id, app, landing_mode)
select $1, input.app, input.landing_mode from unnest($2::text[], $3::text[]) as input (app, landing_mode) order by input.app collate "C"
on conflict on constraint landing_mode_overrides_key do update set landing_mode = excluded.landing_mode
  where v.landing_mode <> excluded.landing_mode`;

/** Replaces all wishes of an owner. */
export async function replaceVisitWays(
  tx: Tx,
  { brandId, ways }: { brandId: Owner; ways: readonly { app: App; way: VisitWay }[] },
): Promise<void> {
  const apps = ways.map(({ app }) => app);
  await tx.query({ name: 'delete_other_ways', text: DELETE_OTHER_WAYS, values: [brandId, apps] });
  const values = [brandId, apps, ways.map(({ way }) => way)];
  await tx.query({ name: 'upsert_ways', text: UPSERT_WAYS, values });
}

// What is not given stays. $2 is the brand the caller is confined to. Served by link_codes_pkey and links_pkey.
const SET_LINK_PAGE = `
update links
set landing_mode = case when $3::boolean then $4::text else links.landing_mode end,
  tao_code = case when $5::boolean then $6::text else links.tao_code end
from link_codes lc
where lc.code = $1 and links.brand_id = lc.brand_id and links.id = lc.link_id and ($2::text is null or links.brand_id = $2)
returning links.id, links.brand_id as "brandId"`;

export interface LinkPageChange {
  way?: VisitWay | null | undefined;
  taoCode?: string | null | undefined;
}

/** Changes what visitors of one link get; undefined where there is no such link, or it is not the caller's. */
export async function setLinkPage(
  tx: Tx,
  { code, scope, change }: { code: string; scope: string | undefined; change: LinkPageChange },
): Promise<{ id: string; brandId: string } | undefined> {
  const { way, taoCode } = change;
  const values = [code, scope ?? null, way !== undefined, way ?? null, taoCode !== undefined, taoCode ?? null];
  const query = { name: 'set_link_page', text: SET_LINK_PAGE, values };
  const { rows } = await tx.query<{ id: string; brandId: string }>(query);
  return rows[0];
}
