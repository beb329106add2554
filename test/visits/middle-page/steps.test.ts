import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { clickUpkeepJobs } from '../../../src/clicks/upkeep.ts';
import { createPageMetrics } from '../../../src/clicks/steps/metrics.ts';
import { createStepRecorder } from '../../../src/clicks/steps/step-recorder.ts';
import { STEP_WINDOW_MS } from '../../../src/core/clicks/visit-step.ts';
import { createMetricsRegistry } from '../../../src/http/metrics.ts';
import { asAdmin, comparable } from '../../http/test-server.ts';
import { drained, startTestWorker } from '../../clicks/click-server.ts';
import { makeClickOn } from '../../clicks/make-clicks.ts';
import { seedLink } from '../../clicks/seed-link.ts';
import type { SeededLink } from '../../clicks/seed-link.ts';
import { AGENTS, clickIdOf, openPageServer } from './page-server.ts';
import type { Answer, PageServer } from './page-server.ts';

const NOON = new Date('2026-11-22T04:00:00Z');
const SECOND_MS = 1_000;
const log = pino({ level: 'silent' });

let pages: PageServer;
let link: SeededLink;
let clock = NOON;

beforeAll(async () => {
  pages = await openPageServer({ now: () => clock });
});
afterAll(async () => pages.close());
beforeEach(async () => {
  clock = NOON;
  await pages.streams.redis.del('clicks:{0}');
  link = await seedLink(pages.test.db, { landingMode: null });
});

async function openPage(agent: string = AGENTS.douyinAndroid): Promise<string> {
  return clickIdOf((await pages.ask(`/${link.code}`, { agent })).body);
}

async function report(payload: string, options: { agent?: string; type?: string } = {}): Promise<Answer> {
  const headers = { 'content-type': options.type ?? 'text/plain;charset=UTF-8' };
  return pages.ask('/-/step', { method: 'POST', headers, payload, ...options });
}

async function storedSteps(): Promise<Record<string, unknown>[]> {
  const { rows } = await pages.test.db.query<Record<string, unknown>>(
    `select click_id as "clickId", step, clicked_at as "clickedAt", stepped_at as "steppedAt", brand_id as "brandId",
       product_id as "productId", app, os
     from click_steps where link_number = $1 order by step`,
    [link.linkNumber],
  );
  return rows;
}

async function funnel(query = ''): Promise<unknown> {
  const answer = await pages.server.app.inject({ url: `/v1/links/${link.code}/stats${query}`, headers: asAdmin });
  expect(answer.statusCode).toBe(200);
  return answer.json<{ funnel: unknown }>().funnel;
}

describe('POST /-/step', () => {
  it('keeps a step of a page that was handed out, and answers after COMMIT with nothing', async () => {
    const clickId = await openPage();
    clock = new Date(NOON.getTime() + 7 * SECOND_MS);
    const { status, body, headers } = await report(`${clickId} copy`);
    expect([status, body, headers['cache-control']]).toEqual([204, '', 'no-store']);
    expect(await storedSteps()).toEqual([
      {
        clickId,
        step: 'copy',
        clickedAt: NOON,
        steppedAt: clock,
        brandId: link.brandId,
        productId: link.productId,
        app: 'douyin',
        os: 'android',
      },
    ]);
  });

  it('counts every step of a click once, however often and at once it is sent', async () => {
    const clickId = await openPage();
    const reports = ['view', 'copy', 'open', 'view', 'view', 'copy'].map(async (step) => report(`${clickId} ${step}`));
    for (const { status } of await Promise.all(reports)) expect(status).toBe(204);
    expect((await report(`${clickId} view`)).status).toBe(204);
    expect(await funnel()).toEqual([{ app: 'douyin', shown: 0, view: 1, copy: 1, open: 1, continue: 0 }]);
  });

  it('refuses what no page sends: nothing is stored and nothing said', async () => {
    const clickId = await openPage();
    const bad = [
      '',
      ' ',
      'view',
      clickId,
      `${clickId} `,
      `${clickId} shown`,
      `${clickId} VIEW`,
      `${clickId} view `,
      `${clickId} view view`,
      `${clickId}  view`,
      ` ${clickId} view`,
      `${clickId}\nview`,
      `${clickId}\0view`,
      `${clickId.slice(0, -1)} view`,
      `${'A'.repeat(38)} view`,
      `{"clickId":"${clickId}","step":"view"}`,
      `${clickId} toString`,
      `${clickId} __proto__`,
    ];
    for (const text of bad) {
      const { status, body } = await report(text);
      expect([text, status, body]).toEqual([text, 400, '']);
    }
    expect((await report(`${clickId} view`.padEnd(201))).status).toBe(413);
    expect(await storedSteps()).toEqual([]);
  });

  it('refuses an id with any one character changed', async () => {
    const clickId = await openPage();
    for (let at = 0; at < clickId.length; at += 1) {
      const changed = clickId.slice(0, at) + (clickId[at] === 'A' ? 'Q' : 'A') + clickId.slice(at + 1);
      expect((await report(`${changed} view`)).status).toBe(400);
    }
    expect(await storedSteps()).toEqual([]);
    expect(await pages.server.metric('middle_page_steps_total', 'step="view",result="forged"')).toBeGreaterThan(30);
  });

  it('refuses a step a day after the click, or before it', async () => {
    const clickId = await openPage();
    clock = new Date(NOON.getTime() + STEP_WINDOW_MS + 1);
    expect((await report(`${clickId} view`)).status).toBe(400);
    clock = new Date(NOON.getTime() - 120 * SECOND_MS - 1);
    expect((await report(`${clickId} view`)).status).toBe(400);
    expect(await storedSteps()).toEqual([]);
    clock = new Date(NOON.getTime() + STEP_WINDOW_MS);
    expect((await report(`${clickId} view`)).status).toBe(204);
  });

  it('takes any content type, and leaves out what machines do', async () => {
    const clickId = await openPage();
    expect((await report(`${clickId} view`, { agent: AGENTS.scanner })).status).toBe(204);
    expect(await storedSteps()).toEqual([]);
    expect((await report(`${clickId} view`, { type: 'application/json' })).status).toBe(204);
    expect(await storedSteps()).toHaveLength(1);
  });

  it('leaves out steps of links that are not there', async () => {
    const { clickId } = makeClickOn(999_999, { clickedAt: NOON });
    expect((await report(`${clickId} view`)).status).toBe(204);
    const { rows } = await pages.test.db.query('select from click_steps where link_number = 999999');
    expect(rows).toEqual([]);
  });

  it('answers 503 where Postgres does not take it, and takes it again when Postgres does', async () => {
    const clickId = await openPage();
    await pages.test.db.query('alter table click_steps rename to click_steps_away');
    try {
      expect((await report(`${clickId} view`)).status).toBe(503);
    } finally {
      await pages.test.db.query('alter table click_steps_away rename to click_steps');
    }
    expect((await report(`${clickId} view`)).status).toBe(204);
    expect(await storedSteps()).toHaveLength(1);
  });
});

