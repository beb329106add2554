import { flushCompileCache } from 'node:module';
import { runCommandLine } from './cli/command-line.ts';
import { processEnvironment } from './infra/config.ts';

// Kept at once: at its end only, a process that is killed would leave nothing to the next one.
flushCompileCache();
process.exit(await runCommandLine(process.argv.slice(2), processEnvironment()));
