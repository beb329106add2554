import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLATFORMS, type Platform } from '../../src/core/vocabulary.ts';
import { checkDestination, readPlatform } from '../../src/platforms/platform.ts';
import { TAOBAO_TRICKS } from './redirect-tricks.ts';
import { YOUZAN_TRICKS } from './youzan-redirect-tricks.ts';

/** Written once more by hand, so that a slip in the table of the source cannot vouch for itself. */
const ALLOWED: Record<Platform, RegExp> = {
  taobao:
    /^(item\.taobao\.com|(a|h5|main)\.m\.taobao\.com|(chaoshi\.)?detail\.tmall\.com|detail\.m\.tmall\.com|detail\.tmall\.hk|s\.click\.taobao\.com|uland\.taobao\.com|[me]\.tb\.cn)$/,
  tmall:
    /^(item\.taobao\.com|(a|h5|main)\.m\.taobao\.com|(chaoshi\.)?detail\.tmall\.com|detail\.m\.tmall\.com|detail\.tmall\.hk|s\.click\.taobao\.com|uland\.taobao\.com|[me]\.tb\.cn)$/,
  youzan: /^(h5|j|detail|shop[1-9]\d{0,11}|shop[1-9]\d{0,11}\.m)\.youzan\.com$/,
};

describe('what a destination may be', () => {
  it.each([
    ['taobao', 'https://item.taobao.com/item.htm?id=600000000001', ['item:600000000001'], false],
    ['tmall', 'https://item.taobao.com/item.htm?id=600000000001', ['item:600000000001'], false],
    ['taobao', 'https://detail.tmall.com/item.htm?spm=a1z10.1&id=P0tnUWtx-A_b', ['item:P0tnUWtx-A_b'], false],
    ['tmall', 'https://chaoshi.detail.tmall.com/item.htm?id=1#detail', ['item:1'], false],
    ['tmall', 'https://detail.tmall.hk/hk/item.htm?id=7', ['item:7'], false],
    ['tmall', 'https://detail.m.tmall.com/item.htm?id=8', ['item:8'], false],
    ['taobao', 'https://a.m.taobao.com/i600000000001.htm', ['item:600000000001'], false],
    ['taobao', 'https://h5.m.taobao.com/awp/core/detail.htm?id=9', ['item:9'], false],
    ['taobao', 'https://main.m.taobao.com/detail/index.html?id=10', ['item:10'], false],
    ['taobao', 'https://item.taobao.com/item.htm?id=1&id=2', [], false],
    ['taobao', 'https://item.taobao.com/item.htm?id=1&id=1', ['item:1'], false],
    ['taobao', 'https://item.taobao.com/item.htm?id=a%27b', [], false],
    ['taobao', 'https://s.click.taobao.com/t?e=m%3D2&id=1', [], true],
    ['taobao', 'https://uland.taobao.com/coupon/edetail?e=x&pid=mm_1_2_3', [], true],
    ['taobao', 'https://m.tb.cn/h.UX2rIfT', [], true],
    ['tmall', 'https://e.tb.cn/h.abc', [], true],
    ['youzan', 'https://h5.youzan.com/v2/showcase/goods?alias=2exampleali0001', ['alias:2exampleali0001'], false],
    ['youzan', 'https://h5.youzan.com/wscgoods/detail/2exampleali0001', ['alias:2exampleali0001'], false],
    ['youzan', 'https://h5.youzan.com/wscgoods/detail-snapshot?alias=abc', ['alias:abc'], false],
    ['youzan', 'https://shop10192168.m.youzan.com/wscgoods/detail/abc?scan=1&alias=other', ['alias:abc'], false],
    ['youzan', 'https://shop10192168.youzan.com/v2/goods/abc', ['alias:abc'], false],
    ['youzan', 'https://detail.youzan.com/show/goods?alias=abc', ['alias:abc'], false],
    ['youzan', 'https://shop1.youzan.com/v2/showcase/homepage', [], false],
    ['youzan', 'https://j.youzan.com/AbC12', [], true],
  ] as const)('%s: %s', (platform, url, itemKeys, opaque) => {
    expect(checkDestination({ platform, url })).toEqual({ ok: true, destination: { href: url, opaque, itemKeys } });
  });

  it.each([
    ['HTTPS://ITEM.TAOBAO.COM/item.htm?id=1', 'https://item.taobao.com/item.htm?id=1'],
    ['https://item.taobao.com:443/item.htm?id=1', 'https://item.taobao.com/item.htm?id=1'],
    ['https://item.taobao.com?id=1', 'https://item.taobao.com/?id=1'],
    ['https://item.taobao.com', 'https://item.taobao.com/'],
    ['https://item.taobao.com/a/../item.htm?id=1', 'https://item.taobao.com/item.htm?id=1'],
    ['https://item.taobao.com/商品?标题=好', 'https://item.taobao.com/%E5%95%86%E5%93%81?%E6%A0%87%E9%A2%98=%E5%A5%BD'],
    [
      'https://item.taobao.com/item.htm?u=https://evil.example',
      'https://item.taobao.com/item.htm?u=https://evil.example',
    ],
  ])('writes %s in its one normal form', (url, href) => {
    expect(checkDestination({ platform: 'taobao', url })).toMatchObject({ ok: true, destination: { href } });
  });
});