describe('the recorder of steps', () => {
  it('is late after a second, full beyond its bound, and keeps what was late once Postgres moves', async () => {
    const recorder = createStepRecorder({
      db: pages.test.db,
      log,
      metrics: createPageMetrics(createMetricsRegistry()),
      maxWaiting: 2,
    });
    const stepOf = () => {
      const { clickId, clickedAt } = makeClickOn(link.linkNumber);
      const { linkNumber } = link;
      return { clickId, clickedAt, steppedAt: clickedAt, linkNumber, step: 'view', app: 'other', os: 'ios' } as const;
    };
    const blocker = await pages.test.db.connect();
    await blocker.query('begin');
    await blocker.query('lock table click_steps');
    const first = recorder.record(stepOf());
    const [second, third] = [recorder.record(stepOf()), recorder.record(stepOf())];
    expect(await recorder.record(stepOf())).toBe('full');
    expect(await Promise.all([first, second, third])).toEqual(['late', 'late', 'late']);
    await blocker.query('rollback');
    blocker.release();
    await recorder.stop();
    expect(await storedSteps()).toHaveLength(3);
  });
});

describe('GET /-/seen/:clickId', () => {
  it('is a picture that reports the view, whatever the id', async () => {
    const clickId = await openPage();
    const picture = await pages.ask(`/-/seen/${clickId}`);
    expect([picture.status, picture.headers['content-type']]).toEqual([200, 'image/gif']);
    await vi.waitFor(async () => expect(await storedSteps()).toMatchObject([{ clickId, step: 'view' }]));
    const forged = await pages.ask(`/-/seen/${'A'.repeat(38)}`);
    expect([forged.status, forged.body]).toEqual([200, picture.body]);
    const another = await openPage();
    expect((await pages.ask(`/-/seen/${another}`, { method: 'HEAD' })).status).toBe(200);
    expect(await storedSteps()).toHaveLength(1);
  });
});

