/** The facts of one marketplace that the rest of the program needs: a row of the table in `platform.ts`. */

export interface HostRule {
  /** A short or converted link. It names no item and breaks with an added parameter, so it gets none. */
  opaque: boolean;
}

export const PLAIN: HostRule = { opaque: false };
export const OPAQUE: HostRule = { opaque: true };

/** The way to open an app: by its scheme, or on iOS by a universal link, which a browser without the app opens as a page. */
export type AppOpening = 'scheme' | 'universal_link';

export interface Marketplace {
  /** The Chinese name that visitors and influencers read. */
  name: string;
  /** Exact host names. A suffix rule ("ends in taobao.com") would also admit user-made subdomains and redirecting services. */
  hosts: ReadonlyMap<string, HostRule>;
  /** One anchored pattern for the plain hosts of single shops, where the marketplace has them. */
  shopHost?: RegExp;
  /**
   * The names under which an order may mention the item of a page (`item:600000000001`, `alias:2exampleali0001`); [] where the URL names none.
   *
   * @param url  on a plain host of this marketplace
   */
  itemKeysOf: (url: URL) => string[];
  /** The address that opens a page in the marketplace's app; absent for a marketplace of web pages. */
  appLinkOf?: (location: string, opening: AppOpening) => string;
}

const ITEM_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The value of a query parameter; undefined for two different values, because they name two items and either page may open. */
export function findSoleParameter(url: URL, name: string): string | undefined {
  const values = new Set(url.searchParams.getAll(name));
  const [value] = values;
  return values.size === 1 && value !== undefined && ITEM_NAME.test(value) ? value : undefined;
}
