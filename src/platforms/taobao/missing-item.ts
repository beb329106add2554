/**
 * Pages that Taobao and Tmall send a browser to when an item does not exist any more. Shops rarely answer 404 themselves.
 *
 * Seen in public code and reports: `item.taobao.com/auction/noitem.htm` (2013 on), `detail.tmall.com/auction/noitem.htm` (2014 on),
 * `error.item.taobao.com/error/noitem` (2026). Never the log-in and challenge pages, which robots get for items that exist.
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
