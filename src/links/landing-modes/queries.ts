import type { App, LandingMode } from '../../core/vocabulary.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

export interface OverrideRow {
  app: string;
  landingMode: LandingMode;
}

/** The owner of overrides: a brand, or with null the operator. */
type Owner = string | null;

// In order of the app. Served by landing_mode_overrides_key.
const LIST_OVERRIDES = `
select v.app, v.landing_mode as "landingMode" from landing_mode_overrides v where v.brand_id is not distinct from $1 order by v.app collate "C"`;

export async function listOverrides(db: Queryable, brandId: Owner): Promise<OverrideRow[]> {
  const query = { name: 'list_landing_mode_overrides', text: LIST_OVERRIDES, values: [brandId] };
  const { rows } = await db.query<OverrideRow>(query);
  return rows;
}

// One row for each owner. A jsonb keeps its keys in one order, so equal overrides are equal texts. Reads the whole table, which holds a row
// for each app that a brand or the operator overrides.
const LIST_OVERRIDES_BY_OWNER = `
select v.brand_id as "brandId", jsonb_object_agg(v.app, v.landing_mode)::text as "byApp" from landing_mode_overrides v group by v.brand_id`;

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
lock table landing_mode_overrides in share row exclusive mode`;

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

// The two statements together replace all rows of an owner; a row that stays the same is not written. Served by landing_mode_overrides_key.
const DELETE_OTHER_OVERRIDES = `
delete from landing_mode_overrides
where landing_mode_overrides.brand_id is not distinct from $1 and not landing_mode_overrides.app = any ($2::text[])`;
const UPSERT_OVERRIDES = `
insert into landing_mode_overrides as v (brand_id, app, landing_mode)
select $1, input.app, input.landing_mode from unnest($2::text[], $3::text[]) as input (app, landing_mode) order by input.app collate "C"
on conflict on constraint landing_mode_overrides_key do update set landing_mode = excluded.landing_mode where v.landing_mode <> excluded.landing_mode`;

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
set landing_mode = case when $3::boolean then $4::text else links.landing_mode end,
  tao_code = case when $5::boolean then $6::text else links.tao_code end
from link_codes lc
where lc.code = $1 and links.brand_id = lc.brand_id and links.id = lc.link_id and ($2::text is null or links.brand_id = $2)
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
