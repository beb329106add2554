import { describe, expect, it } from 'vitest';
import { classifyRequest, machineOf } from '../../src/platforms/request-kind.ts';
import { BOT_AGENTS, PEOPLE, PREVIEW_AGENTS, SCANNER_AGENTS } from './user-agents.ts';

const person = PEOPLE[0]?.[2] ?? 'the corpus is empty';

/** Composed by us, where no capture is public or to combine words: rules, not the corpus. */
const PREVIEW_RULES = [
  'Mozilla/5.0 (compatible; WeComBot-LinkPreview/1.0)',
  'Mozilla/5.0 (compatible; FeishuBot/1.0)',
  'LarkUrlPreview/1.0',
  'LarkUrl2Img/1.0',
  'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
  'facebookexternalhit/1.1;line-poker/1.0',
  'facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com',
];
const BOT_RULES = [
  '',
  ' ',
  'Mozilla/5.0',
  'Java/17.0.1',
  'Wget/1.21',
  'axios/1.7.2',
  // A machine inside an app's clothes: the words of people must not hide it.
  `${person} Baiduspider-render/2.0`,
  `${person} Channel/x Googlebot/2.1`,
  'Mozilla/5.0 (Linux; Android 10) Mobile Safari/537.36 NewsArticle/8.8.5 (compatible; Bytespider)',
  'Mozilla/5.0 (Linux; Android 10) Mobile Safari/537.36 AliApp(TB/8.8.0) TTID/10003959@taobao_android_8.8.0 (+http://x.example)',
  'Mozilla/5.0 (Linux; Android 10) Mobile Safari/537.36 baiduboxapp/8.6.5 (Baidu; P1 5.1.1) HeadlessChrome/129.0.0.0',
];
/** Words of people that the corpus does not have. */
const PEOPLE_RULES = [
  'Mozilla/5.0 (Linux; Android 12; wv) Chrome/89.0.4389.72 Mobile Safari/537.36 qqnews/6.5.20 (xiaomi)',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 SohuNews/6.7.1',
  'Mozilla/5.0 (Linux; Android 12; wv) Chrome/90.0.4430.91 Mobile Safari/537.36 aweme_280000 Channel/news_download_feed AppName/aweme',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [Pinterest/iOS]',
];

type Headers = Parameters<typeof classifyRequest>[0];

function kindOf(userAgent: string | undefined, rest: Partial<Headers> = {}): string {
  return classifyRequest({ method: 'GET', machine: machineOf(userAgent), ...rest });
}

describe('classifyRequest', () => {
  it.each(PEOPLE_RULES)('counts a person: %s', (userAgent) => {
    expect(kindOf(userAgent)).toBe('counted');
  });

  it('counts people on the scanners’ phones, whose app is another', () => {
    const scanners = SCANNER_AGENTS.filter((userAgent) => userAgent.includes('aweme_'));
    expect(scanners).toHaveLength(3);
    for (const userAgent of scanners) {
      expect(kindOf(userAgent)).toBe('scanner');
      expect(kindOf(userAgent.replace(/aweme_\d+/, 'aweme_320000'))).toBe('counted');
      expect(kindOf(userAgent.replace(/HD1900|PFFM10/, 'V2134A'))).toBe('counted');
      expect(kindOf(userAgent.replace(/WebView\/\d+$/, 'WebView/1211130051417'))).toBe('counted');
    }
  });

  it.each(PREVIEW_RULES)('knows a link preview: %s', (userAgent) => {
    expect(kindOf(userAgent)).toBe('preview');
  });

  it.each(BOT_RULES)('knows a machine: %j', (userAgent) => {
    expect(kindOf(userAgent)).toBe('bot');
  });

  it('takes a missing user agent for a machine', () => {
    expect(kindOf(undefined)).toBe('bot');
  });

  it('never counts a HEAD', () => {
    for (const userAgent of [person, ...SCANNER_AGENTS, ...PREVIEW_AGENTS, ...BOT_AGENTS]) {
      expect(kindOf(userAgent, { method: 'HEAD' })).toBe('head');
    }
  });

  it.each([
    { purpose: 'prefetch' },
    { purpose: 'Prefetch' },
    { xPurpose: 'preview' },
    { xPurpose: 'instant' },
    { secPurpose: 'prefetch' },
    { secPurpose: 'prefetch;prerender' },
    { secPurpose: 'prefetch;anonymous-client-ip' },
    { xMoz: 'prefetch' },
  ])('knows a browser’s prefetch: %j', (headers) => {
    expect(kindOf(person, headers)).toBe('prefetch');
    expect(kindOf('curl/8.5.0', headers)).toBe('bot');
    expect(kindOf(SCANNER_AGENTS[0], headers)).toBe('scanner');
  });

  it.each([{}, { purpose: '' }, { purpose: undefined }, { secPurpose: 'navigate' }, { xMoz: 'x' }])(
    'counts otherwise: %j',
    (headers) => {
      expect(kindOf(person, headers)).toBe('counted');
    },
  );

  it('answers at once for any text', () => {
    const startedAt = performance.now();
    for (const piece of [
      'Channel/',
      'AlipayDefined(',
      'Weibo (',
      'qq',
      'a-',
      '(',
      'lark-',
      '@a_android_',
      'baiduboxapp/',
      '(News ',
    ] as const) {
      expect(['bot', 'counted', 'preview']).toContain(kindOf(piece.repeat(100_000)));
    }
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
