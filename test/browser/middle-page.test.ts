import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { openPageServer } from '../visits/middle-page/page-server.ts';
import type { PageServer } from '../visits/middle-page/page-server.ts';
import { seedLink } from '../clicks/seed-link.ts';
import type { SeededLink } from '../clicks/seed-link.ts';
import { VISITORS, launchBrowser, seriousIssues, startVisit, takeScreenshot } from './browser.ts';
import type { Visit } from './browser.ts';

const TAO_CODE = '7￥AbCdEfG￥ 复制打开';
const SHOP = /^https:\/\/item\.taobao\.com\/item\.htm\?/;
const ON_PHONES = ['Douyin on Android', 'Douyin on an iPhone', 'WeChat', 'HarmonyOS NEXT'] as const;

let pages: PageServer;
let browser: Browser;
let link: SeededLink;
let visit: Visit | undefined;

beforeAll(async () => {
  [pages, browser] = await Promise.all([openPageServer(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await pages.close();
});
beforeEach(async () => {
  link = await seedLink(pages.test.db, { landingMode: null });
  const title = '便携手冲咖啡壶 600ml 细口温控 家用户外两用';
  await pages.test.db.query('update products set title = $2, tao_code = $3 where id = $1', [
    link.productId,
    title,
    TAO_CODE,
  ]);
});
afterEach(async () => {
  await visit?.context.close();
  visit = undefined;
});

async function open(name: keyof typeof VISITORS, options: Parameters<typeof startVisit>[2] = {}): Promise<Visit> {
  visit = await startVisit(browser, VISITORS[name], options);
  await visit.page.goto(`${pages.server.address}/${link.code}`);
  return visit;
}

/** Resolves when the visitor has left for an address like this; returns it. */
async function leftFor({ requests }: Visit, pattern: RegExp): Promise<string> {
  return vi.waitFor(
    () => {
      const url = requests.find((each) => pattern.test(each));
      if (url === undefined) throw new Error(`nobody asked for ${pattern.source}`);
      return url;
    },
    { timeout: 10_000 },
  );
}

async function steps(): Promise<string[]> {
  const { rows } = await pages.test.db.query<{ step: string }>(
    'select step from click_steps where link_number = $1 order by step',
    [link.linkNumber],
  );
  return rows.map(({ step }) => step);
}

async function expectSteps(...expected: string[]): Promise<void> {
  await vi.waitFor(async () => expect(await steps()).toEqual(expected), { timeout: 10_000 });
}

/** Copying takes the browser a moment. */
async function expectSaid(page: Page, text: string): Promise<void> {
  await vi.waitFor(async () => expect(await page.textContent('#said')).toBe(text), { timeout: 10_000 });
}

describe.each(ON_PHONES)('%s', (name) => {
  it('sees the page, which reports that it was seen, asks nobody else and leaves no complaint', async () => {
    const { page, complaints, requests } = await open(name);
    expect(await page.textContent('h1')).toContain('便携手冲咖啡壶');
    expect(await page.isVisible('.go')).toBe(true);
    await expectSteps('view');
    expect(requests.filter((url) => !url.startsWith(pages.server.address))).toEqual([]);
    expect(complaints).toEqual([]);
    expect(await seriousIssues(page)).toEqual([]);
  });

  it('copies the 淘口令', async () => {
    const { page, context, complaints } = await open(name);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.tap('#copy');
    await expectSaid(page, '已复制，打开淘宝 App 即可');
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(TAO_CODE);
    await expectSteps('copy', 'view');
    expect(complaints).toEqual([]);
  });

  it('copies it without the clipboard of the browser, which apps often lack', async () => {
    visit = await startVisit(browser, VISITORS[name]);
    const { page, context } = visit;
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.addInitScript('Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined })');
    await page.goto(`${pages.server.address}/${link.code}`);
    await page.tap('#copy');
    await expectSaid(page, '已复制，打开淘宝 App 即可');
    await expectSteps('copy', 'view');
  });

  it('says how to copy by hand where neither works', async () => {
    visit = await startVisit(browser, VISITORS[name]);
    const { page } = visit;
    await page.addInitScript(
      'Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined }); document.execCommand = () => false;',
    );
    await page.goto(`${pages.server.address}/${link.code}`);
    await page.tap('#copy');
    await expectSaid(page, '请长按上面的淘口令复制');
    expect(await page.evaluate('String(getSelection())')).toBe(TAO_CODE);
  });

  it('goes on in the browser, with the click of the page', async () => {
    const opened = await open(name);
    const clickId = (await opened.page.getAttribute('body', 'data-click')) ?? '';
    await opened.page.tap('#onward');
    expect(await leftFor(opened, SHOP)).toBe(`https://item.taobao.com/item.htm?id=600000000001&dh_click=${clickId}`);
    await expectSteps('continue', 'view');
  });

  it('finds everything that needs no script where none runs, and is seen all the same', async () => {
    const opened = await open(name, { isScripted: false });
    const { page, complaints } = opened;
    expect(await page.isVisible('text=¥199.00')).toBe(true);
    expect(await page.isVisible('#copy')).toBe(false);
    expect(await page.textContent('#code')).toBe(TAO_CODE);
    await expectSteps('view');
    expect(complaints).toEqual([]);
    await page.tap('#onward');
    await leftFor(opened, SHOP);
    await expectSteps('continue', 'view');
  });
});

describe('a report that is not taken', () => {
  const reportsOf = ({ requests }: Visit): number => requests.filter((url) => url.endsWith('/-/step')).length;

  it('is sent once more after some seconds, and counts then', async () => {
    await pages.test.db.query('alter table click_steps rename to click_steps_away');
    try {
      visit = await open('Douyin on Android');
      const refused = await visit.page.waitForResponse(/\/-\/step$/);
      expect(refused.status()).toBe(503);
    } finally {
      await pages.test.db.query('alter table click_steps_away rename to click_steps');
    }
    await expectSteps('view');
    expect(reportsOf(visit)).toBe(2);
  });

  it('is not sent a third time', async () => {
    await pages.test.db.query('alter table click_steps rename to click_steps_away');
    try {
      const opened = await open('Douyin on Android');
      await vi.waitFor(() => expect(reportsOf(opened)).toBe(2), { timeout: 10_000 });
      await opened.page.waitForTimeout(6_000);
      expect(reportsOf(opened)).toBe(2);
    } finally {
      await pages.test.db.query('alter table click_steps_away rename to click_steps');
    }
  });

  it('is a beacon, and left at that, where the browser hears no answer of a request that outlives the page', async () => {
    visit = await startVisit(browser, VISITORS['Douyin on Android']);
    await visit.page.addInitScript('delete Request.prototype.keepalive');
    const asked = visit.page.waitForRequest(/\/-\/step$/);
    await visit.page.goto(`${pages.server.address}/${link.code}`);
    expect((await asked).resourceType()).toBe('ping');
    await expectSteps('view');
    expect(reportsOf(visit)).toBe(1);
  });
});

/** Where the page sends the browser by a scheme that no browser here knows: seen by the debugger only. */
async function watchNavigations(page: Page): Promise<string[]> {
  const asked: string[] = [];
  const session = await page.context().newCDPSession(page);
  await session.send('Page.enable');
  session.on('Page.frameRequestedNavigation', ({ url }) => asked.push(url));
  return asked;
}

describe('the button that opens the app', () => {
  it.each(['Douyin on Android', 'HarmonyOS NEXT'] as const)(
    'on %s: never opens anything by itself, asks for the app on a tap, and goes on in the browser after a second without it',
    async (name) => {
      const opened = await open(name);
      const { page } = opened;
      const asked = await watchNavigations(page);
      await page.waitForTimeout(1_500);
      expect(asked).toEqual([]);
      await page.tap('#open');
      const tappedAtMs = performance.now();
      await leftFor(opened, SHOP);
      expect(performance.now() - tappedAtMs).toBeGreaterThan(900);
      expect(asked[0]).toMatch(/^tbopen:\/\/m\.taobao\.com\/tbopen\/index\.html\?/);
      await expectSteps('continue', 'open', 'view');
    },
  );

  it('stays where the page was hidden meanwhile: the app has opened', async () => {
    const { page } = await open('Douyin on Android');
    await page.tap('#open');
    await page.evaluate(
      'Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true }); document.dispatchEvent(new Event("visibilitychange"))',
    );
    await page.evaluate('Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true })');
    await page.waitForTimeout(2_000);
    expect(page.url()).toBe(`${pages.server.address}/${link.code}`);
    await expectSteps('open', 'view');
  });

  it('drops a fallback that comes late: the page was frozen behind the app', async () => {
    const { page } = await open('Douyin on Android');
    await page.tap('#open');
    await page.evaluate('const end = Date.now() + 3000; while (Date.now() < end);');
    await page.waitForTimeout(500);
    expect(page.url()).toBe(`${pages.server.address}/${link.code}`);
  });

  it('is a universal link on an iPhone, which shows a page of the shop where there is no app', async () => {
    const opened = await open('Douyin on an iPhone');
    await opened.page.tap('#open');
    await leftFor(opened, /^https:\/\/ace\.tb\.cn\/t\?smburl=tbopen/);
    await expectSteps('open', 'view');
  });

  it('is not there in WeChat, which opens no app: the guide is', async () => {
    const { page } = await open('WeChat');
    expect(await page.$('#open')).toBeNull();
    expect(await page.isVisible('.guide')).toBe(true);
  });
});

describe('a desktop', () => {
  it('is sent straight to the shop; a page that is wished for is whole as well', async () => {
    const sentOn = await startVisit(browser, VISITORS['a desktop']);
    // There is no shop where this browser could arrive.
    await expect(sentOn.page.goto(`${pages.server.address}/${link.code}`)).rejects.toThrow('ERR_NAME_NOT_RESOLVED');
    await leftFor(sentOn, SHOP);
    await sentOn.context.close();
    link = await seedLink(pages.test.db, { landingMode: 'page' });
    const wished = await open('a desktop');
    expect(await wished.page.textContent('h1')).toBe('杯子');
    expect(wished.complaints).toEqual([]);
    expect(await seriousIssues(wished.page)).toEqual([]);
  });
});

describe('pictures of the page, for docs/screenshots', () => {
  it.each([
    ['middle-page-light', 'Douyin on Android', 'light'],
    ['middle-page-dark', 'Douyin on an iPhone', 'dark'],
    ['middle-page-wechat', 'WeChat', 'light'],
    ['middle-page-harmony', 'HarmonyOS NEXT', 'light'],
  ] as const)('%s', async (file, name, colorScheme) => {
    const { page } = await open(name, { colorScheme });
    expect(await seriousIssues(page)).toEqual([]);
    await takeScreenshot(page, file);
  });
});
