import type { App } from '../../core/clicks/visitor-place.ts';
import type { LandingMode } from '../../core/links/landing-mode.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

export interface OverrideRow {
  app: string;
  landingMode: LandingMode;
}

/** The owner of overrides: a brand, or with null the operator. */
type Owner = string | null;

// In order of the app. Served by visit_ways_key.
const LIST_OVERRIDES = `
select v.app, v.way as "landingMode" from visit_ways v where v.brand_id is not distinct from $1 order by v.app collate "C"`;

export async function listOverrides(db: Queryable, brandId: Owner): Promise<OverrideRow[]> {
  const query = { name: 'list_landing_mode_overrides', text: LIST_OVERRIDES, values: [brandId] };
  const { rows } = await db.query<OverrideRow>(query);
  return rows;
}

// One row for each owner. A jsonb keeps its keys in one order, so equal overrides are equal texts. Reads the whole table, which holds a row
// for each app that a brand or the operator overrides.
const LIST_OVERRIDES_BY_OWNER = `
select v.brand_id as "brandId", jsonb_object_agg(v.app, v.way)::text as "byApp" from visit_ways v group by v.brand_id`;

export interface OwnerOverridesRow {
  brandId: Owner;
  /** A JSON object: app → landing mode. */
  byApp: string;
}

export async function listOverridesByOwner(db: Queryable): Promise<OwnerOverridesRow[]> {
  const query = { name: 'list_overrides_by_owner', text: LIST_OVERRIDES_BY_OWNER };
  const { rows } = await db.query<OwnerOverridesRow>(query);
  return rows;
}

// Serializes replacements of the operator's overrides, so that the stored list is always one that was sent. Readers do not wait.
const LOCK_OVERRIDES = `
lock table visit_ways in share row exclusive mode`;

export async function lockOverrides(tx: Tx): Promise<void> {
  await tx.query({ name: 'lock_landing_mode_overrides', text: LOCK_OVERRIDES });
}

// $1 is the requested brand, $2 the brand of the caller's key, null for an admin. FOR NO KEY UPDATE serializes two replacements of a brand's
// overrides.
const LOCK_BRAND = `
select b.id from brands b where b.id = $1 and ($2::text is null or b.id = $2) for no key update`;

/** @returns false where there is no such brand, or the caller may not see it */
export async function lockBrand(tx: Tx, brand: { brandId: string; scope: string | undefined }): Promise<boolean> {
  const values = [brand.brandId, brand.scope ?? null];
  const { rows } = await tx.query({ name: 'lock_brand_of_overrides', text: LOCK_BRAND, values });
  return rows.length === 1;
}

// The two statements together replace all rows of an owner; a row that stays the same is not written. Served by visit_ways_key.
const DELETE_OTHER_OVERRIDES = `
delete from visit_ways
where visit_ways.brand_id is not distinct from $1 and not visit_ways.app = any ($2::text[])`;
const UPSERT_OVERRIDES = `
insert into visit_ways as v (brand_id, app, way)
select $1, input.app, input.way from unnest($2::text[], $3::text[]) as input (app, way) order by input.app collate "C"
on conflict on constraint visit_ways_key do update set way = excluded.way where v.way <> excluded.way`;

/** Replaces all overrides of an owner. The caller holds the lock of the brand or of the table. */
export async function replaceOverrides(
  tx: Tx,
  { brandId, overrides }: { brandId: Owner; overrides: readonly { app: App; landingMode: LandingMode }[] },
): Promise<void> {
  const apps = overrides.map(({ app }) => app);
  await tx.query({ name: 'delete_other_overrides', text: DELETE_OTHER_OVERRIDES, values: [brandId, apps] });
  const values = [brandId, apps, overrides.map(({ landingMode }) => landingMode)];
  await tx.query({ name: 'upsert_overrides', text: UPSERT_OVERRIDES, values });
}

// A field that is not given keeps its value. $2 is the brand of the caller's key, null for an admin. Served by link_codes_pkey and links_pkey.
const SET_LINK_PAGE = `
update links
set way = case when $3::boolean then $4::text else links.way end, tao_code = case when $5::boolean then $6::text else links.tao_code end
from link_codes lc
where lc.code = $1 and links.id = lc.link_id and ($2::text is null or links.brand_id = $2)
returning links.id, links.brand_id as "brandId"`;

export interface LinkPageChange {
  landingMode?: LandingMode | null | undefined;
  taoCode?: string | null | undefined;
}

/** Changes what visitors of one link see; undefined where there is no such link, or the caller may not see it. */
export async function setLinkPage(
  tx: Tx,
  { code, scope, change }: { code: string; scope: string | undefined; change: LinkPageChange },
): Promise<{ id: string; brandId: string } | undefined> {
  const { landingMode, taoCode } = change;
  const values = [
    code,
    scope ?? null,
    landingMode !== undefined,
    landingMode ?? null,
    taoCode !== undefined,
    taoCode ?? null,
  ];
  const query = { name: 'set_link_page', text: SET_LINK_PAGE, values };
  const { rows } = await tx.query<{ id: string; brandId: string }>(query);
  return rows[0];
}