describe('GET /-/go/:clickId/:code', () => {
  it('sends the visitor on with the click of the page, and records it', async () => {
    const clickId = await openPage();
    const { status, headers, body } = await pages.ask(`/-/go/${clickId}/${link.code}`);
    expect([status, body]).toEqual([302, '']);
    expect(headers).toMatchObject({
      location: `https://item.taobao.com/item.htm?id=600000000001&dh_click=${clickId}#detail`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    await vi.waitFor(async () => expect(await storedSteps()).toMatchObject([{ clickId, step: 'continue' }]));
    // No further click: the visit is the one that the page was shown for.
    expect(await pages.loggedClicks()).toHaveLength(1);
  });

  it('leads only where the click leads: a forged id and another link’s code are not found, like an unknown link', async () => {
    const clickId = await openPage();
    const other = await seedLink(pages.test.db, { landingMode: null, url: 'https://item.taobao.com/item.htm?id=7' });
    const forged = (clickId.startsWith('B') ? 'C' : 'B') + clickId.slice(1);
    const urls = [
      `/-/go/${clickId}/${other.code}`,
      `/-/go/${forged}/${link.code}`,
      `/-/go/${'A'.repeat(38)}/${link.code}`,
      `/-/go/x/${link.code}`,
      `/-/go/${clickId}/nobodys`,
      `/-/go/${clickId}/%00`,
      `/-/go/${clickId}`,
      '/-/go',
    ];
    const unknown = comparable(await pages.server.app.inject({ url: '/-/nothing' }));
    for (const url of urls) expect(comparable(await pages.server.app.inject({ url }))).toEqual(unknown);
    expect(await storedSteps()).toEqual([]);
  });

  it('shows the page of a link that was paused meanwhile', async () => {
    const clickId = await openPage();
    await pages.test.db.query(`update links set status = 'paused' where id = $1`, [link.linkId]);
    await vi.waitFor(async () => {
      expect((await pages.ask(`/-/go/${clickId}/${link.code}`)).status).toBe(410);
    });
  });

  it('goes on with an old page, but counts no step for it; nor for HEAD and machines', async () => {
    const clickId = await openPage();
    await pages.ask(`/-/go/${clickId}/${link.code}`, { method: 'HEAD' });
    await pages.ask(`/-/go/${clickId}/${link.code}`, { agent: AGENTS.scanner });
    clock = new Date(NOON.getTime() + STEP_WINDOW_MS + 1);
    const { status, headers } = await pages.ask(`/-/go/${clickId}/${link.code}`);
    expect([status, String(headers['location']).includes(clickId)]).toEqual([302, true]);
    expect(await storedSteps()).toEqual([]);
  });

  it('sends the visitor on where Postgres takes no step', async () => {
    const clickId = await openPage();
    await pages.test.db.query('alter table click_steps rename to click_steps_away');
    try {
      expect((await pages.ask(`/-/go/${clickId}/${link.code}`)).status).toBe(302);
    } finally {
      await pages.test.db.query('alter table click_steps_away rename to click_steps');
    }
  });
});

describe('the funnel of a link', () => {
  it('shows pages that people were shown and the steps they took, by app and Shanghai day of the click', async () => {
    const worker = startTestWorker({
      db: pages.test.db,
      redisUrl: pages.streams.url,
      now: () => clock,
    });
    // 23:59:50 in Shanghai: the page is used on the next day, and counts for the day of its click.
    clock = new Date('2026-11-21T15:59:50Z');
    const late = await openPage(AGENTS.wechat);
    clock = new Date('2026-11-21T16:00:20Z');
    await report(`${late} view`, { agent: AGENTS.wechat });
    await report(`${late} copy`, { agent: AGENTS.wechat });
    clock = NOON;
    const first = await openPage();
    const second = await openPage();
    await openPage(AGENTS.scanner);
    await openPage(AGENTS.desktop).catch(() => undefined);
    await report(`${first} view`);
    await report(`${second} view`);
    await report(`${second} open`);
    await pages.ask(`/-/go/${second}/${link.code}`);
    await drained(pages.server.redis);
    const douyin = { app: 'douyin', shown: 2, view: 2, copy: 0, open: 1, continue: 1 };
    const wechat = { app: 'wechat', shown: 1, view: 1, copy: 1, open: 0, continue: 0 };
    await vi.waitFor(async () => expect(await funnel()).toEqual([douyin, wechat]));
    expect(await funnel('?from=2026-11-22')).toEqual([douyin]);
    expect(await funnel('?to=2026-11-22')).toEqual([wechat]);
    expect(await funnel('?from=2026-11-22T03:00:00Z&to=2026-11-22T05:00:00Z')).toEqual([douyin]);
    expect(await funnel('?from=2026-11-23')).toEqual([]);
    const { rows } = await pages.test.db.query(
      `select verdict, outcome, count(*)::integer as clicks from clicks where link_number = $1 group by 1, 2 order by 1, 2`,
      [link.linkNumber],
    );
    expect(rows).toEqual([
      { verdict: 'counted', outcome: 'page', clicks: 2 },
      { verdict: 'counted', outcome: null, clicks: 1 },
      { verdict: 'repeat', outcome: 'page', clicks: 1 },
      { verdict: 'scanner', outcome: 'page', clicks: 1 },
    ]);
    await worker.stop();
  });
});

describe('retention', () => {
  it('deletes steps after a hundred days, and keeps the sums', async () => {
    const clickId = await openPage();
    await report(`${clickId} view`);
    const retention = clickUpkeepJobs({ db: pages.test.db, now: () => clock }).find(({ name }) =>
      name.includes('steps'),
    );
    clock = new Date(NOON.getTime() + 99 * 86_400_000);
    await retention?.run(AbortSignal.timeout(60_000));
    expect(await storedSteps()).toHaveLength(1);
    clock = new Date(NOON.getTime() + 101 * 86_400_000);
    await retention?.run(AbortSignal.timeout(60_000));
    expect(await storedSteps()).toEqual([]);
    expect(await funnel()).toMatchObject([{ view: 1 }]);
  });
});
