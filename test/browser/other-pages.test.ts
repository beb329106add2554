import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { openPageServer } from '../visits/middle-page/page-server.ts';
import type { PageServer } from '../visits/middle-page/page-server.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { VISITORS, launchBrowser, seriousIssues, startVisit, takeScreenshot } from './browser.ts';
import type { Visit } from './browser.ts';
import { waitUntil } from '../support/timing.ts';

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
  link = await seedLink(pages.test.db);
});
afterEach(async () => {
  await visit?.context.close();
  visit = undefined;
});

async function open(path: string, options: Parameters<typeof startVisit>[2] = {}): Promise<Visit> {
  visit = await startVisit(browser, VISITORS['Douyin on Android'], options);
  await visit.page.goto(`${pages.server.address}${path}`);
  return visit;
}

/** A status of 404 or 410 is itself a line on the console; nothing else may be there. */
async function expectSound({ page, complaints, requests }: Visit): Promise<void> {
  expect(complaints.filter((each) => !/the server responded with a status of 4(?:04|10)/.test(each))).toEqual([]);
  expect(requests.filter((url) => !url.startsWith(pages.server.address))).toEqual([]);
  expect(await seriousIssues(page)).toEqual([]);
}

describe.each([true, false])('with scripts: %s', (isScripted) => {
  it('a code typed into the landing page leads to the shop', async () => {
    const { page, requests } = await open('/', { isScripted });
    await page.fill('#code', `　${link.code.toUpperCase()}。`);
    await page.tap('button.go');
    await waitUntil(() => expect(requests.at(-1)).toMatch(/^https:\/\/item\.taobao\.com\/item\.htm\?.*dh_click=/));
  });

  it('a code that names nothing gets the page to check it, with the box filled in', async () => {
    const { page } = await open('/', { isScripted });
    await page.fill('#code', 'k7q2m80');
    await page.tap('button.go');
    await waitUntil(async () => expect(await page.textContent('h1')).toBe('没有找到这个链接'));
    expect(await page.inputValue('#code')).toBe('k7q2m80');
  });
});

it('the landing page is sound, in the light and in the dark', async () => {
  const seen = await open('/');
  await expectSound(seen);
  await takeScreenshot(seen.page, 'landing');
  await seen.context.close();
  const dark = await open('/', { colorScheme: 'dark' });
  await expectSound(dark);
});

it('the page to check a code is sound', async () => {
  const seen = await open('/k7q2m80');
  await expectSound(seen);
  await takeScreenshot(seen.page, 'check-the-code');
});

it('the page of a dead link is sound', async () => {
  await pages.test.db.query(`update links set status = 'paused' where id = $1`, [link.linkId]);
  await waitUntil(async () => expect((await pages.ask(`/${link.code}`)).status).toBe(410));
  const seen = await open(`/${link.code}`);
  expect(await seen.page.textContent('h1')).toBe('推广暂停中');
  await expectSound(seen);
  await takeScreenshot(seen.page, 'dead-link');
});
