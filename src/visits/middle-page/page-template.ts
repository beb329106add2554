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
import { WORDS } from './words.ts';
import type { Words } from './words.ts';

/** The parts of one visitor's page. */
export interface MiddlePage {
  content: PageContent;
  platform: Platform;
  language: Language;
  opening: Opening;
  /** The id of a click that is kept; without one the page measures no step. */
  clickId: string | undefined;
  /** The Location that a redirect would have. */
  location: string;
  /** The address of "continue in the browser": one of daihuo's that records the step, or `location`. */
  onwardUrl: string;
}

/** Every colour has a contrast of at least 4.5:1, light and dark; no text is smaller than 16 px. */
const PAGE_STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1d1d1f;--soft:#5f5f65;--line:#d9d9de;--back:#f5f5f7;--hot:#c8370a;--onhot:#fff;--tint:#fdf1ec}
@media (prefers-color-scheme:dark){:root{--paper:#1c1c1e;--ink:#f5f5f7;--soft:#aeaeb4;--line:#3a3a3c;--back:#000;--hot:#ff8a5c;--onhot:#1d0d06;--tint:#2b1d17}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;background:var(--back);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:30rem;margin:0 auto;padding:16px max(16px,env(safe-area-inset-right)) calc(24px + env(safe-area-inset-bottom)) max(16px,env(safe-area-inset-left))}
.card{background:var(--paper);border:1px solid var(--line);border-radius:16px;overflow:hidden}
.picture{display:block;width:100%;height:auto;max-height:56vh;object-fit:cover;background:var(--tint)}
.none{display:grid;place-items:center;aspect-ratio:16/9;background:var(--tint);color:var(--hot)}
.none svg{width:72px;height:72px}
.facts{padding:16px 20px 20px}
.shop{margin:0;color:var(--soft);overflow-wrap:anywhere}
h1{margin:4px 0 8px;font-size:1.25rem;line-height:1.4;font-weight:600;overflow-wrap:anywhere}
.price{margin:0;font-size:1.75rem;line-height:1.3;font-weight:700;color:var(--hot)}
.note{margin:0;color:var(--soft)}
.go,.also{display:block;width:100%;margin:16px 0 0;padding:14px 20px;border-radius:14px;border:1px solid transparent;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
.go{background:var(--hot);color:var(--onhot);font-size:1.125rem}
.also{background:var(--paper);color:var(--ink);border-color:var(--line)}
a:focus-visible,button:focus-visible{outline:3px solid var(--hot);outline-offset:2px}
[hidden]{display:none}
.by{margin:20px 4px 0;color:var(--soft)}
.code{margin:8px 0 0;padding:12px 16px;border:1px dashed var(--hot);border-radius:12px;background:var(--paper);overflow-wrap:anywhere;-webkit-user-select:all;user-select:all}
.said{margin:8px 4px 0}
.said:empty{margin:0}
.guide{display:grid;grid-template-columns:1fr 88px;gap:4px 12px;align-items:center;margin:0 0 16px;padding:12px 16px;border-radius:16px;background:var(--tint)}
.guide h2{margin:0;font-size:1.125rem}
.guide ol{margin:0;padding-left:1.4em}
.guide svg{grid-column:2;grid-row:1/3;width:88px;height:88px;color:var(--hot)}
.ad{margin:20px 4px 0;text-align:center;color:var(--soft)}
`;

const SCRIPT = readFileSync(new URL('page-script.js', import.meta.url), 'utf8');
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Allows only this style, this script, and pictures and reports of the same host. */
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

/** For WeChat and QQ, which open no other app: a drawing of their menu button, and the entry to choose there. */
function guideOf(words: Words): string {
  return `<section class="guide" aria-labelledby="guide">
<h2 id="guide">${words.guideTitle}</h2>
<ol><li>${words.guideTap}</li><li>${words.guideChoose}</li></ol>
<svg ${LINE_DRAWING}><path d="M3 21c1-8 5-12 13-13M12 4.5l4.5 3.5-3 4.5"/><path d="M17 2.5h.01M20 2.5h.01M23 2.5h.01" stroke-width="2"/></svg>
</section>`;
}

/** The text to copy, and a button that copies it. The script shows the button, because the button does nothing without it. */
function copyBlock(taoCode: string, words: Words): string {
  return `<p class="by">${words.copyByHand}</p>
<p class="code" id="code">${escapeHtml(taoCode)}</p>
<button class="also" id="copy" type="button" hidden data-copied="${words.copied}" data-press="${words.pressToCopy}">${words.copy}</button>
<p class="said" id="said" role="status"></p>`;
}

/** The one big button, and the other actions. */
function actionsOf({ content, platform, opening, location, onwardUrl }: MiddlePage, words: Words): string {
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

/** The page as HTML. Texts of the catalogue are escaped; of the request the page contains only the click id. */
export function middlePage(page: MiddlePage): string {
  const { clickId, content, language } = page;
  const words = WORDS[language];
  const body = `<body${clickId === undefined ? '' : ` data-click="${clickId}"`}>
<main>
${page.opening === 'guide' ? guideOf(words) : ''}
${factsOf(page, words)}
${actionsOf(page, words)}
<p class="ad">${words.advertisement}</p>
</main>
${clickId === undefined ? '' : `<noscript><img src="/-/seen/${clickId}" width="1" height="1" alt=""></noscript>`}
<script>${SCRIPT}</script>
</body>`;
  return visitorDocument({ language, title: escapeHtml(content.title), style: PAGE_STYLE, body });
}

/** Sends a page made by `middlePage`; no cache may store it. */
export function sendMiddlePage(reply: FastifyReply, html: string): void {
  void reply
    .code(200)
    .header('cache-control', 'no-store')
    .header('content-security-policy', POLICY)
    .type('text/html; charset=utf-8')
    .send(html);
}
