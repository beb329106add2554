import { describe, expect, it } from 'vitest';
import { APPS, DEVICES, OSES } from '../../src/core/vocabulary.ts';
import { machineOf } from '../../src/platforms/request-kind.ts';
import { recogniseApp } from '../../src/platforms/webview.ts';
import { KNOWN_AGENTS, SOURCES } from './user-agents.ts';
import type { KnownAgent } from './user-agents.ts';

/** What is wrong with our reading of an agent: a person taken for a machine loses a sale, a machine taken for a person inflates counts. */
function errorsOf({ userAgent, app, os, device, kind }: KnownAgent): string[] {
  const read = { kind: machineOf(userAgent) ?? 'person', ...recogniseApp(userAgent) };
  const wanted = { kind, app, os, device };
  return (Object.keys(wanted) as (keyof typeof wanted)[])
    .filter((field) => read[field] !== wanted[field])
    .map((field) => `${field} is ${read[field]}, not ${wanted[field]}: ${userAgent}`);
}

describe('the corpus of user agents', () => {
  /** The release gate: without it, money is lost or paid for nothing. */
  it('is read without an error', () => {
    const errors = KNOWN_AGENTS.flatMap((agent) => errorsOf(agent));
    const people = KNOWN_AGENTS.filter(({ kind }) => kind === 'person').length;
    console.log(`user agents: ${people} people, ${KNOWN_AGENTS.length - people} bots, errors ${errors.length}`);
    expect(errors).toEqual([]);
  });

  it('is large, and has every app, system, device and kind', () => {
    expect(KNOWN_AGENTS.length).toBeGreaterThanOrEqual(300);
    const people = KNOWN_AGENTS.filter(({ kind }) => kind === 'person');
    expect(new Set(people.map(({ app }) => app))).toEqual(new Set(APPS));
    expect(new Set(KNOWN_AGENTS.map(({ os }) => os))).toEqual(new Set(OSES));
    expect(new Set(KNOWN_AGENTS.map(({ device }) => device))).toEqual(new Set(DEVICES));
    expect(new Set(KNOWN_AGENTS.map(({ kind }) => kind))).toEqual(new Set(['person', 'scanner', 'preview', 'bot']));
  });

  it('has each string once, with a version and a source that is written down; every source is used', () => {
    expect(new Set(KNOWN_AGENTS.map(({ userAgent }) => userAgent)).size).toBe(KNOWN_AGENTS.length);
    expect(KNOWN_AGENTS.filter(({ version }) => version.trim() === '')).toEqual([]);
    expect(new Set(KNOWN_AGENTS.map(({ source }) => source))).toEqual(new Set(Object.keys(SOURCES)));
  });
});
