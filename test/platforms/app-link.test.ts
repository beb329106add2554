import { describe, expect, it } from 'vitest';

import { appLinkOf } from '../../src/platforms/platform.ts';
import { isTaoCode } from '../../src/platforms/taobao/tao-code.ts';

const LOCATION = 'https://detail.tmall.com/item.htm?id=1&dh_click=abc#x';

describe('the address that opens the app', () => {
  it('carries the whole location, encoded once in the scheme and twice in the universal link', () => {
    const scheme = appLinkOf('tmall', { opening: 'scheme', location: LOCATION });
    expect(scheme).toBe(
      'tbopen://m.taobao.com/tbopen/index.html?action=ali.open.nav&module=h5&bootImage=0&h5Url=https%3A%2F%2Fdetail.tmall.com%2Fitem.htm%3Fid%3D1%26dh_click%3Dabc%23x',
    );
    const universal = appLinkOf('taobao', { opening: 'universal_link', location: LOCATION });
    expect(new URL(universal ?? '').searchParams.get('smburl')).toBe(scheme);
  });

  it('is none for Youzan, whose shops are web pages', () => {
    expect(appLinkOf('youzan', { opening: 'scheme', location: LOCATION })).toBeUndefined();
  });
});

describe('a 淘口令', () => {
  it.each(['7￥AbCdEfG￥', '【淘宝】https://m.tb.cn/h.abc 「壶」￥x￥ 点击链接', '(abc)/ HU0021 复制'])(
    'may be %s',
    (text) => {
      expect(isTaoCode(text)).toBe(true);
    },
  );
  it.each([
    'https://evil.example/',
    '￥a￥ tbopen://x',
    'a\nb',
    'a\u2029b',
    'https://item.taobao.com@evil.example/ ￥a￥',
  ])('is not %j', (text) => {
    expect(isTaoCode(text)).toBe(false);
  });
});
