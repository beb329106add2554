import { OperatorFault } from '../infra/operator-fault.ts';
import type { Command } from './command-line.ts';

export async function runDemo(_command: Command): Promise<number> {
  throw await Promise.resolve(new OperatorFault("This build has no 'demo' yet."));
}
