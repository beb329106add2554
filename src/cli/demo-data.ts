import type { Server } from '../http/server.ts';
import type { BannerFacts } from './banner.ts';
import type { Runtime } from './runtime.ts';

/** Fills an empty private database with the demo, once; the same keys and link are found again at each later start. */
export async function prepareDemo(runtime: Runtime, _app: Server): Promise<BannerFacts['demo']> {
  runtime.log.debug('no demo data in this build');
  return Promise.resolve(undefined);
}
