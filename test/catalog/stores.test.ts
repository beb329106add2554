import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open } from '../../src/infra/secrets.ts';
import { createCatalogServer, daysAgo, makeBrand, sealingKeys, storeInput, tally } from './catalog-server.ts';
import type { Caller, CatalogServer } from './catalog-server.ts';

let server: CatalogServer;
let brand: { id: string; caller: Caller };

beforeAll(async () => {
  server = await createCatalogServer();
  brand = await makeBrand(server);
});
afterAll(async () => {
  await server.close();
});

interface Store {
  id: string;
  brandId: string;
  orderSource: string;
  status: string;
  webhookSecret: string;
  rating: { score: number | string; scale: number | string; source: string };
  openedOn: string;
  eligibility: { eligible: boolean; reasons: { code: string; detail: string }[] };
  warnings: { code: string }[];
  youzan: { clientId: string } | null;
  code: string;
}

const register = async (changes: Record<string, unknown> = {}, caller = brand.caller) =>
  caller.post<Store>('/v1/stores', storeInput(changes));

describe('eligibility of a registered store', () => {
  it.each([
    { score: 4, scale: 5, openedOn: daysAgo(90), reasons: [] },
    { score: '4.00', scale: '5.0', openedOn: daysAgo(90), reasons: [] },
    { score: 3.99, scale: 5, openedOn: daysAgo(90), reasons: ['score_too_low'] },
    { score: '3.999999999', scale: '5', openedOn: daysAgo(90), reasons: ['score_too_low'] },
    { score: 80, scale: 100, openedOn: daysAgo(91), reasons: [] },
    { score: 40_000, scale: 50_000, openedOn: daysAgo(90), reasons: [] },
    { score: 39_999, scale: 50_000, openedOn: daysAgo(90), reasons: ['score_too_low'] },
    { score: 5, scale: 5, openedOn: daysAgo(89), reasons: ['too_new'] },
    { score: 0, scale: 5, openedOn: daysAgo(0), reasons: ['score_too_low', 'too_new'] },
  ])('$score of $scale, opened $openedOn: $reasons', async ({ score, scale, openedOn, reasons }) => {
    const { statusCode, body } = await register({ rating: { score, scale }, openedOn });
    expect(statusCode).toBe(201);
    expect(body.eligibility.eligible).toBe(reasons.length === 0);
    expect(body.eligibility.reasons.map((reason) => reason.code)).toEqual(reasons);
    expect(Number(body.rating.score)).toBe(Number(score));
  });

  it.each([
    { rating: { score: 6, scale: 5 } },
    { rating: { score: 0, scale: 0 } },
    { rating: { score: -1, scale: 5 } },
    { rating: { score: '4,8', scale: '5' } },
    { rating: { score: 1e-12, scale: 5 } },
    { openedOn: '2025-02-29' },
    { openedOn: '0000-01-01' },
  ])('%o is refused', async (changes) => {
    const answer = await register(changes);
    expect(answer.statusCode).toBe(400);
    expect(answer.body.code).toBe('validation_failed');
  });
});

describe('platforms', () => {
  it.each(['jd', '京东', 'JD', 'wechat', 'weixin', '微信小店', 'channels', 'pinduoduo'])(
    'a store on %s is refused as not supported, whatever else the body holds',
    async (platform) => {
      const answers = [await register({ platform }), await brand.caller.post<Store>('/v1/stores', { platform })];
      expect(answers.map((answer) => [answer.statusCode, answer.body.code])).toEqual([
        [422, 'platform_not_supported'],
        [422, 'platform_not_supported'],
      ]);
    },
  );

  it('a body without a platform is simply not valid', async () => {
    expect((await register({ platform: 7 })).statusCode).toBe(400);
  });
});

describe('one active store per shop', () => {
  it('a second one is refused, also for another brand, until the first is closed', async () => {
    const other = await makeBrand(server);
    const input = storeInput();
    const first = await brand.caller.post<Store>('/v1/stores', input);
    const again = await other.caller.post<Store>('/v1/stores', input);
    expect([again.statusCode, again.body.code]).toEqual([409, 'store_already_registered']);

    expect((await brand.caller.patch<Store>(`/v1/stores/${first.body.id}`, { status: 'closed' })).body.status).toBe(
      'closed',
    );
    expect((await other.caller.post<Store>('/v1/stores', input)).statusCode).toBe(201);
    const reopened = await brand.caller.patch<Store>(`/v1/stores/${first.body.id}`, { status: 'active' });
    expect([reopened.statusCode, reopened.body.code]).toEqual([409, 'store_already_registered']);
  });

  it('of 10 requests at the same time one registers it', async () => {
    const input = storeInput();
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => brand.caller.post<Store>('/v1/stores', input)),
    );
    expect(tally(answers)).toEqual({ 201: 1, 409: 9 });
  });
});

