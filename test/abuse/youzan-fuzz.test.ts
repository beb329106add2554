import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verify } from '../../src/verify.ts';
import {
  javaUrlEncode,
  readYouzanCapture,
  YOUZAN_CAPTURE_NAMES,
  type YouzanCaptureName,
} from '../support/youzan-message.ts';
import { type AbuseApp, openAbuseApp } from './abuse-app.ts';
import { type Attack, prepareAttack } from './attack.ts';
import { fuzz, FUZZ_TIMEOUT_MS, SEED } from './fuzz-size.ts';
import { hostileJson, RawJson, toJson } from './hostile-values.ts';
import { pathsIn, withValueAt } from './damage.ts';
import { makeMarket, type Market } from './market.ts';
import { youzanMessage } from './sell.ts';

/**
 * What Youzan signs is believed to come from Youzan, not to be well formed: every push is acknowledged, and kept aside where it is not
 * understood, or refused because its shop or sender cannot be read. Never an error of ours: Youzan would send it for days.
 */
let abuse: AbuseApp;
let market: Market;
let attack: Attack;

beforeAll(async () => {
  abuse = await openAbuseApp();
  market = await makeMarket(abuse);
  attack = await prepareAttack(abuse);
});
afterAll(async () => {
  await abuse.close();
});

let lastNumber = 0;

/** A capture as if it were of this shop, under an id of its own. */
function freshPush(name: YouzanCaptureName): { outer: Record<string, unknown>; inner: unknown } {
  const { rawBody, message } = readYouzanCapture(name);
  lastNumber += 1;
  const outer = {
    ...(JSON.parse(rawBody.toString('utf8')) as Record<string, unknown>),
    client_id: market.a.youzan.clientId,
    kdt_id: Number(market.a.kdtId),
    msg_id: `fuzz-${lastNumber}`,
  };
  return { outer, inner: message };
}

async function push(body: Record<string, unknown>): Promise<number> {
  const { type } = body;
  const signed = youzanMessage(market.a, { body: toJson(body), type: typeof type === 'string' ? type : '' });
  return attack({ method: 'POST', url: '/hooks/youzan', ...signed });
}

const captures = fc.constantFrom(...YOUZAN_CAPTURE_NAMES);

const changedAt = (value: unknown, place: number, change: (old: unknown) => unknown): unknown => {
  const paths = pathsIn(value);
  return withValueAt(value, paths[place % paths.length] ?? [], change);
};

async function outcomes(): Promise<Record<string, number>> {
  const { rows } = await abuse.db.query<{ outcome: string; messages: number }>(
    `select m.outcome, count(*)::integer as "messages" from inbox_messages m where m.source = 'youzan' group by m.outcome`,
  );
  return Object.fromEntries(rows.map(({ outcome, messages }) => [outcome, messages]));
}

describe(`pushes with a right Event-Sign (ABUSE_SEED=${SEED})`, () => {
  it('are acknowledged whatever the message inside holds', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    const property = fc.asyncProperty(
      captures,
      fc.nat(),
      hostileJson,
      fc.boolean(),
      async (name, place, value, isMissing) => {
        const { outer, inner } = freshPush(name);
        const damaged = changedAt(inner, place, () => (isMissing ? undefined : value));
        // As text, also of refunds, which have it as an object: broken JSON inside one would break the body around it.
        const msg = javaUrlEncode(toJson(damaged ?? new RawJson('')));
        expect(await push({ ...outer, msg })).toBe(200);
      },
    );
    const runs = await fuzz(property, { share: 0.05 });
    const counts = await outcomes();
    expect(counts['applied'] ?? 0).toBeGreaterThan(runs / 10);
    expect(counts['quarantined'] ?? 0).toBeGreaterThan(runs / 10);
  });

  it('are acknowledged or refused whatever the body around it holds', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    const statuses = new Set<number>();
    const property = fc.asyncProperty(
      captures,
      fc.nat(),
      hostileJson,
      fc.boolean(),
      async (capture, place, value, isMissing) => {
        const { outer, inner } = freshPush(capture);
        const names = Object.keys(outer);
        const name = names[place % names.length] ?? '';
        const whole: Record<string, unknown> = {
          ...outer,
          msg: typeof outer['msg'] === 'string' ? javaUrlEncode(toJson(inner)) : inner,
        };
        const { [name]: _gone, ...rest } = whole;
        statuses.add(await push(isMissing ? rest : { ...rest, [name]: value }));
      },
    );
    await fuzz(property, { share: 0.05 });
    expect(statuses).toEqual(new Set([200, 401]));
  });

  it('leave right books behind', async () => {
    expect((await verify(abuse.db)).checks.filter(({ ok }) => !ok)).toEqual([]);
  });
});
