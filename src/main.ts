import { runCommandLine } from './cli/command-line.ts';
import { processEnvironment } from './infra/config.ts';

process.exit(await runCommandLine(process.argv.slice(2), processEnvironment()));
