import type { Platform } from '../../core/vocabulary.ts';
import type { Language } from '../../http/visitor-page.ts';

/** Every text of the middle page that does not come from the catalogue, as HTML constants. */
export interface Words {
  platforms: Readonly<Record<Platform, string>>;
  /** The law requires that advertising is marked. */
  advertisement: string;
  noPicture: string;
  priceTaken: (day: string) => string;
  open: string;
  copy: string;
  /** Explains the text below it where no script runs. */
  copyByHand: string;
  copied: string;
  pressToCopy: string;
  continueInBrowser: string;
  /** The label of the big button where no app can be opened. */
  goToShop: (platform: string) => string;
  guideTitle: string;
  guideTap: string;
  guideChoose: string;
}

const ZH: Words = {
  platforms: { taobao: '淘宝', tmall: '天猫', youzan: '有赞' },
  advertisement: '广告 · 达人推广',
  noPicture: '暂无商品图片',
  priceTaken: (day) => `价格记录于 ${day}，以商品页为准`,
  open: '打开淘宝 App',
  copy: '复制淘口令',
  copyByHand: '或复制下面的淘口令，再打开淘宝 App：',
  copied: '已复制，打开淘宝 App 即可',
  pressToCopy: '请长按上面的淘口令复制',
  continueInBrowser: '在浏览器中继续',
  goToShop: (platform) => `前往${platform}购买`,
  guideTitle: '在浏览器中打开',
  guideTap: '点右上角的 <b>···</b>',
  guideChoose: '选择「在浏览器打开」',
};

const EN: Words = {
  platforms: { taobao: 'Taobao', tmall: 'Tmall', youzan: 'Youzan' },
  advertisement: 'Advertisement · promoted by an influencer',
  noPicture: 'No picture',
  priceTaken: (day) => `Price as of ${day}; the shop’s page decides`,
  open: 'Open in the Taobao app',
  copy: 'Copy the Taobao code',
  copyByHand: 'Or copy this code, then open the Taobao app:',
  copied: 'Copied. Now open the Taobao app',
  pressToCopy: 'Press and hold the code above to copy it',
  continueInBrowser: 'Continue in the browser',
  goToShop: (platform) => `Go to ${platform}`,
  guideTitle: 'Open in your browser',
  guideTap: 'Tap <b>···</b> at the top right',
  guideChoose: 'Choose “Open in Browser”',
};

export const WORDS: Readonly<Record<Language, Words>> = { zh: ZH, en: EN };
