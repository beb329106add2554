import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openingOf, landingModeOf } from '../../../src/core/links/landing-mode.ts';
import type { Opening } from '../../../src/core/links/landing-mode.ts';
import type { VisitorPlace } from '../../../src/core/clicks/visitor-place.ts';
import { APPS, DEVICES, OSES, PLATFORMS, type App, type LandingMode, type Os } from '../../../src/core/vocabulary.ts';

/** Landing modes on phone, tablet and desktop. Written out, so that a change of the table is a change of this one as well. */
const TAOBAO_AND_TMALL: Record<App, readonly [LandingMode, LandingMode, LandingMode]> = {
  taobao: ['direct', 'direct', 'direct'],
  tmall: ['direct', 'direct', 'direct'],
  alipay: ['direct', 'direct', 'direct'],
  dingtalk: ['page', 'page', 'direct'],
  wechat_work: ['page', 'page', 'direct'],
  wechat: ['page', 'page', 'direct'],
  qq: ['page', 'page', 'direct'],
  douyin: ['page', 'page', 'direct'],
  douyin_lite: ['page', 'page', 'direct'],
  toutiao: ['page', 'page', 'direct'],
  kuaishou: ['page', 'page', 'direct'],
  weibo: ['page', 'page', 'direct'],
  xiaohongshu: ['page', 'page', 'direct'],
  bilibili: ['page', 'page', 'direct'],
  lark: ['page', 'page', 'direct'],
  zhihu: ['page', 'page', 'direct'],
  other: ['page', 'page', 'direct'],
};

const platforms = fc.constantFrom(...PLATFORMS);
const modes = fc.constantFrom<LandingMode>('direct', 'page');
const places: fc.Arbitrary<VisitorPlace> = fc.record({
  app: fc.constantFrom(...APPS),
  os: fc.constantFrom(...OSES),
  device: fc.constantFrom(...DEVICES),
});
const overrides = fc.dictionary(fc.constantFrom(...APPS), modes) as fc.Arbitrary<Partial<Record<App, LandingMode>>>;

const ROWS = APPS.flatMap((app) =>
  DEVICES.map((device, column) => ({ app, device, mode: TAOBAO_AND_TMALL[app][column] ?? 'missing' })),
);

describe('landingModeOf', () => {
  it.each(ROWS)('Taobao and Tmall in $app on a $device: $mode', ({ app, device, mode }) => {
    for (const os of OSES) {
      expect(landingModeOf('taobao', { app, os, device })).toBe(mode);
      expect(landingModeOf('tmall', { app, os, device })).toBe(mode);
    }
  });

  it.each(ROWS)('Youzan in $app on a $device: direct', ({ app, device }) => {
    for (const os of OSES) expect(landingModeOf('youzan', { app, os, device })).toBe('direct');
  });

  it('answers for every place, whatever the overrides are: that of the link, else that of the app, else the table', () => {
    fc.assert(
      fc.property(
        platforms,
        places,
        fc.option(modes, { nil: undefined }),
        overrides,
        (platform, place, link, byApp) => {
          const table = landingModeOf(platform, place);
          expect(['direct', 'page']).toContain(table);
          expect(landingModeOf(platform, place, {})).toBe(table);
          expect(landingModeOf(platform, place, { link, byApp })).toBe(link ?? byApp[place.app] ?? table);
          expect(landingModeOf(platform, place, { byApp })).toBe(byApp[place.app] ?? table);
        },
      ),
    );
  });

  it('lets an operator show the page even on a desktop, and send on even out of Douyin', () => {
    const desktop: VisitorPlace = { app: 'other', os: 'windows', device: 'desktop' };
    const douyin: VisitorPlace = { app: 'douyin', os: 'android', device: 'phone' };
    expect(landingModeOf('youzan', desktop, { link: 'page' })).toBe('page');
    expect(landingModeOf('taobao', douyin, { byApp: { douyin: 'direct' } })).toBe('direct');
    expect(landingModeOf('taobao', douyin, { link: 'page', byApp: { douyin: 'direct' } })).toBe('page');
    expect(landingModeOf('taobao', douyin, { byApp: { wechat: 'direct' } })).toBe('page');
  });
});

describe('openingOf', () => {
  const SYSTEMS: readonly [Os, Opening][] = [
    ['ios', 'universal_link'],
    ['android', 'scheme'],
    ['harmonyos', 'scheme'],
    ['other', 'scheme'],
  ];

  it.each(SYSTEMS)('on a phone or tablet with %s, in an app that lets others open: %s', (os, opening) => {
    const closed = new Set<App>(['wechat', 'wechat_work', 'qq', 'taobao', 'tmall']);
    for (const app of APPS.filter((app) => !closed.has(app))) {
      expect(openingOf({ app, os, device: 'phone' })).toBe(opening);
      expect(openingOf({ app, os, device: 'tablet' })).toBe(opening);
    }
  });

  it.each(['wechat', 'wechat_work', 'qq'] as const)('guides out of %s, which blocks other apps', (app) => {
    for (const os of OSES) {
      expect(openingOf({ app, os, device: 'phone' })).toBe('guide');
      expect(openingOf({ app, os, device: 'tablet' })).toBe('guide');
    }
  });

  it('never tries on a desktop, nor inside Taobao or Tmall', () => {
    for (const os of OSES) {
      for (const app of APPS) expect(openingOf({ app, os, device: 'desktop' })).toBe('none');
      for (const app of ['taobao', 'tmall'] as const) {
        expect(openingOf({ app, os, device: 'phone' })).toBe('none');
      }
    }
  });
});
