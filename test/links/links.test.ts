import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isGeneratedCode } from '../../src/core/links/link-code.ts';
import {
  PUBLIC_URL,
  createCatalogServer,
  daysAgo,
  makeInfluencer,
  makeOffer,
  tally,
} from '../catalog/catalog-server.ts';
import type { Caller, CatalogServer } from '../catalog/catalog-server.ts';

let server: CatalogServer;
let influencer: { id: string; caller: Caller };

beforeAll(async () => {
  server = await createCatalogServer();
  influencer = await makeInfluencer(server);
});
afterAll(async () => {
  await server.close();
});

interface Link {
  id: string;
  code: string;
  url: string;
  aliases: string[];
  productId: string;
  influencerId: string;
  status: string;
  destinationUrl: string;
  caption: string;
  qrUrl: string;
  warnings: { code: string }[];
  createdAt: string;
  errors: { path: string }[];
}

const issue = async (body: Record<string, unknown>, caller = influencer.caller) => caller.post<Link>('/v1/links', body);

async function countRows(): Promise<{ links: bigint; codes: bigint } | undefined> {
  const { rows } = await server.db.query<{ links: bigint; codes: bigint }>(
    'select (select count(*) from links) as links, (select count(*) from link_codes) as codes',
  );
  return rows[0];
}

describe('issuing a link', () => {
  it('gives a short link with everything a video needs', async () => {
    const { productId } = await makeOffer(server, {
      product: { title: '手冲壶', url: 'https://item.taobao.com/item.htm?id=42' },
    });
    const { statusCode, body } = await issue({ productId });
    expect(statusCode).toBe(201);
    expect(isGeneratedCode(body.code)).toBe(true);
    expect(body).toEqual({
      id: expect.stringMatching(/^lnk_/) as string,
      code: body.code,
      url: `${PUBLIC_URL}/${body.code}`,
      urls: [`${PUBLIC_URL}/${body.code}`],
      aliases: [],
      productId,
      influencerId: influencer.id,
      status: 'active',
      landingMode: null,
      taoCode: null,
      destinationUrl: 'https://item.taobao.com/item.htm?id=42',
      caption: `【广告】手冲壶\n淘宝价 ¥199.00，以下单页为准\n👉 ${PUBLIC_URL}/${body.code}`,
      qrUrl: `${PUBLIC_URL}/${body.code}/qr.svg`,
      kit: expect.objectContaining({ shortLine: `daihuo.test/${body.code}` }) as object,
      warnings: [],
      problems: [],
      createdAt: expect.any(String) as string,
    });
  });

  it('the same pair always gives the same link, and another influencer another one', async () => {
    const { productId } = await makeOffer(server);
    const other = await makeInfluencer(server);
    const first = await issue({ productId });
    const again = await issue({ productId });
    expect([again.statusCode, again.body]).toEqual([200, first.body]);
    expect((await issue({ productId }, other.caller)).body.code).not.toBe(first.body.code);
  });

  it('20 requests for a pair at the same time give one link: one 201, nineteen 200', async () => {
    const { productId } = await makeOffer(server);
    const answers = await Promise.all(Array.from({ length: 20 }, async () => issue({ productId })));
    expect(new Set(answers.map((answer) => answer.body.code)).size).toBe(1);
    expect(tally(answers)).toEqual({ 200: 19, 201: 1 });
    const { rows } = await server.db.query('select 1 from links where product_id = $1', [productId]);
    expect(rows).toHaveLength(1);
  });

  it('20 requests with one alias for 20 products at the same time: one gets it, the others leave no link behind', async () => {
    const offers = await Promise.all(Array.from({ length: 20 }, async () => makeOffer(server)));
    const before = await countRows();
    const answers = await Promise.all(offers.map(async ({ productId }) => issue({ productId, alias: 'summer-race' })));
    expect(tally(answers)).toEqual({ 201: 1, 409: 19 });
    const after = await countRows();
    expect([Number(after?.links) - Number(before?.links), Number(after?.codes) - Number(before?.codes)]).toEqual([
      1, 2,
    ]);
  });

  it('a generated code that is taken is replaced by another', async () => {
    const taken = await issue({ productId: (await makeOffer(server)).productId });
    const { productId } = await makeOffer(server);
    server.nextCodes.push(taken.body.code, taken.body.code, 'zz9zz9z');
    expect((await issue({ productId })).body.code).toBe('zz9zz9z');
  });

  it('an admin names the influencer, an influencer key does not', async () => {
    const { productId } = await makeOffer(server);
    const made = await issue({ productId, influencerId: influencer.id }, server.admin);
    expect([made.statusCode, made.body.influencerId]).toEqual([201, influencer.id]);
    expect((await issue({ productId }, server.admin)).statusCode).toBe(400);
    expect((await issue({ productId, influencerId: influencer.id })).statusCode).toBe(400);
    expect((await issue({ productId, influencerId: 'inf_0000000000000000' }, server.admin)).statusCode).toBe(404);
    expect((await issue({ productId: 'prd_0000000000000000' })).statusCode).toBe(404);
  });
});

