import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isGeneratedCode } from '../../src/core/links/link-code.ts';
import { createCatalogServer, makeBrand, makeInfluencer } from './catalog-server.ts';
import type { CatalogServer, Made } from './catalog-server.ts';

let server: CatalogServer;

beforeAll(async () => {
  server = await createCatalogServer();
});
afterAll(async () => {
  await server.close();
});

interface Brand extends Made {
  name: string;
  matching: { inferred: string; scope: string };
  platformFeeBp: number;
  code: string;
}

interface Influencer extends Made {
  code: string;
  payeeId: string;
  status: string;
  douyinId: string | null;
  agency: { payeeId: string; shareBp: number } | null;
}

describe('brands', () => {
  it('begin with a careful policy that also covers orders placed before the brand was registered', async () => {
    const { body } = await server.admin.post<Brand>('/v1/brands', { name: '  好物  ' });
    expect(body).toMatchObject({ name: '好物', matching: { inferred: 'review', scope: 'product' }, platformFeeBp: 0 });
    const { rows } = await server.db.query<{ validFrom: Date }>(
      'select valid_from as "validFrom" from brand_policies where brand_id = $1',
      [body.id],
    );
    expect(rows.map((row) => row.validFrom.getTime())).toEqual([0]);
  });

  it('a changed policy ends the old version where the new one begins; what is not given stays', async () => {
    const { id } = await makeBrand(server, { matching: { inferred: 'pay' }, platformFeeBp: 500 });
    const changed = await server.admin.patch<Brand>(`/v1/brands/${id}`, { matching: { scope: 'store' } });
    expect(changed.body).toMatchObject({ matching: { inferred: 'pay', scope: 'store' }, platformFeeBp: 500 });
    await server.admin.patch(`/v1/brands/${id}`, { name: '新名', platformFeeBp: 500 });
    const { rows } = await server.db.query<{ isJoined: boolean | null }>(
      `select valid_to = lead(valid_from) over (order by valid_from) as "isJoined" from brand_policies where brand_id = $1
       order by valid_from`,
      [id],
    );
    expect(rows.map((row) => row.isJoined)).toEqual([true, null]);
  });

  it('10 policy changes at the same time give one gap-free chain of versions', async () => {
    const { id } = await makeBrand(server);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async (_, index) =>
        server.admin.patch<Brand>(`/v1/brands/${id}`, { platformFeeBp: index + 1 }),
      ),
    );
    expect(new Set(answers.map((answer) => answer.statusCode))).toEqual(new Set([200]));
    const { rows } = await server.db.query<{ isJoined: boolean | null }>(
      `select valid_to = lead(valid_from) over (order by valid_from) as "isJoined" from brand_policies where brand_id = $1
       order by valid_from`,
      [id],
    );
    expect(rows.map((row) => row.isJoined)).toEqual([...Array.from({ length: 10 }, () => true), null]);
  });

  it('a brand lists and reads only itself, and changes nothing of it', async () => {
    const { id, caller } = await makeBrand(server);
    const other = await makeBrand(server);
    const list = await caller.get<{ data: Brand[] }>('/v1/brands');
    expect(list.body.data.map((brand) => brand.id)).toEqual([id]);
    expect((await caller.get(`/v1/brands/${other.id}`)).statusCode).toBe(404);
    expect((await caller.patch(`/v1/brands/${id}`, { name: 'x' })).statusCode).toBe(403);
    expect((await caller.post('/v1/brands', { name: 'x' })).statusCode).toBe(403);
  });

  it('pages follow each other without gap or repeat, also as CSV', async () => {
    const all = await server.admin.get<{ data: Brand[] }>('/v1/brands?limit=200');
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const url: string = cursor === null ? '/v1/brands?limit=2' : `/v1/brands?limit=2&cursor=${cursor}`;
      const page: { body: { data: Brand[]; nextCursor: string | null } } = await server.admin.get(url);
      ids.push(...page.body.data.map((brand) => brand.id));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(ids).toEqual(all.body.data.map((brand) => brand.id));
    expect(ids.length).toBeGreaterThan(3);

    const csv = await server.admin.get('/v1/brands?limit=2', { accept: 'text/csv' });
    expect(csv.text.startsWith('\uFEFFid,name,')).toBe(true);
    expect(csv.text.trim().split('\r\n')).toHaveLength(3);
    expect(csv.headers['next-cursor']).toEqual(expect.any(String));
  });

  it.each(['x', 'WzFd', Buffer.from('["a","b"]').toString('base64url')])(
    'the forged cursor %j is refused',
    async (cursor) => {
      expect((await server.admin.get(`/v1/brands?cursor=${cursor}`)).statusCode).toBe(400);
    },
  );
});

