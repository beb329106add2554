import type { EligibilityRule } from '../core/catalog/eligibility.ts';
import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import type { SealingKey } from '../infra/secrets.ts';
import { brandRoutes } from './brands/routes.ts';
import { influencerRoutes } from './influencers/routes.ts';
import { payeeRoutes } from './payees/routes.ts';
import { productRoutes } from './products/routes.ts';
import { storeRoutes } from './stores/routes.ts';

export interface CatalogDeps {
  db: Db;
  now: () => Date;
  /** Seal webhook secrets and Youzan client secrets; the current key first. */
  sealingKeys: readonly SealingKey[];
  /** The rule for stores whose products may be promoted. */
  eligibilityRule: EligibilityRule;
}

/** The routes of brands, payees, influencers, stores and products. */
export async function catalogRoutes(app: Server, deps: CatalogDeps): Promise<void> {
  await brandRoutes(app, deps);
  await payeeRoutes(app, deps);
  await influencerRoutes(app, deps);
  await storeRoutes(app, deps);
  await productRoutes(app, deps);
}