describe('aliases', () => {
  it('an alias for a pair that has a link is added to it; asking again changes nothing', async () => {
    const { productId } = await makeOffer(server);
    const first = await issue({ productId });
    const named = await issue({ productId, alias: 'coffee-pot' });
    expect([named.statusCode, named.body.code, named.body.aliases]).toEqual([200, first.body.code, ['coffee-pot']]);
    expect((await issue({ productId, alias: 'coffee-pot' })).body.aliases).toEqual(['coffee-pot']);
    expect((await issue({ productId, alias: 'coffee-kit' })).body.aliases).toEqual(['coffee-pot', 'coffee-kit']);
    const read = await influencer.caller.get<Link>(`/v1/links/${encodeURIComponent('Ｃoffee-POT。')}`);
    expect(read.body.code).toBe(first.body.code);
  });

  it.each([
    ['docs', 422, 'alias_reserved'],
    ['healthz', 422, 'alias_reserved'],
    ['k7q2m8x', 422, 'alias_reserved'],
    ['abc', 400, 'validation_failed'],
    ['Coffee', 400, 'validation_failed'],
    ['咖啡咖啡', 400, 'validation_failed'],
    ['a/b-c', 400, 'validation_failed'],
    ['x'.repeat(33), 400, 'validation_failed'],
  ])('%j is refused: %i %s', async (alias, status, code) => {
    const { productId } = await makeOffer(server);
    const before = await countRows();
    const answer = await influencer.caller.post<{ code: string }>('/v1/links', { productId, alias });
    expect([answer.statusCode, answer.body.code]).toEqual([status, code]);
    expect(await countRows()).toEqual(before);
  });

  it('an alias stays with its link for ever, also when the link is paused', async () => {
    const owner = await issue({ productId: (await makeOffer(server)).productId, alias: 'for-ever' });
    await influencer.caller.patch(`/v1/links/${owner.body.code}`, { status: 'paused' });
    const { productId } = await makeOffer(server);
    const answer = await influencer.caller.post<{ code: string }>('/v1/links', { productId, alias: 'for-ever' });
    expect([answer.statusCode, answer.body.code]).toEqual([409, 'alias_taken']);
    const ownCode = await influencer.caller.post<{ code: string }>('/v1/links', { productId, alias: owner.body.code });
    expect(ownCode.body.code).toBe('alias_reserved');
  });
});

describe('eligibility', () => {
  it.each([
    [{ rating: { score: 4, scale: 5 }, openedOn: daysAgo(90) }, []],
    [{ rating: { score: '3.9999', scale: 5 }, openedOn: daysAgo(90) }, ['score_too_low']],
    [{ rating: { score: 4, scale: 5 }, openedOn: daysAgo(89) }, ['too_new']],
    [{ rating: { score: 1, scale: 5 }, openedOn: daysAgo(1) }, ['score_too_low', 'too_new']],
  ])('a new link for a store with %o: reasons %j', async (store, reasons) => {
    const { productId } = await makeOffer(server, { store });
    const { statusCode, body } = await issue({ productId });
    const refusal = statusCode === 422 ? body.code : undefined;
    expect([statusCode, refusal]).toEqual(reasons.length === 0 ? [201, undefined] : [422, 'store_not_eligible']);
    expect((body.errors ?? []).map((error) => error.path)).toEqual(reasons);
  });

  it('a link already in videos stays, is marked with the reasons, and can still get an alias', async () => {
    const { productId, storeId, brand } = await makeOffer(server);
    const first = await issue({ productId });
    await brand.caller.patch(`/v1/stores/${storeId}`, { rating: { score: 2, scale: 5 } });
    await brand.caller.patch(`/v1/products/${productId}`, { status: 'paused' });
    const again = await issue({ productId, alias: `old-${first.body.code}` });
    expect([again.statusCode, again.body.code]).toEqual([200, first.body.code]);
    expect(again.body.warnings.map((warning) => warning.code)).toEqual(['score_too_low', 'product_paused']);
    const other = await makeInfluencer(server);
    const refused = await issue({ productId }, other.caller);
    expect(refused.body.errors.map((error) => error.path)).toEqual(['score_too_low', 'product_paused']);
  });

  it('an address that is not allowed any more is shown, as nobody is sent there', async () => {
    const { productId } = await makeOffer(server);
    const { body } = await issue({ productId });
    await server.db.query(`update products set url = 'https://evil.example/' where id = $1`, [productId]);
    const { warnings } = (await influencer.caller.get<Link>(`/v1/links/${body.code}`)).body;
    expect(warnings.map((warning) => warning.code)).toEqual(['destination_not_allowed']);
  });

  it('a closed store, a product off sale or a paused influencer gets no new link', async () => {
    const closed = await makeOffer(server);
    await closed.brand.caller.patch(`/v1/stores/${closed.storeId}`, { status: 'closed' });
    const offSale = await makeOffer(server, { product: { status: 'off_sale' } });
    const fine = await makeOffer(server);
    const paused = await makeInfluencer(server);
    await server.admin.patch(`/v1/influencers/${paused.id}`, { status: 'paused' });
    const reasons = await Promise.all([
      issue({ productId: closed.productId }),
      issue({ productId: offSale.productId }),
      issue({ productId: fine.productId }, paused.caller),
    ]);
    expect(reasons.map(({ statusCode, body }) => [statusCode, body.errors.map((error) => error.path)])).toEqual([
      [422, ['store_closed']],
      [422, ['product_off_sale']],
      [422, ['influencer_paused']],
    ]);
  });

  it.each(['products', 'stores', 'influencers'])(
    'a pause of %s that is just being committed is waited for, so no link slips past it',
    async (table) => {
      const offer = await makeOffer(server);
      const { id, caller } = await makeInfluencer(server);
      const subject = { products: offer.productId, stores: offer.storeId, influencers: id }[table];
      const pause = await server.db.connect();
      await pause.query('begin');
      await pause.query(`update ${table} set status = $2 where id = $1`, [
        subject,
        table === 'stores' ? 'closed' : 'paused',
      ]);
      const asked = issue({ productId: offer.productId }, caller);
      const first = await Promise.race([asked.then(() => 'answered'), sleep(300).then(() => 'waits')]);
      await pause.query('commit');
      pause.release();
      expect(first).toBe('waits');
      expect((await asked).statusCode).toBe(422);
    },
  );
});

