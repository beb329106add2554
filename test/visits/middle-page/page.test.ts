import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type SeededLink, seedLink, type SeedOptions, setLandingModeOverride } from '../../support/promotion.ts';
import { AGENTS, clickIdOf, hrefOf, openPageServer } from './page-server.ts';
import type { PageServer } from './page-server.ts';
import { waitUntil } from '../../support/timing.ts';

/** Over the wire, without the picture, as it is promised. */
const MAX_PAGE_BYTES = 14 * 1024;
const DESTINATION = 'https://item.taobao.com/item.htm?id=600000000001';

let pages: PageServer;
let link: SeededLink;

beforeAll(async () => {
  pages = await openPageServer({ readOverridesEveryMs: 50 });
});
afterAll(async () => pages.close());
beforeEach(async () => {
  await pages.streams.inspector.del('clicks:{0}');
  link = await seedLink(pages.test.db, { landingMode: null });
});

async function setProduct(fields: { title?: string; taoCode?: string; priceTakenAt?: string }): Promise<void> {
  const { title, taoCode, priceTakenAt } = fields;
  await pages.test.db.query(
    `update products set title = coalesce($2, title), tao_code = $3, price_taken_at = coalesce($4, price_taken_at) where id = $1`,
    [link.productId, title ?? null, taoCode ?? null, priceTakenAt ?? null],
  );
}