describe('what leads elsewhere is refused', () => {
  it('knows at least 150 tricks', () => {
    expect(new Set([...TAOBAO_TRICKS, ...YOUZAN_TRICKS]).size).toBeGreaterThanOrEqual(250);
  });

  it.each(TAOBAO_TRICKS)('taobao and tmall: %j', (url) => {
    for (const platform of ['taobao', 'tmall'] as const) {
      expect(checkDestination({ platform, url })).toMatchObject({ ok: false, code: 'destination_not_allowed' });
    }
  });

  it.each(YOUZAN_TRICKS)('youzan: %j', (url) => {
    expect(checkDestination({ platform: 'youzan', url })).toMatchObject({ ok: false, code: 'destination_not_allowed' });
  });

  it.each([
    'https://item.jd.com/100012043978.html',
    'http://item.jd.com/100012043978.html',
    'item.jd.com/100012043978.html',
    'https://item.m.jd.com/product/1.html',
    'https://u.jd.com/abc',
    'https://jd.com',
    'https://JD.COM./',
    'https://npcitem.jd.hk/1.html',
    'https://3.cn/1abc',
    'https://wqs.jd.com:8443/x',
    'https://item.taobao.com@jd.com/',
    'openapp.jdmobile://virtual?params=x',
    'https://channels.weixin.qq.com/shop/a/1',
    'https://store.weixin.qq.com/shop/a/1',
    'https://weixin.qq.com/',
    'https://mp.weixin.qq.com/s/x',
    'https://servicewechat.com/wx1/1/page-frame.html',
    'weixin://dl/business/?t=x',
    '#小程序://店铺/abc',
    ' https://item.jd.com/1.html ',
  ])('names the unsupported marketplace for %j', (url) => {
    for (const platform of PLATFORMS) {
      expect(checkDestination({ platform, url })).toMatchObject({ ok: false, code: 'platform_not_supported' });
    }
  });

  it.each(['https://jd.com.evil.example/', 'https://notjd.com/', 'https://evil.example/jd.com', 'https://13.cn/'])(
    'does not take %j for JD',
    (url) => {
      expect(checkDestination({ platform: 'taobao', url })).toMatchObject({
        ok: false,
        code: 'destination_not_allowed',
      });
    },
  );

  it('never repeats the text of the caller in a refusal', () => {
    const answer = checkDestination({ platform: 'taobao', url: 'https://evil.example/<script>' });
    expect(JSON.stringify(answer)).not.toContain('evil');
  });
});

describe('fuzz', () => {
  const words =
    'https:// http:// item.taobao.com h5.youzan.com shop1.youzan.com evil.example 443 %2e %40 %00 id=1 alias=x // xn--';
  const marks = [
    '@',
    ':',
    '/',
    '\\',
    '?',
    '#',
    '.',
    '\t',
    '\n',
    ' ',
    '。',
    '／',
    '＠',
    '[',
    ']',
    '中',
    'a',
    ';',
    '&',
    '\ud800',
  ];
  const pieces = fc.constantFrom(...words.split(' '), ...marks);
  const spliced = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
  const tail = fc.oneof(fc.string({ unit: 'binary' }), fc.webPath(), spliced);
  const likely = fc
    .tuple(fc.constantFrom('https://item.taobao.com', 'https://h5.youzan.com', 'https://shop12.m.youzan.com'), tail)
    .map(([origin, rest]) => origin + rest);

  it('accepts only what parses to an allowed https host, in printable ASCII, unchanged by another parse', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...PLATFORMS),
        fc.oneof(likely, spliced, fc.webUrl(), fc.string({ unit: 'binary' })),
        (platform, url) => {
          const answer = checkDestination({ platform, url });
          if (!answer.ok) return;
          accepted += 1;
          const { href } = answer.destination;
          const parsed = new URL(href);
          expect(parsed.protocol).toBe('https:');
          expect(parsed.hostname).toMatch(ALLOWED[platform]);
          expect([parsed.port, parsed.username, parsed.password]).toEqual(['', '', '']);
          expect(parsed.href).toBe(href);
          expect(href).toMatch(/^[\x21-\x7e]{1,2000}$/);
          expect(checkDestination({ platform, url: href })).toEqual(answer);
        },
      ),
      { numRuns: 20_000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });
});

describe('readPlatform', () => {
  it('knows the three platforms and no other spelling', () => {
    expect(PLATFORMS.map((name) => readPlatform(name))).toEqual(PLATFORMS.map((platform) => ({ ok: true, platform })));
    for (const name of ['jd', 'wechat', 'weixin', 'Taobao', '', 'toString', '__proto__']) {
      expect(readPlatform(name)).toMatchObject({ ok: false, code: 'platform_not_supported' });
    }
  });
});
