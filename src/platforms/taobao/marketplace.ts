/** Taobao (淘宝) and Tmall (天猫): their hosts, the item of a page, the link into Taobao's app, and the pages for missing items. */
import { type AppOpening, findSoleParameter, type HostRule, type Marketplace, OPAQUE, PLAIN } from '../marketplace.ts';

/** One list for both marketplaces, because the goods of one shop are reachable under both names. */
const HOSTS: ReadonlyMap<string, HostRule> = new Map([
  ['item.taobao.com', PLAIN],
  ['a.m.taobao.com', PLAIN],
  ['h5.m.taobao.com', PLAIN],
  ['main.m.taobao.com', PLAIN],
  ['detail.tmall.com', PLAIN],
  ['detail.m.tmall.com', PLAIN],
  ['chaoshi.detail.tmall.com', PLAIN],
  ['detail.tmall.hk', PLAIN],
  ['s.click.taobao.com', OPAQUE],
  ['uland.taobao.com', OPAQUE],
  ['m.tb.cn', OPAQUE],
  ['e.tb.cn', OPAQUE],
]);

const MOBILE_ITEM_PATH = /^\/i(\d{1,20})\.htm$/;

function itemKeysOf(url: URL): string[] {
  const itemId =
    url.hostname === 'a.m.taobao.com' ? MOBILE_ITEM_PATH.exec(url.pathname)?.[1] : findSoleParameter(url, 'id');
  return itemId === undefined ? [] : [`item:${itemId}`];
}

const APP_SCHEME = 'tbopen://m.taobao.com/tbopen/index.html?action=ali.open.nav&module=h5&bootImage=0&h5Url=';
const UNIVERSAL_LINK = 'https://ace.tb.cn/t?smburl=';

/** Both marketplaces use Taobao's app: it opens Tmall's pages too and is on nearly every phone; Tmall's app is not. */
function appLinkOf(location: string, opening: AppOpening): string {
  const scheme = APP_SCHEME + encodeURIComponent(location);
  return opening === 'scheme' ? scheme : UNIVERSAL_LINK + encodeURIComponent(scheme);
}

export const TAOBAO: Marketplace = { name: '淘宝', hosts: HOSTS, itemKeysOf, appLinkOf };
export const TMALL: Marketplace = { ...TAOBAO, name: '天猫' };

/**
 * Pages to which Taobao and Tmall redirect a browser when an item does not exist. Shops rarely answer 404 themselves.
 *
 * Source: public code and reports: `item.taobao.com/auction/noitem.htm` (since 2013), `detail.tmall.com/auction/noitem.htm` (since 2014),
 * `error.item.taobao.com/error/noitem` (2026). Log-in and challenge pages are not listed: robots get them for items that exist.
 */
const MISSING_ITEM_PAGES: readonly { host: RegExp; path: string }[] = [
  { host: /^error\.item\.taobao\.com$/, path: '/error/noitem' },
  { host: /^(item\.taobao|detail\.tmall)\.com$/, path: '/auction/noitem.htm' },
];

/** Whether an address is a marketplace's own page for "this item does not exist". */
export function isMissingItemPage(address: string): boolean {
  const url = URL.parse(address);
  if (url === null) return false;
  return MISSING_ITEM_PAGES.some(({ host, path }) => host.test(url.hostname) && url.pathname === path);
}
