import { formatFenAsYuan } from '../../core/money/money.ts';
import { escapeHtml, visitorPage } from '../../http/visitor-page.ts';
import { PLATFORM_NAMES } from '../../platforms/platform.ts';
import type { LinkRow } from '../../links/queries.ts';

/**
 * The page of `GET /:code/preview`: where a link leads, for people who look before they tap. No script, nothing loaded from
 * elsewhere.
 *
 * @param shortUrl the link itself; only tapping it counts as a click
 */
export function previewPage(link: LinkRow, shortUrl: string): string {
  const { hostname } = new URL(link.url);
  const isOpen = link.status === 'active' && link.productStatus === 'active' && link.storeStatus === 'active';
  const way = isOpen
    ? `<a class="go" href="${escapeHtml(shortUrl)}" rel="nofollow">前往${PLATFORM_NAMES[link.platform]}</a>`
    : '<p>该链接目前不可用。</p>';
  return visitorPage({
    title: escapeHtml(link.title),
    icon: 'link',
    body: `<p>${escapeHtml(link.storeName)}（${PLATFORM_NAMES[link.platform]}）<br>¥${formatFenAsYuan(link.priceFen)}，以下单页为准</p>
<p>此推广链接将打开 ${escapeHtml(hostname)}<br><code>${escapeHtml(link.url)}</code></p>
${way}`,
  });
}
