import { OperatorFault } from '../infra/operator-fault.ts';
import type { Command } from './command-line.ts';

export async function runVerify(_command: Command): Promise<number> {
  throw await Promise.resolve(new OperatorFault("This build has no 'verify' yet."));
}
