/** The pages a visitor may see instead of a shop. Of a request they show nothing but the letters and digits of the code it asked for. */
import type { FastifyReply, FastifyRequest } from 'fastify';

import { boxTextOf, readAddressText } from '../core/links/typed-code.ts';
import { languageOf, escapeHtml, sendVisitorPage as sendPage, visitorPage as page } from '../http/visitor-page.ts';
import type { Language, VisitorPages } from '../http/visitor-page.ts';
import { mendedAddress } from './mended-address.ts';
import { PAGE_TEXTS } from './page-texts.ts';
import type { PageName } from './page-texts.ts';

type Html = Readonly<Record<Language, string>>;

/** Stands for what the box is filled with; the texts of the pages hold no such character. */
const BOX = '\u0000';
/** A code is the first segment of the path; our own addresses for visitors (`/-/…`) hold none. */
const FIRST_SEGMENT = /^\/(?!-\/)([^/?#]{0,600})/;

const FORM_LABELS: Readonly<Record<Language, { label: string; button: string }>> = {
  zh: { label: '短码', button: '打开' },
  en: { label: 'Code', button: 'Open' },
};

/** Works without a script: the server reads the text, and sends the visitor to an address of its own. */
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
    return page({ title: text.title, icon, body, language });
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
  sendPage(reply, status, html[languageOf(reply.request.headers['accept-language'])]);
}

function sendForm(reply: FastifyReply, status: number, html: Html, boxText: string): void {
  const filled = html[languageOf(reply.request.headers['accept-language'])].replace(BOX, () => escapeHtml(boxText));
  sendPage(reply, status, filled, { hasForm: true });
}

/** 410: the influencer or the brand paused the link, or the product went off sale. */
export function sendGonePage(reply: FastifyReply, status: 'paused' | 'gone'): void {
  send(reply, 410, status === 'paused' ? PAUSED : GONE);
}

/** 429: too many codes that name nothing came from the visitor's network. */
export function sendLimitedPage(reply: FastifyReply, retryAfterSeconds: number): void {
  send(reply.header('retry-after', String(retryAfterSeconds)), 429, LIMITED);
}

/** 503: nobody who knows the link answers. */
export function sendUnavailablePage(reply: FastifyReply): void {
  send(reply.header('retry-after', '5'), 503, UNAVAILABLE);
}

/** 200: the front door, with a box to type a code. */
export function sendLandingPage(reply: FastifyReply): void {
  sendForm(reply, 200, LANDING, '');
}

/**
 * 404: "check the code", the box filled with what was typed. It is made of the request alone, so whatever names no link, reserved words and
 * nonsense included, gets the same bytes but for its own letters and digits.
 */
export function sendCheckPage(reply: FastifyReply, typed: string): void {
  sendForm(reply, 404, CHECK, boxTextOf(typed));
}

function notFound(request: FastifyRequest, reply: FastifyReply): void {
  const mended = mendedAddress(request.url);
  if (mended === undefined) sendCheckPage(reply, readAddressText(FIRST_SEGMENT.exec(request.url)?.[1] ?? ''));
  else void reply.code(302).header('location', mended).header('cache-control', 'no-store').send();
}

/** For `createServer`: what visitors see where no route is, or something failed. */
export const visitorPages: VisitorPages = {
  notFound,
  failed: (request, reply, status) => {
    if (status === 404) notFound(request, reply);
    else if (status === 429) send(reply, 429, LIMITED);
    else if (status < 500) send(reply, status, REFUSED);
    else send(reply, status, UNAVAILABLE);
  },
};
