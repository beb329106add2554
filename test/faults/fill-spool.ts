// Run as a program of its own: <folder> <clicks> <link number> <file for the ids>. Leaves a spool of a process that is gone.
import { createWriteStream } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { pino } from 'pino';
import { createSpoolMetrics } from '../../src/clicks/spool/metrics.ts';
import { openSpool } from '../../src/clicks/spool/spool.ts';
import { encodeClickLine } from '../../src/clicks/click-batch.ts';
import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { SECRET } from './ground.ts';

const [dir = '', count = '0', linkNumber = '0', idFile = ''] = process.argv.slice(2);
const AT_ONCE = 2_000;
const VISITORS = 50_000;

const [key] = deriveKeys(Buffer.from(SECRET)).clickIdKeys;
if (key === undefined) throw new Error('a secret gives a key');
const mint = createClickIdMint(key);
const spool = await openSpool({
  dir,
  maxBytes: 2 ** 30,
  log: pino({ level: 'error' }),
  metrics: createSpoolMetrics(createMetricsRegistry()),
  now: () => new Date(),
});
const ids = createWriteStream(idFile);

async function keep(number: number): Promise<void> {
  const clickedAt = new Date();
  const clickId = mint({ linkNumber: Number(linkNumber), clickedAtMs: clickedAt.getTime(), random: randomBytes(8) });
  const visitor = (number % VISITORS).toString(16).padStart(16, '0');
  const click = {
    clickId,
    clickedAt,
    linkNumber: Number(linkNumber),
    verdict: 'counted',
    visitor,
    app: '',
    os: '',
  } as const;
  await new Promise<void>((resolve) => {
    spool.append(0, encodeClickLine(click), (isKept) => {
      if (isKept) ids.write(`${clickId}\n`);
      resolve();
    });
  });
}

for (let done = 0; done < Number(count); done += AT_ONCE) {
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, Number(count) - done) }, (_, number) => keep(done + number)),
  );
}
ids.end();
await once(ids, 'finish');
console.log('daihuo spool ready');
process.kill(process.pid, 'SIGKILL');