describe('a visitor who gets the middle page', () => {
  it('has a click of outcome page in the stream before the answer, and its id on the page', async () => {
    const { status, headers, body } = await pages.ask(`/${link.code}/v12`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
    });
    const [click, ...others] = await pages.loggedClicks();
    expect(others).toEqual([]);
    expect(click).toMatchObject({
      clickId: clickIdOf(body),
      linkNumber: link.linkNumber,
      verdict: 'counted',
      app: 'douyin',
      os: 'android',
      tag: 'v12',
      outcome: 'page',
    });
    expect(await pages.server.metric('redirects_total', 'outcome="page"')).toBeGreaterThan(0);
  });

  it('sees title, price with its day in Shanghai, brand, store and platform', async () => {
    await setProduct({ title: '手冲壶', priceTakenAt: '2026-11-21T16:30:00Z' });
    const { body } = await pages.ask(`/${link.code}`);
    expect(body).toContain('<h1>手冲壶</h1>');
    expect(body).toContain('¥199.00');
    expect(body).toContain('2026-11-22');
    expect(body).toContain('好物 · 好物店 · 淘宝');
    expect(body).toContain('<html lang="zh-CN">');
    expect(body).toContain('广告');
  });

  it('can open the app with a tap, and go on in the browser', async () => {
    const android = (await pages.ask(`/${link.code}`)).body;
    const clickId = clickIdOf(android);
    const scheme = new URL(hrefOf(android, 'open') ?? '');
    expect(scheme.protocol).toBe('tbopen:');
    expect(scheme.searchParams.get('h5Url')).toBe(`${DESTINATION}&dh_click=${clickId}#detail`);
    expect(hrefOf(android, 'onward')).toBe(`/-/go/${clickId}/${link.code}`);

    const iphone = (await pages.ask(`/${link.code}`, { agent: AGENTS.douyinIphone })).body;
    const universal = new URL(hrefOf(iphone, 'open') ?? '');
    expect(universal.origin).toBe('https://ace.tb.cn');
    const inner = new URL(universal.searchParams.get('smburl') ?? '');
    expect(inner.searchParams.get('h5Url')).toBe(`${DESTINATION}&dh_click=${clickIdOf(iphone)}#detail`);
  });

  it('is shown the way to the browser in WeChat, which opens no app', async () => {
    const { body } = await pages.ask(`/${link.code}`, { agent: AGENTS.wechat });
    expect(body).toContain('在浏览器打开');
    expect(hrefOf(body, 'open')).toBeUndefined();
    expect(hrefOf(body, 'onward')).toBe(`/-/go/${clickIdOf(body)}/${link.code}`);
  });

  it('is offered the 淘口令 of the link, else of the product, as text to select', async () => {
    await setProduct({ taoCode: '7￥AbCdEfG￥ 复制打开' });
    const ofProduct = (await pages.ask(`/${link.code}`)).body;
    expect(ofProduct).toContain('<p class="code" id="code">7￥AbCdEfG￥ 复制打开</p>');
    const own = await seedLink(pages.test.db, { landingMode: null });
    await pages.test.db.query(`update links set tao_code = '8￥XyZ￥' where id = $1`, [own.linkId]);
    expect((await pages.ask(`/${own.code}`)).body).toContain('<p class="code" id="code">8￥XyZ￥</p>');
    expect((await pages.ask(`/${(await seedLink(pages.test.db, { landingMode: null })).code}`)).body).not.toContain(
      'id="copy"',
    );
  });

  it('sees the picture once it was fetched, from our own host, and a drawing until then', async () => {
    expect((await pages.ask(`/${link.code}`)).body).not.toContain('<img class="picture"');
    const own = await seedLink(pages.test.db, { landingMode: null });
    await pages.test.db.query(`update products set image_url = 'https://img.example.com/a.jpg' where id = $1`, [
      own.productId,
    ]);
    await pages.test.db.query(
      `update product_pictures set sha256 = repeat('ab', 32), bytes = '\\x00', width = 640, height = 480, media_type = 'image/webp',
         fetched_at = now() where product_id = $1`,
      [own.productId],
    );
    const { body } = await pages.ask(`/${own.code}`);
    expect(body).toContain(
      `<img class="picture" src="/-/pictures/${'ab'.repeat(32)}.webp" width="640" height="480" alt="杯子">`,
    );
  });

  it('reads English where the browser wants it more than Chinese', async () => {
    const english = await pages.ask(`/${link.code}`, { headers: { 'accept-language': 'en-US,en;q=0.9,zh;q=0.8' } });
    expect(english.body).toContain('<html lang="en">');
    expect(english.body).toContain('Open in the Taobao app');
    for (const chinese of [
      'zh-CN,zh;q=0.9,en;q=0.8',
      'en;q=0.5,zh;q=0.5',
      'fr',
      '',
      'en;q=0.8, zh',
      `${'x,'.repeat(999)}en`,
    ]) {
      const { body } = await pages.ask(`/${link.code}`, { headers: { 'accept-language': chinese } });
      expect(body).toContain('<html lang="zh-CN">');
    }
  });

  it('finds everything of the catalogue escaped', async () => {
    await setProduct({ title: `"><script>alert('1')</script>&`, taoCode: '<b>￥x￥</b>' });
    const { body } = await pages.ask(`/${link.code}`);
    expect(body).toContain('<h1>&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;</h1>');
    expect(body).toContain('&lt;b&gt;￥x￥&lt;/b&gt;');
    expect(body.match(/<script/g)).toHaveLength(1);
  });

  it('is answered alike by HEAD, which leaves a click that is no visit', async () => {
    const { status, headers, body } = await pages.ask(`/${link.code}`, { method: 'HEAD' });
    expect([status, headers['content-type'], body]).toEqual([200, 'text/html; charset=utf-8', '']);
    expect((await pages.loggedClicks()).map(({ verdict }) => verdict)).toEqual(['head']);
  });

  it('may be a scanner: it gets the same content as everybody', async () => {
    const person = (await pages.ask(`/${link.code}`)).body;
    const scanner = (await pages.ask(`/${link.code}`, { agent: AGENTS.scanner })).body;
    expect(scanner.replaceAll(clickIdOf(scanner), '')).toBe(person.replaceAll(clickIdOf(person), ''));
    expect((await pages.loggedClicks()).map(({ verdict }) => verdict)).toEqual(['counted', 'scanner']);
  });

  it('is served under a policy that lets nothing run or load but what the page is made of', async () => {
    const { headers, body } = await pages.ask(`/${link.code}`);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    expect(body.match(/ (?:style|on[a-z]+)="/g)).toBeNull();
    const loaded = [...body.matchAll(/ src="([^"]+)"/g)].map(([, src]) => src ?? '');
    expect(loaded).toEqual([`/-/seen/${clickIdOf(body)}`]);
  });
});

describe('over a connection, where known links are answered in front of the router', () => {
  it('the page and the redirect are told apart as by the router', async () => {
    const { address, resolver } = pages.server;
    const visit = async (agent: string): Promise<Response> =>
      fetch(`${address}/${link.code}`, { headers: { 'user-agent': agent }, redirect: 'manual' });
    await resolver.resolve(link.code);
    expect(resolver.knownTarget(link.code)).toBeDefined();
    const page = await visit(AGENTS.harmony);
    expect([page.status, clickIdOf(await page.text()).length]).toEqual([200, 38]);
    const redirect = await visit(AGENTS.desktop);
    expect([redirect.status, redirect.headers.get('location')?.startsWith(DESTINATION)]).toEqual([302, true]);
    expect((await pages.loggedClicks()).map(({ outcome }) => outcome)).toEqual(['page', undefined]);
  });
});

describe('the weight of the page', () => {
  it('stays below 14 KB, compressed or not, with the longest texts', async () => {
    await setProduct({ title: '漢'.repeat(200), taoCode: '口'.repeat(200) });
    const bodies = await Promise.all(
      [AGENTS.douyinAndroid, AGENTS.douyinIphone, AGENTS.wechat].map(async (agent) =>
        pages.ask(`/${link.code}`, { agent }),
      ),
    );
    const sizes = bodies.map(({ body }) => ({ plain: Buffer.byteLength(body), gzip: gzipSync(body).length }));
    console.log(
      `middle page, longest texts: ${sizes.map(({ plain, gzip }) => `${plain} bytes (gzip ${gzip})`).join(', ')}`,
    );
    for (const { plain, gzip } of sizes) {
      expect(plain).toBeLessThan(MAX_PAGE_BYTES);
      expect(gzip).toBeLessThan(MAX_PAGE_BYTES / 2);
    }
  });
});

describe('who is sent straight on', () => {
  const direct: [name: string, options: SeedOptions, agent: string][] = [
    ['a desktop', { landingMode: null }, AGENTS.desktop],
    ['a visitor inside Taobao', { landingMode: null }, AGENTS.taobao],
    [
      'a visitor of Youzan',
      { landingMode: null, platform: 'youzan', url: 'https://h5.youzan.com/wscgoods/detail/2abc' },
      AGENTS.wechat,
    ],
    ['a visitor of a link whose landing mode is direct', { landingMode: 'direct' }, AGENTS.douyinAndroid],
  ];
  it.each(direct)('%s', async (_name, options, agent) => {
    const { code } = await seedLink(pages.test.db, options);
    const { status } = await pages.ask(`/${code}`, { agent });
    expect(status).toBe(302);
    expect((await pages.loggedClicks()).map(({ outcome }) => outcome)).toEqual([undefined]);
  });

  it('everybody, where the content cannot be had: the click is tracked all the same', async () => {
    await pages.test.db.query('alter table brands rename to brands_away');
    try {
      const { status, headers } = await pages.ask(`/${link.code}`);
      expect(status).toBe(302);
      const [click] = await pages.loggedClicks();
      expect(headers['location']).toBe(`${DESTINATION}&dh_click=${click?.clickId ?? ''}#detail`);
      expect(click?.outcome).toBeUndefined();
    } finally {
      await pages.test.db.query('alter table brands_away rename to brands');
    }
    // Postgres is left alone for a second after it failed, then asked again.
    await waitUntil(async () => expect((await pages.ask(`/${link.code}`)).status).toBe(200));
  });
});

describe('the landing modes that brand and operator set', () => {
  const eventually = async (code: string, agent: string, status: number): Promise<void> => {
    await waitUntil(async () => expect((await pages.ask(`/${code}`, { agent })).status).toBe(status));
  };
  const setOverride = async (brandId: string | null, app: string, landingMode: 'direct' | 'page'): Promise<void> => {
    await setLandingModeOverride(pages.test.db, { brandId, app, landingMode });
  };

  it('reach a link that is known: the link’s before the brand’s before the operator’s', async () => {
    await eventually(link.code, AGENTS.wechat, 200);
    await setOverride(null, 'wechat', 'direct');
    await eventually(link.code, AGENTS.wechat, 302);
    expect((await pages.ask(`/${link.code}`, { agent: AGENTS.douyinAndroid })).status).toBe(200);
    await setOverride(link.brandId, 'wechat', 'page');
    await eventually(link.code, AGENTS.wechat, 200);
    await pages.test.db.query(`update links set landing_mode = 'direct' where id = $1`, [link.linkId]);
    await eventually(link.code, AGENTS.wechat, 302);
    await pages.test.db.query(`update links set landing_mode = null where id = $1`, [link.linkId]);
    await pages.test.db.query('delete from landing_mode_overrides where brand_id = $1', [link.brandId]);
    await eventually(link.code, AGENTS.douyinAndroid, 200);
    await eventually(link.code, AGENTS.wechat, 302);
    await pages.test.db.query('delete from landing_mode_overrides');
    await eventually(link.code, AGENTS.wechat, 200);
  });

  it('may ask for a page anywhere: a Youzan shop has no app to open, a desktop neither', async () => {
    const youzan = await seedLink(pages.test.db, {
      landingMode: 'page',
      platform: 'youzan',
      url: 'https://h5.youzan.com/wscgoods/detail/2abc',
    });
    const { body } = await pages.ask(`/${youzan.code}`);
    expect(hrefOf(body, 'open')).toBeUndefined();
    expect(body).toContain('前往有赞购买');
    const desktop = await seedLink(pages.test.db, { landingMode: 'page' });
    expect(hrefOf((await pages.ask(`/${desktop.code}`, { agent: AGENTS.desktop })).body, 'open')).toBeUndefined();
  });
});
