import { COUNTED_STEPS, type Step } from '../../core/vocabulary.ts';
import { fetchFrom } from './api.ts';
import { readStats, type LinkStats } from './answers.ts';
import { FRYER_CLICKS, FRYER_FUNNEL } from './rules.ts';
import { type Tour, waitUntil } from './tour.ts';

const ANDROID =
  'Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';

const DOUYIN_ANDROID = {
  name: 'Douyin on Android',
  userAgent: `${ANDROID} Chrome/107.0.5304.141 Mobile Safari/537.36 aweme_300400 JsSdk/1.0 NetType/5G AppName/aweme`,
};
const DOUYIN_IPHONE = {
  name: 'Douyin on an iPhone',
  userAgent: `${IPHONE} Mobile/15E148 aweme_30.4.0 JsSdk/2.0 NetType/WIFI Region/CN`,
};
const WECHAT = {
  name: 'WeChat on an iPhone',
  userAgent: `${IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/4G Language/zh_CN`,
};
const DESKTOP = {
  name: 'Chrome on Windows',
  userAgent:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
};
const BAIDU = {
  name: 'the Baidu spider',
  userAgent: 'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
};

/** The click ids in the addresses of the shop's landing pages. */
export interface Clicks {
  fryer: string;
  kettle: string;
  cup: string;
}

interface VisitorRequest {
  path: string;
  visitor: { name: string; userAgent: string };
  method?: 'GET' | 'HEAD';
  /** The expected host of the redirect. */
  host: string;
}

/** One request to a link that redirects without a page. @returns the click id in the target address, '' where it has none */
async function visit(tour: Tour, { path, visitor, method = 'GET', host }: VisitorRequest): Promise<string> {
  const { origin, figures, print } = tour;
  const response = await fetchFrom(origin, { method, path, headers: { 'user-agent': visitor.userAgent } });
  await response.text();
  const location = URL.parse(response.headers.get('location') ?? '');
  const clickId = location?.searchParams.get('dh_click') ?? '';
  const name = `${method} ${path} by ${visitor.name}`;
  figures.expect(`${name}, status`, BigInt(response.status), 302n);
  figures.expect(`${name}, sent on to`, location?.hostname, host);
  figures.expect(`${name}, length of the click id`, BigInt(clickId.length), 38n);
  print(`  ${method.padEnd(4)} ${path.padEnd(15)} ${visitor.name.padEnd(20)} → ${host}, click …${clickId.slice(-10)}`);
  return clickId;
}

/** The address on a middle page that continues in the browser: `/-/go/<click id>/<code>`. */
const ONWARD = /href="(\/-\/go\/([A-Za-z0-9_-]{38})\/[a-z0-9-]+)"/;

/**
 * Requests a middle page and reports that it was viewed, then the given steps; `continue` follows the link that continues in the browser.
 *
 * @returns the click id of the page, '' where it has none
 */
async function visitPage(
  tour: Tour,
  { path, visitor, host }: VisitorRequest,
  steps: readonly Exclude<Step, 'view'>[] = [],
): Promise<string> {
  const { origin, figures, print } = tour;
  const headers = { 'user-agent': visitor.userAgent };
  const response = await fetchFrom(origin, { method: 'GET', path, headers });
  const [, onward = '', clickId = ''] = ONWARD.exec(await response.text()) ?? [];
  const name = `GET ${path} by ${visitor.name}`;
  figures.expect(`${name}, status`, BigInt(response.status), 200n);
  figures.expect(`${name}, length of the click id`, BigInt(clickId.length), 38n);
  for (const step of ['view', ...steps]) {
    const isContinue = step === 'continue';
    const taken = isContinue
      ? await fetchFrom(origin, { method: 'GET', path: onward, headers })
      : await fetchFrom(origin, { method: 'POST', path: '/-/step', headers, body: `${clickId} ${step}` });
    await taken.text();
    figures.expect(`${name}, ${step}`, BigInt(taken.status), isContinue ? 302n : 204n);
    if (!isContinue) continue;
    const location = URL.parse(taken.headers.get('location') ?? '');
    figures.expect(`${name}, sent on to`, location?.hostname, host);
    figures.expect(`${name}, with the click`, location?.searchParams.get('dh_click') ?? '', clickId);
  }
  const taken = ['view', ...steps].join(', ');
  print(`  GET  ${path.padEnd(15)} ${visitor.name.padEnd(20)} → middle page (${taken}), click …${clickId.slice(-10)}`);
  return clickId;
}

