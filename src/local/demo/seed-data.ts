/** The content of the demo data that `start` puts into an empty private database, so that a new user has something to look at. */
import type { Platform } from '../../core/vocabulary.ts';

export const SEED_BRAND = { name: '云朵家居（演示）', platformFeeBp: 500 };

export interface SeedStore {
  platform: Platform;
  externalShopId: string;
  name: string;
  rating: { score: number; scale: number };
  openedOn: string;
  /** True for Youzan, whose pushes are verified by credentials; the seeding makes up random ones. */
  needsCredentials: boolean;
  products: { title: string; url: string; priceFen: number; commission: { rateBp: number } | { flatFen: number } }[];
}

export const SEED_STORES: SeedStore[] = [
  {
    platform: 'taobao',
    externalShopId: 'demo-58001001',
    name: '云朵家居生活馆',
    rating: { score: 4.8, scale: 5 },
    openedOn: '2021-03-18',
    needsCredentials: false,
    products: [
      {
        title: '可视窗空气炸锅 5L 大容量 家用无油',
        url: 'https://item.taobao.com/item.htm?id=600000000101',
        priceFen: 19_900,
        commission: { rateBp: 1_500 },
      },
      {
        title: '手冲咖啡壶 600ml 细口不锈钢 带温度计',
        url: 'https://item.taobao.com/item.htm?id=600000000102',
        priceFen: 8_900,
        commission: { rateBp: 1_000 },
      },
    ],
  },
  {
    platform: 'tmall',
    externalShopId: 'demo-58001002',
    name: '云朵家居旗舰店',
    rating: { score: 4.9, scale: 5 },
    openedOn: '2019-11-11',
    needsCredentials: false,
    products: [
      {
        title: '316 不锈钢保温杯 500ml 便携大容量',
        url: 'https://detail.tmall.com/item.htm?id=600000000201',
        priceFen: 5_900,
        commission: { flatFen: 600 },
      },
      {
        title: '冰丝凉席三件套 1.8m 床 可机洗',
        url: 'https://detail.tmall.com/item.htm?id=600000000202',
        priceFen: 25_900,
        commission: { rateBp: 1_200 },
      },
    ],
  },
  {
    platform: 'youzan',
    externalShopId: '58001003',
    name: '云朵茶铺',
    rating: { score: 96, scale: 100 },
    openedOn: '2022-05-20',
    needsCredentials: true,
    products: [
      {
        title: '高山乌龙茶 250g 礼盒装',
        url: 'https://h5.youzan.com/v2/goods/2demowulong01',
        priceFen: 12_800,
        commission: { rateBp: 2_000 },
      },
      {
        title: '明前龙井 100g 罐装',
        url: 'https://h5.youzan.com/v2/goods/2demolongjing1',
        priceFen: 16_800,
        commission: { rateBp: 1_800 },
      },
    ],
  },
];

export const SEED_AGENCY = { name: '星光传媒（演示 MCN）', shareBp: 3_000 };

/** `start` shows a key and a link of the first influencer. */
export const SEED_INFLUENCERS = [
  { name: '小美的厨房（演示）', douyinId: 'demo_xiaomei', hasAgency: false },
  { name: '阿强测评（演示）', douyinId: 'demo_aqiang', hasAgency: true },
  { name: '茶友老周（演示）', douyinId: 'demo_laozhou', hasAgency: false },
];
