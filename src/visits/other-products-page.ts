import type { FastifyReply } from 'fastify';

import { languageOf, escapeHtml, sendVisitorPage, visitorPage } from '../http/visitor-page.ts';
import type { Language } from '../http/visitor-page.ts';
import { formatFenAsYuan } from '../core/money/money.ts';
import type { OtherProduct } from '../links/fallback/find-fallback.ts';
import { PAGE_TEXTS } from './page-texts.ts';

const INTRO: Readonly<Record<Language, string>> = {
  zh: '<p>看看该品牌的其他商品：</p>',
  en: '<p>Other products of the brand:</p>',
};
const PRICE_NOTE: Readonly<Record<Language, string>> = { zh: '以下单页为准', en: 'as shown when ordering' };

/** 410: what is gone, and up to six other products of the brand. */
export function sendOtherProductsPage(
  reply: FastifyReply,
  { status, products }: { status: 'paused' | 'gone'; products: readonly OtherProduct[] },
): void {
  const language = languageOf(reply.request.headers['accept-language']);
  const { icon, [language]: text } = PAGE_TEXTS[status];
  const items = products.map(
    ({ title, priceFen, href }) =>
      `<li><a href="${escapeHtml(href)}" rel="nofollow noreferrer">${escapeHtml(title)}<span>¥${formatFenAsYuan(priceFen)} · ${PRICE_NOTE[language]}</span></a></li>`,
  );
  const body = `${INTRO[language]}\n<ul>\n${items.join('\n')}\n</ul>`;
  sendVisitorPage(reply, 410, visitorPage({ title: text.title, icon, body, language }));
}
