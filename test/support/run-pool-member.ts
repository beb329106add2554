/** One process of a pool, for `test/infra/process-pool.test.ts`: does what MEMBER says. */
import { READY_MESSAGE } from '../../src/cli/process-pool.ts';

const what = process.env['MEMBER'] ?? '';
if (what === 'ready') process.on('SIGTERM', () => process.exit(0));
if (what === 'ready, stubborn') process.on('SIGTERM', () => process.exit(4));
if (what.startsWith('ready')) process.send?.(READY_MESSAGE);
if (what === 'ends') process.exit(3);
process.once('message', (message) => message === 'end' && process.exit(3));
setInterval(() => undefined, 60_000);
