/** Youzan (有赞): its hosts, and the item of a page. Its shops are web pages, so there is no app to open. */
import { findSoleParameter, type Marketplace, OPAQUE, PLAIN } from '../marketplace.ts';

const ITEM_PATH = /\/(?:goods|detail)\/([A-Za-z0-9_-]{1,64})(?:\/|$)/;

export const YOUZAN: Marketplace = {
  name: '有赞',
  hosts: new Map([
    ['h5.youzan.com', PLAIN],
    ['detail.youzan.com', PLAIN],
    ['j.youzan.com', OPAQUE],
  ]),
  /** `shop10192168.m.youzan.com`: the shop's number, which never begins with 0. */
  shopHost: /^shop[1-9]\d{0,11}\.(m\.)?youzan\.com$/,
  /** The path wins over the query: it decides which page opens, and `alias=` may be left over from sharing. */
  itemKeysOf(url) {
    const alias = ITEM_PATH.exec(url.pathname)?.[1] ?? findSoleParameter(url, 'alias');
    return alias === undefined ? [] : [`alias:${alias}`];
  },
};
