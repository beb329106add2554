/** Addresses that open a shop's page in the shop's own app, for a tap on the middle page. */
import type { Platform } from '../core/vocabulary.ts';

/** What opens Taobao's app: its scheme, or on iOS a universal link, which a browser without the app opens as a page. */
export type AppOpening = 'scheme' | 'universal_link';

const TAOBAO_SCHEME = 'tbopen://m.taobao.com/tbopen/index.html?action=ali.open.nav&module=h5&bootImage=0&h5Url=';
const TAOBAO_UNIVERSAL = 'https://ace.tb.cn/t?smburl=';

/**
 * The address that opens `location` in the platform's app; undefined where the platform has none (Youzan's shops are web pages).
 *
 * Taobao's app opens Tmall's pages as well and is on nearly every phone, Tmall's is not: both platforms take Taobao's.
 *
 * @param location  a Location of ours, so on the platform's own hosts
 */
export function appLinkOf(
  platform: Platform,
  { opening, location }: { opening: AppOpening; location: string },
): string | undefined {
  if (platform === 'youzan') return undefined;
  const scheme = TAOBAO_SCHEME + encodeURIComponent(location);
  return opening === 'scheme' ? scheme : TAOBAO_UNIVERSAL + encodeURIComponent(scheme);
}
