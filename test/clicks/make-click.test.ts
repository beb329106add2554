import { describe, expect, it } from 'vitest';
import { createVisitReader } from '../../src/clicks/capture/make-click.ts';
import { KNOWN_AGENTS } from '../platforms/user-agents.ts';

const FROZEN = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36';

describe('createVisitReader', () => {
  it('tells where a visitor stands and what made the request, the first time and again', () => {
    const readVisit = createVisitReader();
    for (const { userAgent, app, os, device, kind } of [...KNOWN_AGENTS, ...KNOWN_AGENTS]) {
      const { agentDigest, ...facts } = readVisit({ method: 'GET', headers: { 'user-agent': userAgent } });
      expect(facts).toEqual({ kind: kind === 'person' ? 'counted' : kind, app, os, device });
      expect(agentDigest).not.toBe('');
    }
  });

  it('never keeps one visitor’s hints for the next one with the same agent', () => {
    const readVisit = createVisitReader();
    const hints = { 'sec-ch-ua-mobile': '?1', 'sec-ch-ua-platform': '"Android"' };
    const desktop = { app: 'other', os: 'linux', device: 'desktop' };
    expect(readVisit({ method: 'GET', headers: { 'user-agent': FROZEN } })).toMatchObject(desktop);
    expect(readVisit({ method: 'GET', headers: { 'user-agent': FROZEN, ...hints } })).toMatchObject({
      app: 'other',
      os: 'android',
      device: 'phone',
    });
    expect(readVisit({ method: 'GET', headers: { 'user-agent': FROZEN } })).toMatchObject(desktop);
  });

  it('answers a request without any header: a machine’s, from nowhere', () => {
    expect(createVisitReader()({ method: 'GET', headers: {} })).toMatchObject({
      kind: 'bot',
      app: 'other',
      os: 'other',
      device: 'desktop',
    });
  });
});
