import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { balanceRoutes } from './balances/routes.ts';
import { journalRoutes } from './journal/routes.ts';
import { commissionLineRoutes } from './lines/routes.ts';
import { totalsRoutes } from './totals/routes.ts';

/** Everything that reads money: commissions by line, their totals, the journal, balances. */
export async function ledgerRoutes(app: Server, deps: { db: Db }): Promise<void> {
  await commissionLineRoutes(app, deps);
  await totalsRoutes(app, deps);
  await journalRoutes(app, deps);
  await balanceRoutes(app, deps);
}
