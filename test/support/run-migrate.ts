// Run as a program of its own by the test of racing migrations: <database url> <folder>; prints the names it applied.
import { createDb } from '../../src/infra/db.ts';
import { migrate } from '../../src/infra/migrate.ts';

const [url = '', folder = ''] = process.argv.slice(2);
const db = createDb({ url, applicationName: 'daihuo-test-migrate', onError: (error) => console.error(error) });
console.log(JSON.stringify((await migrate(db, folder)).applied));
await db.end();
