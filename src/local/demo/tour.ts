import type { Api } from './api.ts';
import type { Figures } from './figures.ts';
import type { Market } from './market.ts';
import type { ServerClock } from './server-clock.ts';

/** What every step of the demo works with. */
export interface Tour {
  /** Of the server that is driven, without a trailing slash. */
  origin: string;
  admin: Api;
  market: Market;
  clock: ServerClock;
  figures: Figures;
  print: (line: string) => void;
}
