import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyReply } from 'fastify';

import { formatFenAsYuan } from '../../core/money/money.ts';
import type { Platform } from '../../core/vocabulary.ts';
import type { Language } from '../../http/visitor-page.ts';
import { shanghaiDay } from '../../core/calendar.ts';
import type { Opening } from '../../core/links/landing-mode.ts';
import { LINE_DRAWING, PAGE_ICONS, escapeHtml, visitorDocument } from '../../http/visitor-page.ts';
import { appLinkOf, hasApp } from '../../platforms/platform.ts';
import type { PageContent } from './content.ts';
import { PAGE_STYLE } from './page-style.ts';
import { WORDS } from './words.ts';
import type { Words } from './words.ts';

/** Everything one visitor's page is made of. */
export interface MiddlePage {
  content: PageContent;
  platform: Platform;
  language: Language;
  opening: Opening;
  /** Of a click that is kept; without one no step is measured. */
  clickId: string | undefined;
  /** Where the link leads, as a redirect would send it. */
  location: string;
  /** Goes on in the browser: an address of ours that measures it, or `location`. */
  onwardUrl: string;
}

const SCRIPT = readFileSync(new URL('page-script.js', import.meta.url), 'utf8');
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but this style, this script, pictures and reports of our own host. */
const POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(PAGE_STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function pictureOf({ picture, title }: PageContent, words: Words): string {
  if (picture === undefined) {
    return `<div class="none" role="img" aria-label="${words.noPicture}"><svg ${LINE_DRAWING}>${PAGE_ICONS.bag}</svg></div>`;
  }
  const { url, width, height } = picture;
  return `<img class="picture" src="${escapeHtml(url)}" width="${width}" height="${height}" alt="${escapeHtml(title)}">`;
}

function factsOf({ content, platform }: MiddlePage, words: Words): string {
  const { title, brandName, storeName, priceFen, priceTakenAt } = content;
  return `<div class="card">
${pictureOf(content, words)}
<div class="facts">
<p class="shop">${escapeHtml(brandName)} · ${escapeHtml(storeName)} · ${words.platforms[platform]}</p>
<h1>${escapeHtml(title)}</h1>
<p class="price">¥${formatFenAsYuan(priceFen)}</p>
<p class="note">${words.priceTaken(shanghaiDay(priceTakenAt))}</p>
</div>
</div>`;
}

/** For WeChat and QQ, which open no other app: a drawing of their menu button, and what to choose there. */
function guideOf(words: Words): string {
  return `<section class="guide" aria-labelledby="guide">
<h2 id="guide">${words.guideTitle}</h2>
<ol><li>${words.guideTap}</li><li>${words.guideChoose}</li></ol>
<svg ${LINE_DRAWING}><path d="M3 21c1-8 5-12 13-13M12 4.5l4.5 3.5-3 4.5"/><path d="M17 2.5h.01M20 2.5h.01M23 2.5h.01" stroke-width="2"/></svg>
</section>`;
}

/** The text a person copies, and the button that does it; hidden until the script runs, because without it the button could do nothing. */
function copyBlock(taoCode: string, words: Words): string {
  return `<p class="by">${words.copyByHand}</p>
<p class="code" id="code">${escapeHtml(taoCode)}</p>
<button class="also" id="copy" type="button" hidden data-copied="${words.copied}" data-press="${words.pressToCopy}">${words.copy}</button>
<p class="said" id="said" role="status"></p>`;
}

/** The one big button, and the other ways on. */
function waysOn({ content, platform, opening, location, onwardUrl }: MiddlePage, words: Words): string {
  const canOpen = opening === 'scheme' || opening === 'universal_link';
  const appLink = canOpen ? appLinkOf(platform, { opening, location }) : undefined;
  const fallback = opening === 'scheme' ? ' data-fallback' : '';
  const open =
    appLink === undefined ? '' : `<a class="go" id="open" href="${escapeHtml(appLink)}"${fallback}>${words.open}</a>`;
  const [look, label] =
    open === '' ? ['go', words.goToShop(words.platforms[platform])] : ['also', words.continueInBrowser];
  const onward = `<a class="${look}" id="onward" href="${escapeHtml(onwardUrl)}" rel="nofollow">${label}</a>`;
  const copy = hasApp(platform) && content.taoCode !== undefined ? copyBlock(content.taoCode, words) : '';
  const parts = open === '' ? [onward, copy] : [open, copy, onward];
  return parts.filter((part) => part !== '').join('\n');
}

/** The page as HTML. What comes from the catalogue is escaped; nothing comes from the request but the click id that we made of it. */
export function middlePage(page: MiddlePage): string {
  const { clickId, content, language } = page;
  const words = WORDS[language];
  const body = `<body${clickId === undefined ? '' : ` data-click="${clickId}"`}>
<main>
${page.opening === 'guide' ? guideOf(words) : ''}
${factsOf(page, words)}
${waysOn(page, words)}
<p class="ad">${words.advertisement}</p>
</main>
${clickId === undefined ? '' : `<noscript><img src="/-/seen/${clickId}" width="1" height="1" alt=""></noscript>`}
<script>${SCRIPT}</script>
</body>`;
  return visitorDocument({ language, title: escapeHtml(content.title), style: PAGE_STYLE, body });
}

/** Sends a page made by `middlePage`; nobody on the way keeps it. */
export function sendMiddlePage(reply: FastifyReply, html: string): void {
  void reply
    .code(200)
    .header('cache-control', 'no-store')
    .header('content-security-policy', POLICY)
    .type('text/html; charset=utf-8')
    .send(html);
}
