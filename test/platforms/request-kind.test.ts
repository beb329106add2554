import { describe, expect, it } from 'vitest';
import { classifyRequest, machineOf } from '../../src/platforms/request-kind.ts';
import { BOT_AGENTS, PEOPLE, PREVIEW_AGENTS, SCANNER_AGENTS } from './user-agents.ts';

const person = PEOPLE[0][2];

type Headers = Parameters<typeof classifyRequest>[0];

function kindOf(userAgent: string | undefined, rest: Partial<Headers> = {}): string {
  return classifyRequest({ method: 'GET', machine: machineOf(userAgent), ...rest });
}

describe('classifyRequest', () => {
  it.each(PEOPLE.map(([, , userAgent]) => userAgent))('counts a person: %s', (userAgent) => {
    expect(kindOf(userAgent)).toBe('counted');
  });

  it.each(SCANNER_AGENTS)('knows Douyin’s scanner: %s', (userAgent) => {
    expect(kindOf(userAgent)).toBe('scanner');
  });

  it('counts people on the scanners’ phones, whose app is another', () => {
    for (const userAgent of SCANNER_AGENTS) {
      expect(kindOf(userAgent.replace(/aweme_\d+/, 'aweme_320000'))).toBe('counted');
      expect(kindOf(userAgent.replace(/HD1900|PFFM10/, 'V2134A'))).toBe('counted');
      expect(kindOf(userAgent.replace(/WebView\/\d+$/, 'WebView/1211130051417'))).toBe('counted');
    }
  });

  it.each(PREVIEW_AGENTS)('knows a link preview: %s', (userAgent) => {
    expect(kindOf(userAgent)).toBe('preview');
  });

  it.each(BOT_AGENTS)('knows a machine: %j', (userAgent) => {
    expect(kindOf(userAgent)).toBe('bot');
  });

  it('takes a missing user agent for a machine', () => {
    expect(kindOf(undefined)).toBe('bot');
  });

  it('never counts a HEAD', () => {
    for (const userAgent of [person, ...SCANNER_AGENTS, ...PREVIEW_AGENTS, ...BOT_AGENTS]) {
      expect(kindOf(userAgent, { method: 'HEAD' })).toBe('head');
    }
  });

  it.each([
    { purpose: 'prefetch' },
    { purpose: 'Prefetch' },
    { xPurpose: 'preview' },
    { xPurpose: 'instant' },
    { secPurpose: 'prefetch' },
    { secPurpose: 'prefetch;prerender' },
    { secPurpose: 'prefetch;anonymous-client-ip' },
    { xMoz: 'prefetch' },
  ])('knows a browser’s prefetch: %j', (headers) => {
    expect(kindOf(person, headers)).toBe('prefetch');
    expect(kindOf('curl/8.5.0', headers)).toBe('bot');
    expect(kindOf(SCANNER_AGENTS[0], headers)).toBe('scanner');
  });

  it.each([{}, { purpose: '' }, { purpose: undefined }, { secPurpose: 'navigate' }, { xMoz: 'x' }])(
    'counts otherwise: %j',
    (headers) => {
      expect(kindOf(person, headers)).toBe('counted');
    },
  );

  it('answers at once for any text', () => {
    const startedAt = performance.now();
    for (const piece of ['Channel/', 'AlipayDefined(', 'Weibo (', 'qq', 'a-', '(', 'lark-'] as const) {
      expect(['bot', 'counted', 'preview']).toContain(kindOf(piece.repeat(100_000)));
    }
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
