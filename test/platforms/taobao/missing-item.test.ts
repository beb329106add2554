import { describe, expect, it } from 'vitest';
import { isMissingItemPage } from '../../../src/platforms/taobao/marketplace.ts';

describe('the page for missing items', () => {
  it.each([
    'http://item.taobao.com/auction/noitem.htm?itemid=17201100186&catid=0',
    'https://item.taobao.com/auction/noitem.htm?itemid=36103588764&catid=0&spm=a217x.7278569',
    'http://detail.tmall.com/auction/noitem.htm?type=1',
    'https://detail.tmall.com/auction/noitem.htm?type=7',
    'https://error.item.taobao.com/error/noitem?itemid=678598686014',
  ])('is %s', (address) => {
    expect(isMissingItemPage(address)).toBe(true);
  });

  it.each([
    'https://item.taobao.com/item.htm?id=600000000001',
    'https://item.taobao.com/item.htm?from=/auction/noitem.htm',
    'https://login.taobao.com/member/login.jhtml?redirectURL=https%3A%2F%2Fitem.taobao.com%2Fauction%2Fnoitem.htm',
    'https://item.taobao.com.example.com/auction/noitem.htm',
    'https://error.item.taobao.com/error/punish',
    'https://h5.youzan.com/auction/noitem.htm',
    'not an address',
  ])('is not %s', (address) => {
    expect(isMissingItemPage(address)).toBe(false);
  });
});
