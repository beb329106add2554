import { parseArgs } from 'node:util';
import { ROLES, type Role } from '../core/vocabulary.ts';
import { createKey } from '../access/keys.ts';
import { Problem } from '../http/problem.ts';
import { type Db, inTransaction } from '../infra/db.ts';
import { OperatorFault } from '../infra/operator-fault.ts';
import type { Command } from './command-line.ts';
import { UsageFault } from './help.ts';
import { withDatabase } from './runtime.ts';
import { requireSchema } from './schema.ts';

export interface KeyRequest {
  role: Role;
  brandId?: string;
  influencerId?: string;
  label: string;
}

/**
 * Reads `create --role brand --brand brd_1 --label shop`.
 *
 * @throws UsageFault where a role lacks its owner or has one that is not its own
 */
export function readKeyArguments(args: string[]): KeyRequest {
  const { values, positionals } = parseOptions(args);
  if (positionals.length !== 1 || positionals[0] !== 'create')
    throw new UsageFault("'daihuo key' knows one thing to do: create.");
  const role = ROLES.find((each) => each === values.role);
  if (role === undefined) throw new UsageFault(`--role must be one of ${ROLES.join(', ')}.`);
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

async function makeKey(db: Db, request: KeyRequest): Promise<{ id: string; key: string }> {
  await requireSchema({ db });
  try {
    return await inTransaction(db, async (tx) => createKey(tx, { ...request, actor: 'daihuo key create' }));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const subject = request.influencerId ?? request.brandId ?? '';
    throw new OperatorFault(`There is no ${request.influencerId === undefined ? 'brand' : 'influencer'} ${subject}.`, {
      cause: error,
    });
  }
}
