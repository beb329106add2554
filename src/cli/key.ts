import { parseArgs } from 'node:util';
import { OperatorFault } from '../infra/operator-fault.ts';
import type { Command } from './command-line.ts';
import { UsageFault } from './help.ts';

export const ROLES = ['admin', 'brand', 'finance', 'influencer'] as const;

export interface KeyRequest {
  role: (typeof ROLES)[number];
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

/** Makes an API key and prints it; it is not shown again. */
export async function runKey({ args }: Command): Promise<number> {
  const request = readKeyArguments(args);
  throw await Promise.resolve(new OperatorFault(`This build cannot make ${request.role} keys yet.`));
}
