/** The whole of daihuo as a person runs it: processes, HTTP, signals. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchFrom } from '../../src/local/demo/api.ts';
import { openMarket } from '../../src/local/demo/market.ts';
import { waitUntil } from '../support/timing.ts';
import { install, outcomeOf, readClicks } from './daihuo-process.ts';
import type { Installation, RunningServer } from './daihuo-process.ts';

const TIMEOUT_MS = 240_000;
const CLIENTS = 8;
const DESKTOP = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/605.1.15 (KHTML, like Gecko) aweme_30.4.0';

let installation: Installation;
let server: RunningServer;

beforeAll(async () => {
  installation = await install();
  server = await installation.serve('start');
});
afterAll(async () => {
  await installation.remove();
});

/** One visitor who keeps tapping on one connection until the server is gone; the click ids it was given are kept. */
async function tapUntilGone(origin: string, code: string, clickIds: string[]): Promise<void> {
  for (;;) {
    let response: Response;
    try {
      response = await fetchFrom(origin, { method: 'GET', path: `/${code}`, headers: { 'user-agent': DESKTOP } });
      await response.text();
    } catch {
      return;
    }
    const clickId = URL.parse(response.headers.get('location') ?? '')?.searchParams.get('dh_click');
    if (typeof clickId === 'string') clickIds.push(clickId);
  }
}

describe('a running daihuo', () => {
  it(
    'is driven by the demo through the whole chain, twice, and every figure is as the rules give it',
    async () => {
      for (const args of [
        ['demo', '--url', server.origin],
        ['demo', '--url', `${server.origin}/`],
      ]) {
        const demo = await outcomeOf(installation.run(args));
        expect(demo.stderr).toBe('');
        expect(demo.stdout).toMatch(/All \d{3} figures are as the rules give them\.\n$/);
        expect(demo.code).toBe(0);
      }
      const verify = await outcomeOf(installation.run(['verify']));
      expect(verify).toMatchObject({ code: 0, stderr: '' });
      expect(verify.stdout).toMatch(/lines 8\b[\s\S]*clicks 18\b[\s\S]*Everything holds\.\n$/);
    },
    TIMEOUT_MS,
  );

  it(
    'makes a key on the command line that opens what its role may see, audited',
    async () => {
      const created = await outcomeOf(installation.run(['key', 'create', '--role', 'finance', '--label', 'books']));
      expect(created.code).toBe(0);
      const key = created.stdout.trim();
      expect(key).toMatch(/^dh_finance_[A-Za-z0-9_-]{43}$/);
      const answer = await fetchFrom(server.origin, {
        method: 'GET',
        path: '/v1/commissions/totals',
        headers: { authorization: `Bearer ${key}` },
      });
      expect(answer.status).toBe(200);
      const { rows } = await installation.database.db.query(
        'select a.actor, a.action from audit_log a where a.subject = $1',
        [/key_[a-z0-9]+/.exec(created.stderr)?.[0]],
      );
      expect(rows).toEqual([{ actor: 'daihuo key create', action: 'key.created' }]);
    },
    TIMEOUT_MS,
  );

  it(
    'says in one sentence what a demo or a key lacks',
    async () => {
      const nobody = await outcomeOf(installation.run(['demo', '--url', 'http://127.0.0.1:1']));
      expect(nobody).toMatchObject({ code: 1, stdout: '' });
      expect(nobody.stderr).toMatch(/^No daihuo answers at http:\/\/127\.0\.0\.1:1\. .*\n$/);
      const unasked = await outcomeOf(installation.run(['demo', '--url', server.origin], { DAIHUO_ADMIN_KEY: '' }));
      expect(unasked).toMatchObject({ code: 1, stdout: '' });
      expect(unasked.stderr).toMatch(/^The demo needs an admin key of http.*\n$/);
      const brandless = await outcomeOf(installation.run(['key', 'create', '--role', 'brand', '--brand', 'brd_none']));
      expect(brandless).toEqual({ code: 1, stdout: '', stderr: 'There is no brand brd_none.\n' });
    },
    TIMEOUT_MS,
  );

  it(
    'fails verify with exit code 1, and says where, when a kept sum is wrong',
    async () => {
      const { db } = installation.database;
      const { rows } = await db.query<{ place: string }>(
        `update click_rollups r set clicks = r.clicks + 1
         where r.ctid = (select min(c.ctid) from click_rollups c) returning r.ctid::text as "place"`,
      );
      const verify = await outcomeOf(installation.run(['verify']));
      expect(verify.code).toBe(1);
      expect(verify.stdout).toMatch(/^FAIL {2}click rollups = clicks/m);
      expect(verify.stdout).toMatch(/Something does not hold; see FAIL above\.\n$/);
      await db.query('update click_rollups r set clicks = r.clicks - 1 where r.ctid = $1::tid', [rows[0]?.place]);
      expect((await outcomeOf(installation.run(['verify']))).code).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'stopped by SIGTERM under busy keep-alive clients, ends within 10 s with exit code 0 and has lost no click it answered',
    async () => {
      const { mei } = await openMarket(server.admin, server.connect);
      const clickIds: string[] = [];
      const clients = Array.from({ length: CLIENTS }, () => tapUntilGone(server.origin, mei.fryer.code, clickIds));
      await waitUntil(() => clickIds.length >= 200);
      const stoppedAtMs = performance.now();
      server.program.child.kill('SIGTERM');
      expect(await server.program.ended).toBe(0);
      expect(performance.now() - stoppedAtMs).toBeLessThan(20_000);
      await Promise.all(clients);
      expect(clickIds.length).toBeGreaterThanOrEqual(200);
      expect(new Set(clickIds).size).toBe(clickIds.length);

      // What was acknowledged and not yet kept waits in Redis for the next worker.
      const worker = installation.run(['worker']);
      await worker.line(/^daihuo worker ready$/);
      const wanted = new Set(clickIds);
      const kept = await waitUntil(async () => {
        const rows = (await readClicks(installation)).filter(({ clickId }) => wanted.has(clickId));
        return rows.length >= wanted.size && rows;
      });
      // A second look: a click kept twice would come late.
      await sleep(500);
      const rows = (await readClicks(installation)).filter(({ clickId }) => wanted.has(clickId));
      expect(kept.length).toBe(wanted.size);
      expect(rows.length).toBe(wanted.size);
      expect(new Set(rows.map(({ clickId }) => clickId))).toEqual(wanted);
      worker.child.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
      expect((await outcomeOf(installation.run(['verify']))).code).toBe(0);
    },
    TIMEOUT_MS,
  );
});