/** Visits all four links, one of them twice by the same visitor, also as a search engine and with a HEAD request. */
export async function visitLinks(tour: Tour): Promise<Clicks> {
  const { mei, qiang } = tour.market;
  const taobao = 'item.taobao.com';
  const fryer = `/${mei.fryer.code}`;
  const clickId = await visitPage(tour, { path: `${fryer}/v12`, visitor: DOUYIN_ANDROID, host: taobao }, ['copy']);
  await visitPage(tour, { path: `${fryer}/v12`, visitor: DOUYIN_ANDROID, host: taobao }, ['copy', 'open']);
  await visitPage(tour, { path: fryer, visitor: DOUYIN_IPHONE, host: taobao }, ['open']);
  await visitPage(tour, { path: fryer, visitor: WECHAT, host: taobao }, ['continue']);
  await visit(tour, { path: fryer, visitor: BAIDU, host: taobao });
  await visit(tour, { path: fryer, visitor: DESKTOP, method: 'HEAD', host: taobao });
  await visit(tour, { path: `/${mei.tea.code}`, visitor: DOUYIN_IPHONE, host: 'h5.youzan.com' });
  const kettle = await visitPage(tour, { path: `/${qiang.kettle.code}`, visitor: DOUYIN_IPHONE, host: taobao }, [
    'open',
  ]);
  const cup = await visitPage(tour, { path: `/${qiang.cup.code}`, visitor: DOUYIN_IPHONE, host: taobao });
  return { fryer: clickId, kettle, cup };
}

const STATS_TIMEOUT_MS = 30_000;

function recorded({ clicks }: LinkStats): bigint {
  return Object.values(clicks.notCounted).reduce((sum, each) => sum + each, clicks.counted);
}

/** Waits until the worker has stored every click, then compares the statistics. */
export async function checkClicks(tour: Tour): Promise<void> {
  const { market, figures, print } = tour;
  const { counted, unique, ...notCounted } = FRYER_CLICKS;
  const visits = Object.values(notCounted).reduce<bigint>((sum, each) => sum + each, counted);
  const startedAtMs = performance.now();
  const read = async (code: string, enough: bigint): Promise<LinkStats> =>
    waitUntil(
      () => readStats(market.finance, code),
      (stats) => recorded(stats) >= enough,
      STATS_TIMEOUT_MS,
    );
  const { clicks, funnel } = await read(market.mei.fryer.code, visits);
  for (const ofApp of FRYER_FUNNEL) {
    const { app, ...steps } = ofApp;
    const counts = funnel.find((each) => each.app === app);
    for (const step of COUNTED_STEPS)
      figures.expect(`middle page of the fryer in ${app}, ${step}`, counts?.[step], steps[step]);
    print(
      `  Its middle page in ${app}: ${steps.shown} shown, ${steps.view} seen, ${steps.copy} copied, ${steps.open} opened the app, ${steps.continue} went on.`,
    );
  }
  figures.expect('clicks on the fryer, counted', clicks.counted, counted);
  figures.expect('clicks on the fryer, unique', clicks.unique, unique);
  for (const [verdict, expected] of Object.entries(notCounted)) {
    figures.expect(`clicks on the fryer, ${verdict}`, clicks.notCounted[verdict], expected);
  }
  for (const { code } of [market.mei.tea, market.qiang.kettle, market.qiang.cup]) {
    const stats = await read(code, 1n);
    figures.expect(`clicks on /${code}, counted`, stats.clicks.counted, 1n);
  }
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  const others = Object.entries(clicks.notCounted).map(([verdict, number]) => `${number} ${verdict}`);
  print(`  In the statistics of the fryer ${seconds} s later: ${clicks.counted} counted; ${others.join(', ')}.`);
}
