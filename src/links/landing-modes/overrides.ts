import type { Logger } from 'pino';

import { APPS, type App, type LandingMode } from '../../core/vocabulary.ts';
import type { LandingModeOverrides } from '../../core/links/landing-mode.ts';
import type { Db } from '../../infra/db.ts';
import { PolledTable } from '../polled-table.ts';
import { listOverridesByOwner } from './queries.ts';
import type { OwnerOverridesRow } from './queries.ts';

type ByApp = Readonly<Partial<Record<App, LandingMode>>>;

/** The overrides of all brands and of the operator, as one read returned them. */
interface OverrideTable {
  /** Brands that have overrides, each merged with the operator's overrides for other apps. */
  byBrand: ReadonlyMap<string, ByApp>;
  operator: ByApp | undefined;
}

/** The fields of a link that decide its overrides. */
interface OverriddenLink {
  brandId: string;
  /** The override of the link itself. */
  landingMode: LandingMode | null;
}

export interface LandingModes {
  /**
   * Live view of the overrides for links of this brand with this override of their own: `byApp` always reads the current table, so cached links
   * keep the object while overrides change. Links with equal arguments share one object.
   */
  overridesOf(link: OverriddenLink): LandingModeOverrides;
  /** Resolves after the first read of the table, whether it succeeded or not; within 0.8 s. */
  firstRead: Promise<void>;
  /** Ends the polling; the last known overrides stay in use. */
  stop(): void;
}

/** Beyond this the shared objects are dropped from the map. Links that hold one keep it, and it stays live. */
const MAX_SHARED = 20_000;

function isLandingMode(value: unknown): value is LandingMode {
  return value === 'direct' || value === 'page';
}

/** Leaves out apps and landing modes that only a newer program knows. */
function parseByApp(json: string): ByApp {
  const stored = JSON.parse(json) as Record<string, unknown>;
  const byApp: Partial<Record<App, LandingMode>> = {};
  for (const app of APPS) {
    const mode = stored[app];
    if (isLandingMode(mode)) byApp[app] = mode;
  }
  return byApp;
}

/** Brands with equal overrides share one object. */
function overrideTableOf(rows: readonly OwnerOverridesRow[]): OverrideTable {
  const operatorRow = rows.find(({ brandId }) => brandId === null);
  const operator = operatorRow === undefined ? undefined : parseByApp(operatorRow.byApp);
  const byText = new Map<string, ByApp>();
  const byBrand = new Map<string, ByApp>();
  for (const { brandId, byApp: text } of rows) {
    if (brandId === null) continue;
    const byApp = byText.get(text) ?? { ...operator, ...parseByApp(text) };
    byText.set(text, byApp);
    byBrand.set(brandId, byApp);
  }
  return { byBrand, operator };
}

/** A class because of its getter: with a getter defined on each object, V8 gives every object a shape of its own, which slows each visit. */
class LiveOverrides implements LandingModeOverrides {
  readonly link: LandingMode | undefined;
  readonly #brandId: string;
  readonly #table: PolledTable<OverrideTable>;

  constructor({ brandId, landingMode }: OverriddenLink, table: PolledTable<OverrideTable>) {
    this.link = landingMode ?? undefined;
    this.#brandId = brandId;
    this.#table = table;
  }

  get byApp(): ByApp | undefined {
    const { byBrand, operator } = this.#table.current;
    return byBrand.get(this.#brandId) ?? operator;
  }
}

/**
 * Keeps the landing-mode overrides of all brands and of the operator in the process, one row per brand that has any. They stand beside the
 * cached links and not in them, so a change touches no link, however many it concerns.
 */
export function pollLandingModes(deps: { db: Db; log: Logger; everyMs?: number | undefined }): LandingModes {
  const { db, log, everyMs } = deps;
  const table = new PolledTable<OverrideTable>({
    name: 'landing-mode overrides',
    initial: { byBrand: new Map(), operator: undefined },
    read: async () => overrideTableOf(await listOverridesByOwner(db)),
    log,
    everyMs,
  });
  const shared = new Map<string, LandingModeOverrides>();
  return {
    overridesOf: (link) => {
      const key = `${link.brandId} ${link.landingMode ?? ''}`;
      const known = shared.get(key);
      if (known !== undefined) return known;
      if (shared.size >= MAX_SHARED) shared.clear();
      const overrides = new LiveOverrides(link, table);
      shared.set(key, overrides);
      return overrides;
    },
    firstRead: table.firstRead,
    stop: () => table.stop(),
  };
}
