/** Marketplaces that are refused by name: 京东 (JD) and 微信小店 (WeChat shop). Their addresses get an error that names them. */

const JD = '京东 (JD)';
const WECHAT_SHOP = '微信小店 (WeChat shop)';

/**
 * Domains of the refused marketplaces. The list only selects the error and admits nothing, so a suffix rule is safe here. Weidian (微店) is
 * another company's marketplace, not a WeChat shop, and gets the general refusal.
 */
const REFUSED_DOMAINS: readonly { domain: string; name: string }[] = [
  ...['jd.com', 'jd.hk', '3.cn', 'jingdong.com', 'jingxi.com', 'jd.id', 'joybuy.com', 'joybuy.es'].map((domain) => ({
    domain,
    name: JD,
  })),
  ...['weixin.qq.com', 'wx.qq.com', 'weixin.com', 'wechat.com', 'servicewechat.com', 'weixinbridge.com'].map(
    (domain) => ({
      domain,
      name: WECHAT_SHOP,
    }),
  ),
];

const REFUSED_SCHEMES: ReadonlyMap<string, string> = new Map([
  ['openjd:', JD],
  ['openapp.jdmobile:', JD],
  ['weixin:', WECHAT_SHOP],
  ['wechat:', WECHAT_SHOP],
]);

/**
 * The name of the refused marketplace that a text leads to; undefined for any other text. People paste such addresses in every form: http,
 * without a scheme, app schemes, 小程序 links.
 *
 * @param text  as a person pasted it, cut to a bounded length by the caller
 */
export function findRefusedMarketplace(text: string): string | undefined {
  if (text.startsWith('#小程序://')) return WECHAT_SHOP;
  const url = URL.parse(text) ?? URL.parse(`https://${text}`);
  return url === null ? undefined : findByUrl(url);
}

function findByUrl(url: URL): string | undefined {
  const byScheme = REFUSED_SCHEMES.get(url.protocol);
  if (byScheme !== undefined) return byScheme;
  const hostname = url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname;
  return REFUSED_DOMAINS.find(({ domain }) => hostname === domain || hostname.endsWith(`.${domain}`))?.name;
}
