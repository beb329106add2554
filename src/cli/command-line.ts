import { flushCompileCache } from 'node:module';
import { readConfig } from '../infra/config.ts';
import type { Environment } from '../infra/config.ts';
import { OperatorFault } from '../infra/failures.ts';
import { USAGE, UsageFault } from './command.ts';
import type { Command } from './command.ts';

/** The commands with options of their own. For the others an extra word is a mistake: `start --port 80` must not start on another port. */
const TAKING_ARGUMENTS = new Set(['serve', 'redirect', 'key', 'demo']);
const ASKING_HELP = new Set(['help', '--help', '-h']);

type RunCommand = (command: Command) => Promise<number>;

/**
 * Each command runs to its end and returns the exit code. Its code is loaded only when it is called, so that a process that only redirects
 * has nothing of the API in memory, and a server nothing of the worker.
 */
const COMMANDS = new Map<string, () => Promise<RunCommand>>([
  ['start', async () => (await import('./start.ts')).runStart],
  ['serve', async () => (await import('./serve.ts')).runServe],
  ['redirect', async () => (await import('./redirect.ts')).runRedirect],
  ['worker', async () => (await import('./worker.ts')).runWorker],
  ['migrate', async () => (await import('./database-commands.ts')).runMigrate],
  ['key', async () => (await import('./database-commands.ts')).runKey],
  ['demo', async () => (await import('./demo.ts')).runDemo],
  ['verify', async () => (await import('./database-commands.ts')).runVerify],
]);

/** Writes the compile cache at once. Node writes it at the end of a process only, so a process that is killed would leave nothing. */
async function loadCompiled(load: () => Promise<RunCommand>): Promise<RunCommand> {
  const run = await load();
  flushCompileCache();
  return run;
}

function messagesOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messagesOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** @returns the exit code */
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
    // The build of an image runs `daihuo <command> --help` to leave the command compiled in the image, so its code is loaded here too.
    const load = COMMANDS.get(name);
    if (load !== undefined) await loadCompiled(load);
    console.log(USAGE);
    return 0;
  }
  try {
    const load = COMMANDS.get(name);
    if (load === undefined) throw new UsageFault(`There is no command '${name}'.`);
    if (args.length > 0 && !TAKING_ARGUMENTS.has(name)) {
      throw new UsageFault(`'daihuo ${name}' takes no arguments; settings are environment variables.`);
    }
    const result = readConfig(env);
    if (!result.ok) throw new OperatorFault(result.problems.join('\n'));
    const run = await loadCompiled(load);
    return await run({ name, config: result.config, env, args });
  } catch (error) {
    return report(error, env);
  }
}
