import { formatFenAsYuan } from '../core/money/money.ts';
import type { Platform } from '../core/vocabulary.ts';
import { PLATFORM_NAMES } from '../platforms/platform.ts';

/**
 * The text an influencer pastes below a video.
 *
 * It begins with 广告, as the rules for internet advertising (互联网广告管理办法, 2023, art. 9) ask of posts with a purchase link.
 */
export function captionFor(link: { title: string; priceFen: bigint; platform: Platform; url: string }): string {
  const { title, priceFen, platform, url } = link;
  return `【广告】${title}\n${PLATFORM_NAMES[platform]}价 ¥${formatFenAsYuan(priceFen)}，以下单页为准\n👉 ${url}`;
}
