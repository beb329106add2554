import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { holdRoutes } from './release/routes.ts';
import { repriceRoutes } from './reprice/routes.ts';
import { termsRoutes } from './terms/routes.ts';

export interface CommissionsDeps {
  db: Db;
  now: () => Date;
}

/** Terms, holds and repricing. */
export async function commissionsRoutes(app: Server, deps: CommissionsDeps): Promise<void> {
  await termsRoutes(app, deps);
  await holdRoutes(app, deps);
  await repriceRoutes(app, deps);
}
