import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createCatalogServer, makeBrand, makeOffer, productInput, storeInput } from './catalog-server.ts';
import type { CatalogServer, Made } from './catalog-server.ts';

let server: CatalogServer;
beforeAll(async () => {
  server = await createCatalogServer();
});
afterAll(async () => {
  await server.close();
});

const PAGE_URL = 'https://shop10192168.m.youzan.com/v2/showcase/homepage';

describe('what a brand chooses for its dead links', () => {
  it('the brand itself sets it, and nothing else of it; nobody another brand’s', async () => {
    const brand = await makeBrand(server);
    const url = `/v1/brands/${brand.id}`;
    expect((await brand.caller.get(url)).body).toMatchObject({ fallbacks: [], pageUrl: null });
    const chosen = { fallbacks: ['brand_page', 'same_product'], pageUrl: PAGE_URL };
    const changed = await brand.caller.patch(url, chosen);
    expect([changed.statusCode, changed.body]).toEqual([200, expect.objectContaining(chosen)]);
    expect((await brand.caller.patch(url, { pageUrl: null })).body).toMatchObject({ ...chosen, pageUrl: null });
    expect((await brand.caller.patch(url, { platformFeeBp: 0 })).statusCode).toBe(403);
    expect((await brand.caller.patch(url, { name: '别名', fallbacks: [] })).statusCode).toBe(403);
    expect((await brand.caller.get(url)).body).toMatchObject({ fallbacks: chosen.fallbacks });
    const other = await makeBrand(server);
    expect((await other.caller.patch(url, { fallbacks: [] })).statusCode).toBe(404);
    const made = await server.admin.post('/v1/brands', { name: '新品牌', fallbacks: ['other_products'] });
    expect(made.body).toMatchObject({ fallbacks: ['other_products'] });
  });

  it.each([
    [{ fallbacks: ['same_product', 'same_product'] }, 400, 'validation_failed'],
    [{ fallbacks: ['anything'] }, 400, 'validation_failed'],
    [{ pageUrl: 'https://evil.example/' }, 422, 'destination_not_allowed'],
    [{ pageUrl: 'javascript:alert(1)' }, 422, 'destination_not_allowed'],
    [{ pageUrl: 'https://mall.jd.com/index-1.html' }, 422, 'platform_not_supported'],
  ])('%j is refused: %i %s', async (body, status, code) => {
    const brand = await makeBrand(server);
    const answer = await brand.caller.patch(`/v1/brands/${brand.id}`, body);
    expect([answer.statusCode, answer.body['code']]).toEqual([status, code]);
    expect((await brand.caller.get(`/v1/brands/${brand.id}`)).body).toMatchObject({ fallbacks: [], pageUrl: null });
  });
});

describe('the same product elsewhere', () => {
  it('is a product of another store of the same brand, and nothing else', async () => {
    const { brand, storeId, productId } = await makeOffer(server);
    const second = await brand.caller.post<Made>('/v1/stores', storeInput());
    const twin = await brand.caller.post<Made>(
      '/v1/products',
      productInput(second.body.id, { alternateProductId: productId }),
    );
    expect([twin.statusCode, twin.body]).toEqual([201, expect.objectContaining({ alternateProductId: productId })]);
    const url = `/v1/products/${productId}`;
    expect((await brand.caller.patch(url, { alternateProductId: twin.body.id })).body).toMatchObject({
      alternateProductId: twin.body.id,
    });
    const neighbour = await brand.caller.post<Made>('/v1/products', productInput(storeId));
    const stranger = await makeOffer(server);
    for (const id of [neighbour.body.id, stranger.productId, productId, 'prd_0000000000000000']) {
      const answer = await brand.caller.patch(url, { alternateProductId: id });
      expect([answer.statusCode, answer.body['code']]).toEqual([400, 'validation_failed']);
    }
    expect((await brand.caller.patch(url, { alternateProductId: null })).body).toMatchObject({
      alternateProductId: null,
    });
  });
});