describe('order sources and secrets', () => {
  const youzan = { clientId: 'client0001', clientSecret: 'very-secret-value' };

  it.each([
    [{ platform: 'youzan' }, 'youzan'],
    [{ platform: 'youzan', orderSource: 'shop' }, 'shop'],
    [{ platform: 'taobao' }, 'shop'],
    [{ platform: 'tmall', orderSource: 'tbk' }, 'tbk'],
  ])('%o gets its orders from %s', async (changes, orderSource) => {
    expect((await register(changes)).body.orderSource).toBe(orderSource);
  });

  it.each([
    { platform: 'taobao', orderSource: 'youzan' },
    { platform: 'youzan', orderSource: 'tbk' },
    { platform: 'taobao', youzan },
    { platform: 'youzan', orderSource: 'pull' },
  ])('%o is refused', async (changes) => {
    expect((await register(changes)).statusCode).toBe(400);
  });

  it('a Youzan store without credentials is warned until it has them', async () => {
    const { body } = await register({ platform: 'youzan' });
    expect(body.warnings.map((warning) => warning.code)).toEqual(['youzan_credentials_missing']);
    const changed = await brand.caller.patch<Store>(`/v1/stores/${body.id}`, { youzan });
    expect(changed.body).toMatchObject({ warnings: [], youzan: { clientId: 'client0001' } });
  });

  it('secrets are kept sealed; the webhook secret is shown once, the client secret never', async () => {
    const made = await register({ platform: 'youzan', youzan });
    const read = await brand.caller.get<Store>(`/v1/stores/${made.body.id}`);
    expect(made.body.webhookSecret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(read.body).not.toHaveProperty('webhookSecret');
    expect(made.text + read.text).not.toContain(youzan.clientSecret);

    const { rows } = await server.db.query<{ webhook: Buffer; client: Buffer }>(
      'select webhook_secret_sealed as webhook, youzan_client_secret_sealed as client from stores where id = $1',
      [made.body.id],
    );
    const [row] = rows;
    expect(row?.client.includes(youzan.clientSecret)).toBe(false);
    expect(open(sealingKeys, row?.client ?? Buffer.alloc(0)).toString()).toBe(youzan.clientSecret);
    expect(open(sealingKeys, row?.webhook ?? Buffer.alloc(0)).toString()).toBe(made.body.webhookSecret);
  });

  it('rotating the webhook secret replaces the sealed one', async () => {
    const made = await register();
    const rotated = await brand.caller.post<Store>(`/v1/stores/${made.body.id}/webhook-secret`, {});
    expect(rotated.statusCode).toBe(201);
    expect(rotated.body.webhookSecret).not.toBe(made.body.webhookSecret);
    const { rows } = await server.db.query<{ sealed: Buffer }>(
      'select webhook_secret_sealed as sealed from stores where id = $1',
      [made.body.id],
    );
    expect(open(sealingKeys, rows[0]?.sealed ?? Buffer.alloc(0)).toString()).toBe(rotated.body.webhookSecret);
  });

  it('a replayed registration answers without the secret', async () => {
    const input = storeInput();
    const key = { 'idempotency-key': 'store-1' };
    const first = await brand.caller.post<Store>('/v1/stores', input, key);
    const second = await brand.caller.post<Store>('/v1/stores', input, key);
    expect(second.statusCode).toBe(201);
    expect(second.body.id).toBe(first.body.id);
    expect(second.body).not.toHaveProperty('webhookSecret');
  });
});

describe('the history of ratings', () => {
  const countOf = async (storeId: string): Promise<bigint> => {
    const { rows } = await server.db.query<{ n: bigint }>(
      'select count(*) as n from store_assessments where store_id = $1',
      [storeId],
    );
    return rows[0]?.n ?? 0n;
  };

  it('a brand may correct what it declared; every value stays in the history', async () => {
    const { body } = await register({ rating: { score: 3, scale: 5 } });
    const changed = await brand.caller.patch<Store>(`/v1/stores/${body.id}`, { rating: { score: '4.50', scale: 5 } });
    expect(changed.body.rating).toMatchObject({ score: 4.5, source: 'declared' });
    expect(changed.body.eligibility.eligible).toBe(true);
    expect(await countOf(body.id)).toBe(3n);
  });

  it('a brand cannot overwrite what an admin gave, and nothing of that request happens', async () => {
    const { body } = await register();
    const url = `/v1/stores/${body.id}`;
    await server.admin.patch(url, { rating: { score: 3, scale: 5 }, openedOn: daysAgo(10) });
    for (const change of [{ rating: { score: 5, scale: 5 } }, { openedOn: '2001-01-01' }]) {
      const refused = await brand.caller.patch<Store>(url, { name: '新名字', ...change });
      expect([refused.statusCode, refused.body.code]).toEqual([409, 'conflict']);
    }
    const kept = await brand.caller.get<Store & { name: string }>(url);
    expect(kept.body).toMatchObject({ name: '测试店铺', rating: { score: 3, source: 'admin' }, openedOn: daysAgo(10) });
  });

  it('a brand that repeats the admin’s value, or an admin that vouches for the brand’s, is no conflict', async () => {
    const { body } = await register();
    const url = `/v1/stores/${body.id}`;
    const vouched = await server.admin.patch<Store>(url, { rating: { score: 4.8, scale: 5 } });
    expect(vouched.body.rating.source).toBe('admin');
    const repeated = await brand.caller.patch<Store>(url, { rating: { score: '4.80', scale: '5.0' } });
    expect([repeated.statusCode, repeated.body.rating.source]).toEqual([200, 'admin']);
    expect(await countOf(body.id)).toBe(3n);
  });
});

describe('whose store', () => {
  it('an admin names the brand, a brand key does not', async () => {
    const asAdmin = await register({ brandId: brand.id }, server.admin);
    expect([asAdmin.statusCode, asAdmin.body.brandId]).toEqual([201, brand.id]);
    expect((await register({}, server.admin)).statusCode).toBe(400);
    expect((await register({ brandId: brand.id })).statusCode).toBe(400);
    expect((await register({ brandId: 'brd_0000000000000000' }, server.admin)).statusCode).toBe(404);
  });
});
