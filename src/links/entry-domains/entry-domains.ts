import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { PolledTable } from '../polled-table.ts';
import { listEntryDomains } from './queries.ts';
import type { EntryDomain } from './queries.ts';

export interface EntryDomains {
  /** The origins on which links are shown, the best first and at least one: healthy hosts, else the public URL. */
  origins(): readonly string[];
  /** Whether this Host header is one of ours. Every host is, as long as none is configured. */
  isKnown: (host: string | undefined) => boolean;
  /** Reads the list. Rejects where Postgres does not answer; the last known list stays. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

interface DomainTable {
  healthy: readonly string[];
  /** Undefined where no host is configured. */
  known: ReadonlySet<string> | undefined;
}

/** A host in the spelling of the configuration: without capitals, the default port of the scheme, and the dot of the root. */
function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/:(?:80|443)$/, '')
    .replace(/\.(?=:|$)/, '');
}

function domainTableOf(domains: readonly EntryDomain[]): DomainTable {
  return {
    healthy: domains.filter(({ state }) => state === 'healthy').map(({ host }) => host),
    known: domains.length === 0 ? undefined : new Set(domains.map(({ host }) => plainHost(host))),
  };
}

/**
 * The hosts of short links, kept in the process and read again every four seconds.
 *
 * @param deps.publicUrl  every host has its scheme; its own host is always known
 */
export function createEntryDomains(deps: { db: Db; publicUrl: () => string; log: Logger }): EntryDomains {
  const table = new PolledTable<DomainTable>({
    name: 'entry domains',
    initial: { healthy: [], known: undefined },
    read: async () => domainTableOf(await listEntryDomains(deps.db)),
    log: deps.log,
  });
  return {
    origins: () => {
      const { protocol, origin } = new URL(deps.publicUrl());
      const { healthy } = table.current;
      return healthy.length === 0 ? [origin] : healthy.map((host) => `${protocol}//${host}`);
    },
    isKnown: (host) => {
      const { known } = table.current;
      if (known === undefined) return true;
      if (host === undefined) return false;
      if (known.has(host)) return true;
      const plain = plainHost(host);
      return known.has(plain) || plain === plainHost(new URL(deps.publicUrl()).host);
    },
    refresh: async () => table.refresh(),
    stop: async () => table.stop(),
  };
}

/** The origin on which links are shown first. */
export function firstOrigin(entryDomains: Pick<EntryDomains, 'origins'>): string {
  const [first] = entryDomains.origins();
  if (first === undefined) throw new Error('there is always an origin');
  return first;
}
