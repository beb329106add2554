/** The pages of visitors: small, in Chinese or English, complete in themselves (nothing is loaded, nothing runs), readable in the dark. */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** The languages of pages for visitors. */
export type Language = 'zh' | 'en';

const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1d1d1f;--soft:#6e6e73;--line:#e5e5ea;--back:#f5f5f7}
@media (prefers-color-scheme:dark){:root{--paper:#1c1c1e;--ink:#f5f5f7;--soft:#a1a1a6;--line:#38383a;--back:#000}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;
padding:max(24px,env(safe-area-inset-top)) max(24px,env(safe-area-inset-right)) max(24px,env(safe-area-inset-bottom)) max(24px,env(safe-area-inset-left));background:var(--back);color:var(--ink);
font:16px/1.7 system-ui,-apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;-webkit-text-size-adjust:100%}
main{width:100%;max-width:26rem;padding:40px 28px;background:var(--paper);border:1px solid var(--line);border-radius:16px;text-align:center}
svg{width:56px;height:56px;color:var(--soft)}
h1{margin:16px 0 8px;font-size:1.375rem;line-height:1.35;font-weight:600}
p{margin:0;color:var(--soft);overflow-wrap:anywhere;text-wrap:balance}
p+p{margin-top:20px}
a{color:inherit}
code{font-size:1rem}
form{margin-top:24px;text-align:start}
label{display:block;margin-bottom:6px;color:var(--soft)}
input{display:block;width:100%;padding:12px 14px;border:1px solid var(--soft);border-radius:12px;background:var(--back);color:var(--ink);
font:1.25rem/1.4 ui-monospace,Menlo,Consolas,monospace;-webkit-appearance:none;appearance:none}
form+p{margin-top:20px}
ul{margin:28px 0 0;padding:0;list-style:none;text-align:start}
li+li{margin-top:12px}
li a{display:block;padding:12px 16px;border:1px solid var(--line);border-radius:12px;text-decoration:none;overflow-wrap:anywhere}
li span{display:block;color:var(--soft)}
.go{display:block;width:100%;margin-top:28px;padding:12px 20px;border:0;border-radius:12px;background:var(--ink);color:var(--paper);font:inherit;text-align:center;text-decoration:none;cursor:pointer}
form .go{margin-top:12px}
:focus-visible{outline:3px solid #0a84ff;outline-offset:2px}`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** As strict as the server's own policy, except for the one style above. */
const POLICY = policyWith("form-action 'none'");
/**
 * Browsers check every redirect that follows a form against `form-action`. A code typed into our form leads to a shop, which may redirect its
 * visitors further, so any https address is allowed; the form itself is ours.
 */
const FORM_POLICY = policyWith("form-action 'self' https:");

function policyWith(formAction: string): string {
  return `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; base-uri 'none'; ${formAction}; frame-ancestors 'none'`;
}

const LANGUAGE_TAGS: Readonly<Record<Language, string>> = { zh: 'zh-CN', en: 'en' };

/** The attributes of the `<svg>` of every line drawing, on 24 × 24. */
export const LINE_DRAWING =
  'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"';

/** Line drawings that stand above the title. */
export const PAGE_ICONS = {
  brokenLink:
    '<path d="M10 14 7 17a3.5 3.5 0 0 1-5-5l3-3M14 10l3-3a3.5 3.5 0 0 1 5 5l-3 3M9 3l1 3M3 9l3 1M15 21l-1-3M21 15l-3-1"/>',
  clock: '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 3"/>',
  bag: '<path d="M5 8h14l1 12H4L5 8ZM9 11V7a3 3 0 0 1 6 0v4"/>',
  link: '<path d="M10 14a4 4 0 0 1 0-6l3-3a4 4 0 0 1 6 6l-1.5 1.5M14 10a4 4 0 0 1 0 6l-3 3a4 4 0 0 1-6-6l1.5-1.5"/>',
} as const;

/**
 * The frame of every page for visitors. All arguments are HTML: text from outside this project goes through `escapeHtml` first. `body` is the
 * whole element. The empty icon saves the browser a request for one.
 */
export function visitorDocument(page: { language: Language; title: string; style: string; body: string }): string {
  return `<!doctype html>
<html lang="${LANGUAGE_TAGS[page.language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="robots" content="noindex">
<meta name="format-detection" content="telephone=no">
<link rel="icon" href="data:,">
<title>${page.title}</title>
<style>${page.style}</style>
</head>
${page.body}
</html>
`;
}

/** A page. `title` and `body` are HTML: text from outside this project goes through `escapeHtml` first. */
export function visitorPage(content: {
  title: string;
  icon: keyof typeof PAGE_ICONS;
  body: string;
  /** Chinese by default. */
  language?: Language;
}): string {
  const { title, icon, language = 'zh' } = content;
  const body = `<body>
<main>
<svg ${LINE_DRAWING}>${PAGE_ICONS[icon]}</svg>
<h1>${title}</h1>
${content.body}
</main>
</body>`;
  return visitorDocument({ language, title, style: STYLE, body });
}

/** Sends a page made by `visitorPage`; no cache keeps it. `hasForm` is needed for a page with a form, or browsers refuse to send the form. */
export function sendVisitorPage(
  reply: FastifyReply,
  status: number,
  html: string,
  { hasForm = false }: { hasForm?: boolean } = {},
): void {
  void reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('content-security-policy', hasForm ? FORM_POLICY : POLICY)
    .type('text/html; charset=utf-8')
    .send(html);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML, safe in an element and in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}

/** The address of a product's picture on our own host, from `product_pictures.sha256`. */
export function picturePath(sha256: string): string {
  return `/-/pictures/${sha256}.webp`;
}

/** The pages that a visitor sees where no route matches or a request fails. They answer the reply themselves. */
export interface VisitorPages {
  notFound: (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>;
  failed: (request: FastifyRequest, reply: FastifyReply, status: number) => void | Promise<void>;
}

/** A page of plain text without style. Both arguments are constants of this project and never input. */
export function plainPage(title: string, sentence: string): string {
  return `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body><h1>${title}</h1><p>${sentence}</p></body></html>
`;
}

function sendPlainPage(reply: FastifyReply, status: number, page: string): void {
  void reply.code(status).header('cache-control', 'no-store').type('text/html; charset=utf-8').send(page);
}

/** The pages of a server that is given no others. */
export const plainVisitorPages: VisitorPages = {
  notFound: (_request, reply) => {
    sendPlainPage(reply, 404, plainPage('页面不存在', '链接可能输入有误,请核对后再试。'));
  },
  failed: (_request, reply, status) => {
    const page =
      status < 500 ? plainPage('无法打开', '请求有误,请核对链接后再试。') : plainPage('暂时无法打开', '请稍后再试。');
    sendPlainPage(reply, status, page);
  },
};

/** No browser sends a longer list. */
const MAX_HEADER_LENGTH = 256;
const ENTRY = /^\s*([a-z]{1,8})(?:-[a-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)\s*)?$/i;

/**
 * The language that an `Accept-Language` header prefers: English only where its weight is above that of Chinese; Chinese for everything else,
 * also without a header.
 */
export function languageOf(acceptLanguage: string | undefined): Language {
  const weights = { zh: 0, en: 0 };
  for (const entry of (acceptLanguage ?? '').slice(0, MAX_HEADER_LENGTH).split(',')) {
    const [, name = '', quality = '1'] = ENTRY.exec(entry) ?? [];
    const language = name.toLowerCase();
    if (language === 'zh' || language === 'en') weights[language] = Math.max(weights[language], Number(quality));
  }
  // Chinese browsers often add English with the same weight.
  return weights.en > weights.zh ? 'en' : 'zh';
}
