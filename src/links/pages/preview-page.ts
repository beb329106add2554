import { formatFenAsYuan } from '../../core/money.ts';
import { PLATFORM_NAMES } from '../../platforms/platform.ts';
import type { LinkRow } from '../queries.ts';

/**
 * The page of `GET /:code/preview`: where a link leads, for people who look before they tap. Plain HTML, no style, no script, nothing
 * loaded from elsewhere.
 *
 * @param shortUrl the link itself; only tapping it counts as a click
 */
export function previewPage(link: LinkRow, shortUrl: string): string {
  const { hostname } = new URL(link.url);
  const isOpen = link.status === 'active' && link.productStatus === 'active' && link.storeStatus === 'active';
  const way = isOpen
    ? `<p><a href="${escapeHtml(shortUrl)}" rel="nofollow">前往${PLATFORM_NAMES[link.platform]}</a></p>`
    : '<p>该链接目前不可用。</p>';
  return `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${escapeHtml(link.title)} · 链接预览</title></head>
<body><h1>${escapeHtml(link.title)}</h1>
<p>店铺：${escapeHtml(link.storeName)}（${PLATFORM_NAMES[link.platform]}）</p>
<p>价格：¥${formatFenAsYuan(link.priceFen)}，以下单页为准</p>
<p>此推广链接将打开：<b>${escapeHtml(hostname)}</b></p>
<p><code>${escapeHtml(link.url)}</code></p>
${way}
</body></html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