describe('an influencer’s own links', () => {
  it('are listed newest first, page by page, and nobody else’s', async () => {
    const { id, caller } = await makeInfluencer(server);
    const codes: string[] = [];
    for (let index = 0; index < 5; index++) {
      codes.unshift((await issue({ productId: (await makeOffer(server)).productId }, caller)).body.code);
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const place: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page: { body: { data: Link[]; nextCursor: string | null } } = await caller.get(`/v1/links?limit=2${place}`);
      seen.push(...page.body.data.map((link) => link.code));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(codes);
    const asAdmin = await server.admin.get<{ data: Link[] }>(`/v1/links?influencerId=${id}`);
    expect(asAdmin.body.data.map((link) => link.code)).toEqual(codes);
    expect((await caller.get(`/v1/links?influencerId=${id}`)).statusCode).toBe(400);
  });

  it('of one moment, or a few microseconds apart, are each listed once, whatever numbers they have', async () => {
    const { id, caller } = await makeInfluencer(server);
    const links: Link[] = [];
    for (let index = 0; index < 5; index++) {
      links.push((await issue({ productId: (await makeOffer(server)).productId }, caller)).body);
    }
    const micros = [3, 3, 1, 2, 3];
    for (const [index, link] of links.entries()) {
      await server.db.query(`update links set created_at = $2 where id = $1`, [
        link.id,
        `2026-03-01T00:00:00.00000${micros[index]}Z`,
      ]);
    }
    const newestFirst = links
      .map((link, index) => ({ id: link.id, micro: micros[index] ?? 0 }))
      .toSorted((one, other) => other.micro - one.micro || (one.id < other.id ? 1 : -1));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const place: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page: { body: { data: Link[]; nextCursor: string | null } } = await server.admin.get(
        `/v1/links?influencerId=${id}&limit=1${place}`,
      );
      seen.push(...page.body.data.map((link) => link.id));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(newestFirst.map((link) => link.id));
  });

  it('can be paused and resumed; a change raises the version once, a repetition not at all', async () => {
    const { body } = await issue({ productId: (await makeOffer(server)).productId });
    const url = `/v1/links/${body.code}`;
    const version = async (): Promise<bigint | undefined> =>
      (await server.db.query<{ version: bigint }>('select version from links where id = $1', [body.id])).rows[0]
        ?.version;
    const paused = await influencer.caller.patch<Link>(url, { status: 'paused' });
    expect([paused.body.status, paused.body.warnings.map((warning) => warning.code)]).toEqual([
      'paused',
      ['link_paused'],
    ]);
    expect((await influencer.caller.patch<Link>(url, { status: 'paused' })).body.status).toBe('paused');
    expect(await version()).toBe(2n);
    expect((await influencer.caller.patch<Link>(url, { status: 'active' })).body.status).toBe('active');
    expect(await version()).toBe(3n);
    expect((await influencer.caller.patch(url, { status: 'gone' })).statusCode).toBe(400);
    expect((await influencer.caller.patch(url, { status: 'active', code: 'mine' })).statusCode).toBe(400);
  });
});
