/**
 * A program that keeps callers busy and says how fast they were answered, as JSON. Its one argument is a `CallersTask`.
 *
 * With a port it posts signed webhooks; without one it verifies and records the same messages in this process.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createClickIdReader } from '../../src/core/clicks/click-id.ts';
import { createDb } from '../../src/infra/db.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { createMessageIntake } from '../../src/orders/intake/batch-messages.ts';
import { listOrderStores } from '../../src/orders/intake/store-queries.ts';
import type { IncomingMessage } from '../../src/orders/intake/incoming-message.ts';
import { readShopMessage, verifyShop } from '../../src/platforms/shop/verify.ts';
import { driveHttp, type LoadResult, summary } from './http-load.ts';
import { type BenchMarket, SECRET } from './market.ts';
import { createWebhooks, requestOf, type Webhook } from './webhooks.ts';

export interface CallersTask {
  /** The market as JSON. */
  marketFile: string;
  /** Part of every message and order id. */
  name: string;
  callers: number;
  warmUpMs: number;
  measureMs: number;
  /** Webhooks made before the clock starts; more are made as they are needed. */
  prepared: number;
  port?: number;
  databaseUrl: string;
}

async function callHttp(task: CallersTask & { port: number }, next: () => Webhook): Promise<LoadResult> {
  const requests = Array.from({ length: task.prepared }, () => requestOf(next()));
  let used = 0;
  return driveHttp({ ...task, next: () => requests[used++] ?? requestOf(next()) });
}

async function callInProcess(task: CallersTask, market: BenchMarket, next: () => Webhook): Promise<LoadResult> {
  const db = createDb({ url: task.databaseUrl, applicationName: 'daihuo-bench-intake', onError: console.error });
  const keys = deriveKeys(Buffer.from(SECRET));
  const secretOf = new Map(market.stores.map(({ storeId, secret }) => [storeId, secret]));
  const stores = await listOrderStores(db, [...secretOf.keys()]);
  const intake = createMessageIntake({
    db,
    sealingKeys: keys.sealingKeys,
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: 600,
    metrics: { batch: () => undefined, turnedAway: () => undefined },
  });
  const take = ({ storeId, messageId: id, timestamp, signature, body }: Webhook): IncomingMessage => {
    const headers = { id, timestamp, signature };
    const store = stores.get(storeId);
    const read = readShopMessage(body);
    const secrets = [secretOf.get(storeId) ?? ''];
    if (store === undefined || !read.ok || !verifyShop({ rawBody: body, headers, secrets, now: new Date() }).ok) {
      throw new Error('the bench made a message that is not valid');
    }
    return {
      store,
      source: 'shop',
      messageKey: id,
      bodySha256: createHash('sha256').update(body).digest(),
      messageType: 'paid',
      rawBody: body,
      content: { kind: 'events', events: read.events },
    };
  };
  const webhooks = Array.from({ length: task.prepared }, next);
  let used = 0;
  const counts = { latenciesMs: [] as number[], answered: 0, refused: 0 };
  const before = process.cpuUsage();
  const startsAt = performance.now() + task.warmUpMs;
  const endsAt = startsAt + task.measureMs;
  const call = async (): Promise<void> => {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt >= endsAt) return;
      const outcome = await intake.record(take(webhooks[used++] ?? next()));
      const now = performance.now();
      counts.answered += 1;
      if (outcome !== 'applied') counts.refused += 1;
      if (sentAt >= startsAt && now <= endsAt) counts.latenciesMs.push(now - sentAt);
    }
  };
  await Promise.all(Array.from({ length: task.callers }, call));
  await db.end();
  return summary(counts, { measuredMs: task.measureMs, cpu: process.cpuUsage(before) });
}

const task = JSON.parse(process.argv[2] ?? '') as CallersTask;
const market = JSON.parse(await readFile(task.marketFile, 'utf8')) as BenchMarket;
const next = createWebhooks(market, task.name);
const { port } = task;
const result = port === undefined ? await callInProcess(task, market, next) : await callHttp({ ...task, port }, next);
console.log(`result ${JSON.stringify(result)}`);
