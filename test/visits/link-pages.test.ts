import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PUBLIC_URL, createCatalogServer, makeInfluencer, makeOffer } from '../catalog/catalog-server.ts';
import type { CatalogServer } from '../catalog/catalog-server.ts';

let server: CatalogServer;
let code: string;

beforeAll(async () => {
  server = await createCatalogServer();
  const { caller } = await makeInfluencer(server);
  const { productId } = await makeOffer(server, {
    product: { title: '<script>alert("壶")</script>', url: 'https://item.taobao.com/item.htm?id=7&a=1' },
    store: { name: 'A&B店' },
  });
  ({
    body: { code },
  } = await caller.post<{ code: string }>('/v1/links', { productId, alias: 'my-kettle' }));
});
afterAll(async () => {
  await server.close();
});

const visit = async (url: string) => server.app.inject({ method: 'GET', url });

describe('the QR pictures of a link', () => {
  it('come as SVG and PNG, may be cached, and need no key', async () => {
    const svg = await visit(`/${code}/qr.svg`);
    expect([svg.statusCode, svg.headers['content-type']]).toEqual([200, 'image/svg+xml']);
    expect(svg.payload).toMatch(/^<svg /);
    expect(svg.headers['cache-control']).toContain('max-age=86400');
    const png = await visit(`/${code}/qr.png`);
    expect([png.statusCode, png.headers['content-type']]).toEqual([200, 'image/png']);
    expect(png.rawPayload.subarray(1, 4).toString()).toBe('PNG');
  });

  it('an alias has a picture of its own; spelling does not matter', async () => {
    const [byCode, byAlias, typed] = await Promise.all([
      visit(`/${code}/qr.svg`),
      visit('/my-kettle/qr.svg'),
      visit(`/${encodeURIComponent('ＭＹ-Kettle！')}/qr.svg`),
    ]);
    expect(byAlias?.payload).not.toBe(byCode?.payload);
    expect(typed?.payload).toBe(byAlias?.payload);
  });
});

describe('the preview of a link', () => {
  it('shows where it leads, in Chinese, with everything from outside escaped, and no click is logged', async () => {
    const { statusCode, headers, payload } = await visit(`/${code}/preview`);
    expect([statusCode, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-store',
    ]);
    expect(payload).toContain('&lt;script&gt;alert(&quot;壶&quot;)&lt;/script&gt;');
    expect(payload).toContain('A&amp;B店');
    expect(payload).toContain('<code>https://item.taobao.com/item.htm?id=7&amp;a=1</code>');
    expect(payload).toContain(`href="${PUBLIC_URL}/${code}"`);
    expect(payload).not.toMatch(/<script|style=|dh_click/);
  });

  it('a paused link is shown without a way to go on', async () => {
    await server.db.query(`update links set status = 'paused'`);
    const { statusCode, payload } = await visit(`/${code}/preview`);
    expect(statusCode).toBe(200);
    expect(payload).not.toContain('<a ');
    await server.db.query(`update links set status = 'active'`);
  });
});

it.each(['qr.svg', 'qr.png', 'preview'])(
  'an unknown, a malformed and an overlong code get the visitors’ page from /:code/%s',
  async (page) => {
    for (const unknown of ['zzzzzz9', '%E5%92%96', '----', 'a', 'x'.repeat(100), '%00abcd', "'or'1"]) {
      const answer = await visit(`/${unknown}/${page}`);
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    }
  },
);
