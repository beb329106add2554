/** The worker as a process of its own: what it asks of servers elsewhere, and how that is forbidden. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Program } from '../support/child-program.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { install, outcomeOf } from './daihuo-process.ts';
import type { Installation } from './daihuo-process.ts';
import { waitUntil } from '../support/timing.ts';

const TIMEOUT_MS = 240_000;

let installation: Installation;
let link: SeededLink;

beforeAll(async () => {
  installation = await install();
  link = await seedLink(installation.database.db);
  // Without a link in use nobody is sent there, so nobody looks: no test asks a real shop.
  await installation.database.db.query(`update links set status = 'paused'`);
});
afterAll(async () => {
  await installation.remove();
});
beforeEach(async () => {
  const { db } = installation.database;
  await db.query('update products set image_url = null');
  // An address inside is refused before anything is asked.
  await db.query(`update products set image_url = 'https://10.0.0.1/a.png' where id = $1`, [link.productId]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startWorker(env: Record<string, string>): Promise<Program> {
  const worker = installation.run(['worker'], env);
  await worker.line(/^daihuo worker ready/);
  return worker;
}

async function stop(worker: Program): Promise<void> {
  worker.child.kill('SIGTERM');
  expect(await outcomeOf(worker)).toMatchObject({ code: 0, stderr: '' });
}

/** The problem of the picture, and the attempts of its job; undefined where no job is left. */
const readPicture = async (): Promise<{ problem: string | null; attempts: number | null } | undefined> => {
  const text = `select pp.problem, j.attempts from product_pictures pp
    left join graphile_worker.jobs j on j.key = 'product_picture:' || pp.product_id where pp.product_id = $1`;
  const { rows } = await installation.database.db.query<{ problem: string | null; attempts: number | null }>(text, [
    link.productId,
  ]);
  return rows[0];
};

describe('the worker', () => {
  it(
    'fetches what is due, refuses what leads inside, counts it, and stops cleanly',
    async () => {
      const port = await freePort();
      const worker = await startWorker({ OUTGOING_REQUESTS: 'on', METRICS_PORT: String(port) });
      const refused = { problem: 'address_refused', attempts: null };
      await waitUntil(async () => expect(await readPicture()).toEqual(refused));
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(metrics).toContain('product_pictures_total{result="address_refused"} 1');
      await stop(worker);
    },
    TIMEOUT_MS,
  );

  it(
    'asks nobody where that is forbidden',
    async () => {
      const port = await freePort();
      const worker = await startWorker({ OUTGOING_REQUESTS: 'off', METRICS_PORT: String(port) });
      // A second job of every kind has run by then.
      await waitUntil(async () => {
        const { rows } = await installation.database.db.query<{ isNew: boolean }>(
          `select sealed_through > now() - interval '2 seconds' as "isNew" from sealer_state`,
        );
        expect(rows[0]?.isNew).toBe(true);
      });
      expect(await readPicture()).toEqual({ problem: null, attempts: 0 });
      expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).not.toContain('product_pictures_total');
      await stop(worker);
    },
    TIMEOUT_MS,
  );
});
