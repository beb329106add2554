/** The commands that work on the database and end: `migrate`, `key create`, `verify`. */
import { parseArgs } from 'node:util';
import { ROLES, type Role } from '../core/vocabulary.ts';
import { createKey } from '../access/keys.ts';
import { type Db, inTransaction } from '../infra/db.ts';
import { migrate } from '../infra/migrate.ts';
import { OperatorFault } from '../infra/failures.ts';
import { formatVerifyReport } from '../ledger/verify/report.ts';
import { verify } from '../verify.ts';
import type { Command } from './command.ts';
import { UsageFault } from './command.ts';
import { withDatabase } from './runtime.ts';
import { requireSchema } from './schema.ts';

/** Brings the schema up to date and prints the files that it applied. */
export async function runMigrate({ config, env }: Command): Promise<number> {
  const { applied } = await withDatabase(config, env, async (db) => migrate(db));
  console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
  return 0;
}

/** Proves the books of the database and prints the report. Exit code 1 where something does not hold. */
export async function runVerify({ config, env }: Command): Promise<number> {
  const report = await withDatabase(config, env, async (db) => {
    await requireSchema({ db });
    return verify(db);
  });
  console.log(formatVerifyReport(report));
  return report.ok ? 0 : 1;
}

export interface KeyRequest {
  role: Role;
  brandId?: string;
  influencerId?: string;
  label: string;
}

/**
 * Makes an API key and prints it; it is not shown again. Only the key goes to standard output, so that a script can take it from there.
 *
 * @throws OperatorFault where the brand or the influencer does not exist
 */
export async function runKey({ config, env, args }: Command): Promise<number> {
  const request = readKeyArguments(args);
  const { id, key } = await withDatabase(config, env, (db) => makeKey(db, request));
  console.error(`Key ${id}, role ${request.role}. It is shown this once:`);
  console.log(key);
  return 0;
}

/**
 * Reads `create --role brand --brand brd_1 --label shop`.
 *
 * @throws UsageFault where a role lacks its owner or has an owner of another role
 */
export function readKeyArguments(args: string[]): KeyRequest {
  const { values, positionals } = parseOptions(args);
  if (positionals.length !== 1 || positionals[0] !== 'create')
    throw new UsageFault("'daihuo key' has one subcommand: create.");
  const role = ROLES.find((each) => each === values.role);
  if (role === undefined) throw new UsageFault(`--role must be one of ${ROLES.toSorted().join(', ')}.`);
  if ((role === 'influencer') !== (values.influencer !== undefined))
    throw new UsageFault('--influencer belongs to --role influencer, and only there.');
  if (role === 'brand' && values.brand === undefined) throw new UsageFault('--role brand needs --brand.');
  if ((role === 'admin' || role === 'influencer') && values.brand !== undefined)
    throw new UsageFault(`--role ${role} takes no --brand.`);
  return {
    role,
    ...(values.brand === undefined ? {} : { brandId: values.brand }),
    ...(values.influencer === undefined ? {} : { influencerId: values.influencer }),
    label: values.label ?? 'made on the command line',
  };
}

function parseOptions(args: string[]) {
  try {
    const text = { type: 'string' } as const;
    return parseArgs({
      args,
      allowPositionals: true,
      options: { role: text, brand: text, influencer: text, label: text },
    });
  } catch (error) {
    throw new UsageFault(error instanceof Error ? error.message : String(error));
  }
}

async function makeKey(db: Db, request: KeyRequest): Promise<{ id: string; key: string }> {
  await requireSchema({ db });
  const created = await inTransaction(db, async (tx) => createKey(tx, { ...request, actor: 'daihuo key create' }));
  if (created.ok) return { id: created.row.id, key: created.key };
  const subject = request.influencerId ?? request.brandId ?? '';
  throw new OperatorFault(`There is no ${request.influencerId === undefined ? 'brand' : 'influencer'} ${subject}.`);
}
