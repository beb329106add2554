import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { journalRoutes } from '../ledger/journal/routes.ts';
import { commissionLineRoutes } from '../ledger/lines/routes.ts';
import { holdRoutes } from './release/routes.ts';
import { repriceRoutes } from './reprice/routes.ts';
import { termsRoutes } from './terms/routes.ts';
import { totalsRoutes } from '../ledger/totals/routes.ts';

export interface CommissionsDeps {
  db: Db;
  now: () => Date;
}

/** Terms, commissions, totals, the journal, balances and holds. */
export async function commissionsRoutes(app: Server, deps: CommissionsDeps): Promise<void> {
  await termsRoutes(app, deps);
  await commissionLineRoutes(app, deps);
  await totalsRoutes(app, deps);
  await journalRoutes(app, deps);
  await holdRoutes(app, deps);
  await repriceRoutes(app, deps);
}
