import { describe, expect, it } from 'vitest';
import { recogniseApp } from '../../src/platforms/webview.ts';
import { PEOPLE } from './user-agents.ts';

describe('recogniseApp', () => {
  it.each(PEOPLE)('%s on %s: %s', (app, os, userAgent) => {
    expect(recogniseApp(userAgent)).toEqual({ app, os });
  });

  it('matches whole tokens, in any case', () => {
    expect(recogniseApp('x xaweme_210600').app).toBe('other');
    expect(recogniseApp('x AppName/awemex').app).toBe('other');
    expect(recogniseApp('x appname/AWEME').app).toBe('douyin');
    expect(recogniseApp('x rediscover/8').app).toBe('other');
    expect(recogniseApp('x notwxwork/4').app).toBe('other');
  });

  it('answers other without a user agent, and does not read a megabyte', () => {
    expect(recogniseApp(undefined)).toEqual({ app: 'other', os: 'other' });
    expect(recogniseApp(`${'x '.repeat(500_000)}MicroMessenger/8`)).toEqual({ app: 'other', os: 'other' });
  });
});
