import { describe, expect, it } from 'vitest';
import type { VisitorPlace } from '../../src/core/clicks/visitor-place.ts';
import { recogniseApp, withHints } from '../../src/platforms/webview.ts';

/** The corpus of real agents is read in user-agents.test.ts; here stand the rules. */
describe('recogniseApp', () => {
  it('matches whole tokens, in any case', () => {
    expect(recogniseApp('x xaweme_210600').app).toBe('other');
    expect(recogniseApp('x AppName/awemex').app).toBe('other');
    expect(recogniseApp('x appname/AWEME').app).toBe('douyin');
    expect(recogniseApp('x appname/AWEME_LITE').app).toBe('douyin_lite');
    expect(recogniseApp('x rediscover/8').app).toBe('other');
    expect(recogniseApp('x notwxwork/4').app).toBe('other');
    expect(recogniseApp('x MQQBrowser/6.2').app).toBe('other');
    expect(recogniseApp('x DingTalkBot-LinkService/1.0').app).toBe('other');
    expect(recogniseApp('x AliApp(TUnionSDK/0.1.20.3)').app).toBe('other');
  });

  it('names the app around, not the web view inside', () => {
    expect(recogniseApp('MicroMessenger/6.3 wxwork/4.1').app).toBe('wechat_work');
    expect(recogniseApp('MQQBrowser/6.2 TBS/046011 QQ/8.8.98 MicroMessenger/8').app).toBe('wechat');
    expect(recogniseApp('UCBrowser/11 AliApp(AP/10.0) AliApp(TB/8)').app).toBe('alipay');
    expect(recogniseApp('TTWebView/0 Lark/5.10').app).toBe('lark');
  });

  it('answers for a text without any token, and does not read a megabyte', () => {
    const unknown = { app: 'other', os: 'other', device: 'desktop' };
    expect(recogniseApp(undefined)).toEqual(unknown);
    expect(recogniseApp('')).toEqual(unknown);
    expect(recogniseApp(`${'x '.repeat(500_000)}MicroMessenger/8`)).toEqual(unknown);
  });

  it('takes hints into account where it is given them', () => {
    const frozen =
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36';
    expect(recogniseApp(frozen)).toEqual({ app: 'other', os: 'linux', device: 'desktop' });
    expect(recogniseApp(frozen, {})).toEqual({ app: 'other', os: 'linux', device: 'desktop' });
    expect(recogniseApp(frozen, { mobile: '?1', platform: '"Android"' })).toEqual({
      app: 'other',
      os: 'android',
      device: 'phone',
    });
  });
});

describe('withHints', () => {
  const desktop: VisitorPlace = { app: 'other', os: 'linux', device: 'desktop' };
  const phone: VisitorPlace = { app: 'douyin', os: 'android', device: 'phone' };
  const tablet: VisitorPlace = { app: 'other', os: 'android', device: 'tablet' };

  it('gives back the same object where hints add nothing, so that it costs nothing', () => {
    expect(withHints(phone, {})).toBe(phone);
    expect(withHints(phone, { mobile: '?1', platform: '"Android"' })).toBe(phone);
    expect(withHints(phone, { mobile: '?0' })).toBe(phone);
    expect(withHints(desktop, { mobile: '?0', platform: '"Linux"' })).toBe(desktop);
    expect(withHints(desktop, { mobile: '?0', platform: '"Windows"' })).toBe(desktop);
  });

  it('knows a phone or tablet that asks for desktop pages', () => {
    expect(withHints(desktop, { mobile: '?1', platform: '"Android"' })).toEqual({ ...phone, app: 'other' });
    expect(withHints(desktop, { mobile: '?0', platform: '"Android"' })).toEqual(tablet);
    expect(withHints(desktop, { platform: '"HarmonyOS"' })).toEqual({ ...tablet, os: 'harmonyos' });
    expect(withHints(desktop, { mobile: '?1' })).toEqual({ ...desktop, device: 'phone' });
  });

  it('knows a phone whose web view leaves the word Mobile out', () => {
    expect(withHints(tablet, { mobile: '?1', platform: '"Android"' })).toEqual({ ...phone, app: 'other' });
  });

  it('believes a mobile system that the agent names: HarmonyOS up to 4 hints Android', () => {
    const harmony: VisitorPlace = { app: 'other', os: 'harmonyos', device: 'phone' };
    expect(withHints(harmony, { mobile: '?1', platform: '"Android"' })).toBe(harmony);
  });

  it.each(['', 'Android', '"android"', '__proto__', 'constructor', '"toString"', '"\u0000"'])(
    'ignores a hint that no browser sends: %j',
    (value) => {
      expect(withHints(desktop, { mobile: value, platform: value })).toBe(desktop);
      expect(withHints(phone, { mobile: value, platform: value })).toBe(phone);
    },
  );
});
