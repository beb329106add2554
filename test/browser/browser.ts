import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';

import { AGENTS } from '../visits/middle-page/page-server.ts';

/** Where distributions put it; BROWSER_PATH is for the others. */
const CHROMIUM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const SCREENSHOTS = path.join(import.meta.dirname, '..', '..', 'docs', 'screenshots');

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** No test asks anybody else: every other name leads nowhere. What a page asked for is seen all the same. */
const ONLY_US = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1';

export interface Visitor {
  userAgent: string;
  width: number;
  height: number;
  isMobile: boolean;
}

const phone = (userAgent: string): Visitor => ({ userAgent, width: 390, height: 844, isMobile: true });

/** As each of them would show a page: the user agent, the size and the touch of it, in one and the same Chromium. */
export const VISITORS = {
  'Douyin on Android': phone(AGENTS.douyinAndroid),
  'Douyin on an iPhone': phone(AGENTS.douyinIphone),
  WeChat: phone(AGENTS.wechat),
  'HarmonyOS NEXT': phone(AGENTS.harmony),
  'a desktop': { userAgent: AGENTS.desktop, width: 1280, height: 800, isMobile: false },
} as const satisfies Record<string, Visitor>;

/** @throws where there is no Chromium: these tests are nothing without one */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = [process.env['BROWSER_PATH'] ?? '', ...CHROMIUM_PATHS].find((each) => existsSync(each));
  if (executablePath === undefined) throw new Error('no Chromium is installed; name one with BROWSER_PATH');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ONLY_US] });
}

export interface Visit {
  context: BrowserContext;
  page: Page;
  /** Errors and warnings that the page left on the console, blocked loads among them. */
  complaints: string[];
  /** Everything that was asked for, in order, the page itself and what it was left for among it. */
  requests: string[];
}

/** A fresh visitor with a page of its own. */
export async function startVisit(
  browser: Browser,
  visitor: Visitor,
  { isScripted = true, colorScheme = 'light' }: { isScripted?: boolean; colorScheme?: 'light' | 'dark' } = {},
): Promise<Visit> {
  const { userAgent, width, height, isMobile } = visitor;
  const context = await browser.newContext({
    userAgent,
    viewport: { width, height },
    deviceScaleFactor: isMobile ? 2 : 1,
    isMobile,
    hasTouch: isMobile,
    javaScriptEnabled: isScripted,
    colorScheme,
    locale: 'zh-CN',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  return { context, page, complaints, requests };
}

export async function takeScreenshot(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), scale: 'css' });
}

interface AxeResult {
  violations: { id: string; impact: string | null; nodes: { html: string }[] }[];
}

/** What a screen reader or weak eyes would stumble over, as axe-core judges it. */
export async function seriousIssues(page: Page): Promise<string[]> {
  // The policy of the page forbids scripts in it, so the checker is run by the browser's own debugger.
  await page.evaluate(AXE);
  const { violations } = (await page.evaluate('axe.run()')) as AxeResult;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}
