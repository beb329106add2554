import { z } from 'zod';
import { createKey } from '../access/keys.ts';
import type { Server } from '../http/server.ts';
import { inTransaction } from '../infra/db.ts';
import type { BannerFacts } from './banner.ts';
import { type Api, ApiFault, createApi, sendInto } from '../local/demo/api.ts';
import { type DemoKeys, readDemoKeys, seedDemo, writeDemoKeys } from '../local/demo/seed.ts';
import type { Runtime } from './runtime.ts';

/**
 * Fills an empty private database with the demo, once; the same keys and link are found again at each later start.
 *
 * The admin key is kept before anything else is made, so a seeding that was killed goes on where it stood. Lost or unusable keys are
 * replaced by new ones; the data stay.
 */
export async function prepareDemo(runtime: Runtime, app: Server): Promise<BannerFacts['demo']> {
  const { home } = runtime.config;
  const connect = (key: string): Api => createApi(sendInto(app), key);
  let kept = await readDemoKeys(home);
  if (kept === undefined || !(await isAdminKey(connect(kept.keys.admin)))) {
    kept = { keys: { admin: await makeAdminKey(runtime) } };
    await writeDemoKeys(home, kept);
  }
  if (kept.data === undefined) {
    const seeded = await seedDemo(connect(kept.keys.admin), connect);
    if (seeded !== undefined) {
      kept = { ...kept, keys: { admin: kept.keys.admin, ...seeded.keys }, data: seeded.data };
      await writeDemoKeys(home, kept);
    }
  }
  return bannerFacts(kept);
}

/** Not an admin key any more: revoked, or of another database. */
async function isAdminKey(api: Api): Promise<boolean> {
  try {
    await api.get('/v1/keys?limit=1', z.unknown());
    return true;
  } catch (error) {
    if (error instanceof ApiFault && (error.status === 401 || error.status === 403)) return false;
    throw error;
  }
}

async function makeAdminKey({ db }: Runtime): Promise<string> {
  const created = await inTransaction(db, async (tx) =>
    createKey(tx, { role: 'admin', label: 'demo', actor: 'daihuo start' }),
  );
  if (!created.ok) throw new Error('an admin key belongs to no brand and no influencer, so it is never refused');
  return created.key;
}

/**
 * Writes down where the server is reached, so that `daihuo demo` in another terminal finds it. Called when it listens: the port is chosen
 * last.
 */
export async function rememberAddress({ config, log }: Runtime, address: string): Promise<void> {
  const kept = await readDemoKeys(config.home);
  if (kept === undefined) return;
  try {
    await writeDemoKeys(config.home, { ...kept, address });
  } catch (error) {
    log.warn({ err: error }, 'the address could not be kept for daihuo demo');
  }
}

function bannerFacts({ keys, data }: DemoKeys): BannerFacts['demo'] {
  const hasLink = data !== undefined && keys.influencer !== undefined;
  return {
    adminKey: keys.admin,
    ...(hasLink ? { promotion: { influencerKey: keys.influencer ?? '', linkCode: data.linkCode } } : {}),
  };
}
