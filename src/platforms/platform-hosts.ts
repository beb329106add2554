/**
 * Which hosts belong to which marketplace. Exact names and one anchored pattern: a suffix rule ("ends in taobao.com") would also
 * admit user-made subdomains and redirecting services.
 */

interface HostRule {
  /** Short and converted links that say nothing of the item and would break with a parameter of ours: they get none. */
  opaque: boolean;
}

const PLAIN: HostRule = { opaque: false };
const OPAQUE: HostRule = { opaque: true };

/** Taobao and Tmall share one list: one shop's goods are reachable under both names. */
const ALIBABA_HOSTS: ReadonlyMap<string, HostRule> = new Map([
  ['item.taobao.com', PLAIN],
  ['a.m.taobao.com', PLAIN],
  ['h5.m.taobao.com', PLAIN],
  ['main.m.taobao.com', PLAIN],
  ['detail.tmall.com', PLAIN],
  ['detail.m.tmall.com', PLAIN],
  ['chaoshi.detail.tmall.com', PLAIN],
  ['detail.tmall.hk', PLAIN],
  ['s.click.taobao.com', OPAQUE],
  ['uland.taobao.com', OPAQUE],
  ['m.tb.cn', OPAQUE],
  ['e.tb.cn', OPAQUE],
]);

const YOUZAN_HOSTS: ReadonlyMap<string, HostRule> = new Map([
  ['h5.youzan.com', PLAIN],
  ['detail.youzan.com', PLAIN],
  ['j.youzan.com', OPAQUE],
]);

/** The hosts of short and converted links, of all platforms. */
export const OPAQUE_HOSTS: readonly string[] = [...ALIBABA_HOSTS, ...YOUZAN_HOSTS].flatMap(([host, { opaque }]) =>
  opaque ? [host] : [],
);

/** A shop's own host, `shop10192168.m.youzan.com`: the number is the shop's, so it never begins with 0. */
const YOUZAN_SHOP_HOST = /^shop[1-9]\d{0,11}\.(m\.)?youzan\.com$/;

/** The rule of a Taobao or Tmall host, undefined when the host is not theirs. */
export function findAlibabaHost(hostname: string): HostRule | undefined {
  return ALIBABA_HOSTS.get(hostname);
}

/** The rule of a Youzan host, undefined when the host is not Youzan's. */
export function findYouzanHost(hostname: string): HostRule | undefined {
  return YOUZAN_HOSTS.get(hostname) ?? (YOUZAN_SHOP_HOST.test(hostname) ? PLAIN : undefined);
}

/**
 * Domains of the marketplaces we refuse by name. Only ever used to choose the error, never to admit anything, so a suffix rule is
 * safe here. Weidian (微店) is another company's marketplace, not a WeChat shop, and falls under the general refusal.
 */
const UNSUPPORTED_DOMAINS: readonly { domain: string; name: string }[] = [
  ...['jd.com', 'jd.hk', '3.cn', 'jingdong.com', 'jingxi.com', 'jd.id', 'joybuy.com', 'joybuy.es'].map((domain) => ({
    domain,
    name: '京东 (JD)',
  })),
  ...['weixin.qq.com', 'wx.qq.com', 'weixin.com', 'wechat.com', 'servicewechat.com', 'weixinbridge.com'].map(
    (domain) => ({
      domain,
      name: '微信小店 (WeChat shop)',
    }),
  ),
];

const UNSUPPORTED_SCHEMES: ReadonlyMap<string, string> = new Map([
  ['openjd:', '京东 (JD)'],
  ['openapp.jdmobile:', '京东 (JD)'],
  ['weixin:', '微信小店 (WeChat shop)'],
  ['wechat:', '微信小店 (WeChat shop)'],
]);

/** The marketplace we do not support that a parsed URL leads to, by name; undefined for any other URL. */
export function findUnsupportedMarketplace(url: URL): string | undefined {
  const byScheme = UNSUPPORTED_SCHEMES.get(url.protocol);
  if (byScheme !== undefined) return byScheme;
  const hostname = url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname;
  return UNSUPPORTED_DOMAINS.find(({ domain }) => hostname === domain || hostname.endsWith(`.${domain}`))?.name;
}