describe('influencers', () => {
  it('get a code of the link alphabet and a payee of their own', async () => {
    const { body } = await server.admin.post<Influencer>('/v1/influencers', {
      name: '小美',
      douyinId: 'dy1',
      tier: 'A',
    });
    expect(isGeneratedCode(body.code)).toBe(true);
    expect(body).toMatchObject({ name: '小美', douyinId: 'dy1', tier: 'A', status: 'active', agency: null });
    const payees = await server.admin.get<{ data: { id: string; kind: string }[] }>(
      '/v1/payees?kind=influencer&limit=200',
    );
    expect(payees.body.data.find((payee) => payee.id === body.payeeId)?.kind).toBe('influencer');
  });

  it('an agency’s share is versioned, and ends with null', async () => {
    const agency = await server.admin.post<Made>('/v1/payees', { name: '机构' });
    const { id } = await makeInfluencer(server, { agency: { payeeId: agency.body.id, shareBp: 2000 } });
    const url = `/v1/influencers/${id}`;
    const raised = await server.admin.patch<Influencer>(url, { agency: { payeeId: agency.body.id, shareBp: 3000 } });
    expect(raised.body.agency).toEqual({ payeeId: agency.body.id, shareBp: 3000 });
    expect(
      (await server.admin.patch<Influencer>(url, { agency: { payeeId: agency.body.id, shareBp: 3000 } })).statusCode,
    ).toBe(200);
    expect((await server.admin.patch<Influencer>(url, { agency: null })).body.agency).toBeNull();
    expect((await server.admin.patch<Influencer>(url, { agency: null })).body.agency).toBeNull();
    const { rows } = await server.db.query<{ shareBp: number; isOpen: boolean }>(
      `select share_bp as "shareBp", valid_to is null as "isOpen" from influencer_agencies where influencer_id = $1 order by valid_from`,
      [id],
    );
    expect(rows).toEqual([
      { shareBp: 2000, isOpen: false },
      { shareBp: 3000, isOpen: false },
    ]);
  });

  it('only an agency’s payee can be an agency, and a refused influencer leaves nothing behind', async () => {
    const { id } = await makeInfluencer(server);
    const before = await server.admin.get<Influencer>(`/v1/influencers/${id}`);
    const countPayees = async (): Promise<bigint | undefined> =>
      (await server.db.query<{ n: bigint }>('select count(*) as n from payees')).rows[0]?.n;
    const count = await countPayees();
    for (const payeeId of [before.body.payeeId, 'pye_operator', 'pye_0000000000000000']) {
      const agency = { payeeId, shareBp: 100 };
      expect((await server.admin.post('/v1/influencers', { name: 'x', agency })).statusCode).toBe(404);
      expect((await server.admin.patch(`/v1/influencers/${id}`, { name: 'x', agency })).statusCode).toBe(404);
    }
    expect(await countPayees()).toBe(count);
    expect((await server.admin.get<Influencer>(`/v1/influencers/${id}`)).body).toEqual(before.body);
  });

  it('an influencer reads itself and nobody else; optional texts can be taken away', async () => {
    const { id, caller } = await makeInfluencer(server, { douyinId: 'dy2' });
    const other = await makeInfluencer(server);
    expect((await caller.get<Influencer>(`/v1/influencers/${id}`)).body.douyinId).toBe('dy2');
    expect((await caller.get(`/v1/influencers/${other.id}`)).statusCode).toBe(404);
    expect((await caller.get('/v1/influencers')).statusCode).toBe(403);
    const changed = await server.admin.patch<Influencer>(`/v1/influencers/${id}`, { douyinId: null, status: 'paused' });
    expect(changed.body).toMatchObject({ douyinId: null, status: 'paused' });
  });
});
