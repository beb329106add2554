// Run as a program of its own by the tests of the private services: <home>. Prints the addresses as one line of JSON once both servers run,
// and stops them when its standard input ends.
import { processEnvironment } from '../../src/infra/config.ts';
import { startLocalServices } from '../../src/local/local-services.ts';

const [home = ''] = process.argv.slice(2);
const services = await startLocalServices({ home, env: processEnvironment(), print: console.error, isDurable: false });
console.log(JSON.stringify({ databaseUrl: services.databaseUrl, redisUrl: services.redisUrl }));
for await (const _chunk of process.stdin) {
  // Nothing is said to us; only the end counts.
}
await services.stop();
