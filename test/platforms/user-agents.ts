/**
 * The corpus of user agents in test/fixtures/user-agents: one file for each app or kind. Every string was found in public and is quoted as
 * it stands there; `sources.json` says where. None is invented.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App, Device, Os } from '../../src/core/vocabulary.ts';

export type AgentKind = 'person' | 'scanner' | 'preview' | 'bot';

export interface KnownAgent {
  userAgent: string;
  app: App;
  os: Os;
  device: Device;
  kind: AgentKind;
  /** Of the app or browser, in free words. */
  version: string;
  /** A key of `SOURCES`. */
  source: string;
}

interface AgentFile {
  app: App;
  kind: AgentKind;
  agents: readonly (Omit<KnownAgent, 'app' | 'kind'> & { app?: App })[];
}

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'user-agents');
const SOURCES_FILE = 'sources.json';

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
}

/** Where strings were found, in words a person can follow. */
export const SOURCES = read(SOURCES_FILE) as Readonly<Record<string, string>>;

export const KNOWN_AGENTS: readonly KnownAgent[] = readdirSync(FOLDER)
  .filter((name) => name !== SOURCES_FILE)
  .toSorted()
  .flatMap((name) => {
    const { app, kind, agents } = read(name) as AgentFile;
    return agents.map((agent) => ({ app, kind, ...agent }));
  });

function agentsOf(kind: AgentKind): readonly string[] {
  return KNOWN_AGENTS.filter((agent) => agent.kind === kind).map(({ userAgent }) => userAgent);
}

/** People: app, system, user agent. */
export const PEOPLE: readonly (readonly [App, Os, string])[] = KNOWN_AGENTS.filter(({ kind }) => kind === 'person').map(
  ({ app, os, userAgent }) => [app, os, userAgent],
);
/** Douyin's link scanners, frozen for years, and DingTalk's. */
export const SCANNER_AGENTS = agentsOf('scanner');
export const PREVIEW_AGENTS = agentsOf('preview');
export const BOT_AGENTS = agentsOf('bot');
