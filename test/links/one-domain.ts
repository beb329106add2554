import type { EntryDomains } from '../../src/links/entry-domains/entry-domains.ts';

/** The hosts of an installation that configured none. */
export function oneDomain(publicUrl: string): EntryDomains {
  return { origins: () => [publicUrl], isKnown: () => true, refresh: async () => {}, stop: async () => {} };
}
