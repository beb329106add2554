import { readConfig } from '../infra/config.ts';
import type { Config, Environment } from '../infra/config.ts';
import { OperatorFault } from '../infra/operator-fault.ts';
import { runDemo } from './demo.ts';
import { UsageFault, USAGE } from './help.ts';
import { runKey } from './key.ts';
import { runMigrate } from './migrate.ts';
import { runRedirect } from './redirect.ts';
import { runServe } from './serve.ts';
import { runStart } from './start.ts';
import { runVerify } from './verify.ts';
import { runWorker } from './worker.ts';

export interface Command {
  name: string;
  config: Config;
  env: Environment;
  /** What stands behind the command's name. */
  args: string[];
}

/** Those that read options of their own. To the others a word too many is a mistake: `start --port 80` must not start on another port. */
const TAKING_ARGUMENTS = new Set(['serve', 'redirect', 'key', 'demo']);
const ASKING_HELP = new Set(['help', '--help', '-h']);

/** Each runs to its end and returns the exit code. */
const COMMANDS = new Map<string, (command: Command) => Promise<number>>([
  ['start', runStart],
  ['serve', runServe],
  ['redirect', runRedirect],
  ['worker', runWorker],
  ['migrate', runMigrate],
  ['key', runKey],
  ['demo', runDemo],
  ['verify', runVerify],
]);

function messagesOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messagesOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

function report(error: unknown, env: Environment): number {
  if (error instanceof UsageFault) {
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  if (error instanceof OperatorFault) {
    console.error(error.message);
    return 1;
  }
  console.error(`daihuo met an error it did not expect: ${messagesOf(error)}. With LOG_LEVEL=debug it says where.`);
  if (env['LOG_LEVEL'] === 'debug') console.error(error);
  return 1;
}

/**
 * Runs one command. Faults become plain sentences on standard error.
 *
 * @returns the exit code: 0, 1 for a fault, 2 for a command line that was not understood
 */
export async function runCommandLine(argv: string[], env: Environment): Promise<number> {
  const [name = 'help', ...args] = argv;
  if (ASKING_HELP.has(name) || args.some((arg) => arg === '--help' || arg === '-h')) {
    console.log(USAGE);
    return 0;
  }
  try {
    const run = COMMANDS.get(name);
    if (run === undefined) throw new UsageFault(`There is no command '${name}'.`);
    if (args.length > 0 && !TAKING_ARGUMENTS.has(name)) {
      throw new UsageFault(`'daihuo ${name}' takes no arguments; settings are environment variables.`);
    }
    const result = readConfig(env);
    if (!result.ok) throw new OperatorFault(result.problems.join('\n'));
    return await run({ name, config: result.config, env, args });
  } catch (error) {
    return report(error, env);
  }
}
