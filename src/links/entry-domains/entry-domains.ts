import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { repeat } from '../../infra/repeat.ts';
import { listEntryDomains } from './queries.ts';
import type { EntryDomain } from './queries.ts';

export interface EntryDomains {
  /** Where links are shown, the best first and at least one: healthy hosts, else the public URL. */
  origins(): readonly string[];
  /** Whether links may be asked for under this Host header. Everything is known as long as no host is configured. */
  isKnown: (host: string | undefined) => boolean;
  /** Reads the list. Rejects where Postgres does not answer; what was known stays. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/** A change reaches every process within this; a handful of rows needs no channel of its own. */
const REFRESH_EVERY_MS = 5_000;

/** Of hosts spelled otherwise than configured: capitals, the scheme's own port, the dot of the root. */
function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/:(?:80|443)$/, '')
    .replace(/\.(?=:|$)/, '');
}

/**
 * The hosts of short links, kept in the process and read anew every five seconds.
 *
 * @param deps.publicUrl  its scheme is that of every host; its own host is always known
 */
export function createEntryDomains(deps: { db: Db; publicUrl: () => string; log: Logger }): EntryDomains {
  let healthy: readonly string[] = [];
  let known: ReadonlySet<string> | undefined;

  const take = (domains: readonly EntryDomain[]): void => {
    healthy = domains.filter(({ state }) => state === 'healthy').map(({ host }) => host);
    known = domains.length === 0 ? undefined : new Set(domains.map(({ host }) => plainHost(host)));
  };
  const refresh = async (): Promise<void> => take(await listEntryDomains(deps.db));
  const stop = repeat({ name: 'refresh_entry_domains', everyMs: REFRESH_EVERY_MS, run: refresh }, deps.log);
  return {
    origins: () => {
      const { protocol, origin } = new URL(deps.publicUrl());
      return healthy.length === 0 ? [origin] : healthy.map((host) => `${protocol}//${host}`);
    },
    isKnown: (host) => {
      if (known === undefined) return true;
      if (host === undefined) return false;
      if (known.has(host)) return true;
      const plain = plainHost(host);
      return known.has(plain) || plain === plainHost(new URL(deps.publicUrl()).host);
    },
    refresh,
    stop,
  };
}

/** Where links are shown first. */
export function firstOrigin(entryDomains: Pick<EntryDomains, 'origins'>): string {
  const [first] = entryDomains.origins();
  if (first === undefined) throw new Error('there is always an origin');
  return first;
}
