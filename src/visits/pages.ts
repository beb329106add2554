/** The pages a visitor may see instead of a shop. Of the request they repeat only the letters and digits of the requested code. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { boxTextOf, mendedAddress, readAddressText } from '../core/links/typed-code.ts';
import { formatFenAsYuan } from '../core/money/money.ts';
import type { TargetStatus } from '../core/vocabulary.ts';
import { escapeHtml, languageOf, plainPage, sendVisitorPage, visitorPage } from '../http/visitor-page.ts';
import type { Language, VisitorPages } from '../http/visitor-page.ts';
import type { OtherProduct } from '../links/fallback/find-fallback.ts';
import { PAGE_TEXTS } from './page-texts.ts';
import type { PageName } from './page-texts.ts';

type Html = Readonly<Record<Language, string>>;

/** Placeholder for the content of the box; the texts of the pages contain no such character. */
const BOX = '\u0000';
/** The first segment of the path is the code; daihuo's own addresses for visitors (`/-/…`) contain none. */
const FIRST_SEGMENT = /^\/(?!-\/)([^/?#]{0,600})/;

const FORM_LABELS: Readonly<Record<Language, { label: string; button: string }>> = {
  zh: { label: '短码', button: '打开' },
  en: { label: 'Code', button: 'Open' },
};

/** A plain form that works without a script: the server reads the text and redirects to an address of its own. */
function codeForm(language: Language): string {
  const { label, button } = FORM_LABELS[language];
  return `<form action="/-/find" method="get" role="search">
<label for="code">${label}</label>
<input id="code" name="code" value="${BOX}" maxlength="500" required autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false" enterkeyhint="go" lang="en">
<button class="go">${button}</button>
</form>`;
}

function inBothLanguages(name: PageName, { form = false }: { form?: boolean } = {}): Html {
  const pageIn = (language: Language): string => {
    const { icon, [language]: text } = PAGE_TEXTS[name];
    const body = form ? `${text.intro}\n${codeForm(language)}\n${text.outro}` : `${text.intro}${text.outro}`;
    return visitorPage({ title: text.title, icon, body, language });
  };
  return { zh: pageIn('zh'), en: pageIn('en') };
}

const CHECK = inBothLanguages('check', { form: true });
const LANDING = inBothLanguages('landing', { form: true });
const PAUSED = inBothLanguages('paused');
const GONE = inBothLanguages('gone');
const LIMITED = inBothLanguages('limited');
const UNAVAILABLE = inBothLanguages('unavailable');
const REFUSED = inBothLanguages('refused');

function send(reply: FastifyReply, status: number, html: Html): void {
  sendVisitorPage(reply, status, html[languageOf(reply.request.headers['accept-language'])]);
}

function sendForm(reply: FastifyReply, status: number, html: Html, boxText: string): void {
  const filled = html[languageOf(reply.request.headers['accept-language'])].replace(BOX, () => escapeHtml(boxText));
  sendVisitorPage(reply, status, filled, { hasForm: true });
}

/** Sends a redirect that no cache may store. */
export function sendRedirect(reply: FastifyReply, location: string, status: 302 | 303 = 302): void {
  void reply.code(status).header('location', location).header('cache-control', 'no-store').send();
}

/** 410: the influencer or the brand paused the link, or the product went off sale. */
export function sendGonePage(reply: FastifyReply, status: Exclude<TargetStatus, 'active'>): void {
  send(reply, 410, status === 'paused' ? PAUSED : GONE);
}

const OTHER_PRODUCTS_INTRO: Html = {
  zh: '<p>看看该品牌的其他商品：</p>',
  en: '<p>Other products of the brand:</p>',
};
const PRICE_NOTE: Html = { zh: '以下单页为准', en: 'as shown when ordering' };

/** 410: why the link leads nowhere, and up to six other products of the brand. */
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
  const body = `${OTHER_PRODUCTS_INTRO[language]}\n<ul>\n${items.join('\n')}\n</ul>`;
  sendVisitorPage(reply, 410, visitorPage({ title: text.title, icon, body, language }));
}

/** 429: too many unknown codes came from the visitor's network. */
export function sendLimitedPage(reply: FastifyReply, retryAfterSeconds: number): void {
  send(reply.header('retry-after', String(retryAfterSeconds)), 429, LIMITED);
}

/** 503: neither Redis nor Postgres answers, and this process does not remember the link. */
export function sendUnavailablePage(reply: FastifyReply): void {
  send(reply.header('retry-after', '5'), 503, UNAVAILABLE);
}

/** 200: the landing page, with a box to type a code. */
export function sendLandingPage(reply: FastifyReply): void {
  sendForm(reply, 200, LANDING, '');
}

/**
 * 404: "check the code", with the typed text in the box. The page depends on the request alone, so every address that names no link, reserved
 * words and nonsense included, gets the same bytes except for its own letters and digits.
 */
export function sendCheckPage(reply: FastifyReply, typed: string): void {
  sendForm(reply, 404, CHECK, boxTextOf(typed));
}

const UNKNOWN_HOST_PAGE = plainPage('无法打开', '这个网址不是短链的网址，请对照视频或简介核对后再试。');
const UNKNOWN_HOST_HEADERS = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Content-Length',
  String(Buffer.byteLength(UNKNOWN_HOST_PAGE)),
  'Cache-Control',
  'no-store',
  'Content-Security-Policy',
  "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options',
  'nosniff',
];

/** 421, in front of the router: the Host header is none of the entry domains. */
export function sendUnknownHostPage(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(421, UNKNOWN_HOST_HEADERS);
  response.end(request.method === 'HEAD' ? undefined : UNKNOWN_HOST_PAGE);
}

function notFound(request: FastifyRequest, reply: FastifyReply): void {
  const mended = mendedAddress(request.url);
  if (mended === undefined) sendCheckPage(reply, readAddressText(FIRST_SEGMENT.exec(request.url)?.[1] ?? ''));
  else sendRedirect(reply, mended);
}

/** For `createServer`: what visitors see where no route matches, or a request fails. */
export const visitorPages: VisitorPages = {
  notFound,
  failed: (request, reply, status) => {
    if (status === 404) notFound(request, reply);
    else if (status === 429) send(reply, 429, LIMITED);
    else if (status < 500) send(reply, status, REFUSED);
    else send(reply, status, UNAVAILABLE);
  },
};
