import { inflateSync } from 'node:zlib';
import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import { decodeQR } from 'qr/decode.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CAPTION_PLATFORMS, DOUYIN_CHARACTERS, captionKitOf, speakableCode } from '../../src/links/kit/caption-kit.ts';
import type { CaptionKit } from '../../src/links/kit/caption-kit.ts';
import { GLYPH_COLUMNS, GLYPH_ROWS, isInk } from '../../src/links/kit/bitmap.ts';
import { qrPng, qrSvg } from '../../src/links/kit/qr-picture.ts';
import { PUBLIC_URL, createCatalogServer, makeInfluencer, makeOffer } from '../catalog/catalog-server.ts';
import type { Caller, CatalogServer } from '../catalog/catalog-server.ts';

interface Picture {
  width: number;
  height: number;
  /** RGBA. */
  data: Uint8Array;
}

/** Reads a PNG of one bit a pixel without filters, as ours are; anything else fails. */
function readPng(png: Buffer): Picture {
  expect(png.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const lengthOfData = png.readUInt32BE(33);
  expect(png.toString('latin1', 37, 41)).toBe('IDAT');
  const rows = inflateSync(png.subarray(41, 41 + lengthOfData));
  const rowBytes = 1 + Math.ceil(width / 8);
  expect(rows).toHaveLength(rowBytes * height);
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const bit = ((rows[y * rowBytes + 1 + (x >> 3)] ?? 0) >> (7 - (x & 7))) & 1;
      data.fill(bit * 255, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return { width, height, data };
}

/** Draws what `qrSvg` writes as its path of modules, five pixels each. */
function rasterOfSvg(svg: string): Picture {
  const [, widthText = ''] = /viewBox="0 0 (\d+) /.exec(svg) ?? [];
  const size = Number(widthText) * 5;
  const data = new Uint8Array(size * size * 4).fill(255);
  for (const [, x, y, run] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let row = Number(y) * 5; row < Number(y) * 5 + 5; row += 1) {
      for (let column = Number(x) * 5; column < (Number(x) + Number(run)) * 5; column += 1) {
        data.fill(0, (row * size + column) * 4, (row * size + column) * 4 + 3);
      }
    }
  }
  return { width: size, height: size, data };
}

const URLS = [
  'https://go.example.com/k7q2m8x',
  'https://go.example.com/k7q2m8x/v12',
  'http://127.0.0.1:3000/tea-pot',
  `https://a-rather-long-name.of-a-host.example.com/${'x'.repeat(32)}/${'v'.repeat(32)}`,
];

describe('the QR picture', () => {
  it.each(URLS)('a reader finds %s in the PNG of both sizes and in the SVG', (url) => {
    for (const size of ['screen', 'print'] as const) {
      const picture = readPng(qrPng(url, size));
      expect(picture.width).toBe({ screen: 512, print: 1200 }[size]);
      expect(decodeQR(picture)).toBe(url);
    }
    const svg = qrSvg(url);
    expect(decodeQR(rasterOfSvg(svg))).toBe(url);
    expect(svg).toContain(`>${new URL(url).host}</text>`);
    expect(svg).toContain(`>${new URL(url).pathname.slice(1)}</text>`);
  });

  it('has a drawing of its own for every character of a code, a tag and a host', () => {
    const drawings = 'abcdefghijklmnopqrstuvwxyz0123456789-_.:/'.split('').map((character) => {
      let drawing = '';
      for (let row = 0; row < GLYPH_ROWS; row += 1)
        for (let column = 0; column < GLYPH_COLUMNS; column += 1)
          drawing += isInk(character, { column, row }) ? '#' : '.';
      return drawing;
    });
    expect(new Set(drawings).size).toBe(41);
    expect(drawings.filter((drawing) => !drawing.includes('#'))).toEqual([]);
  });
});

describe('speakableCode', () => {
  it.each([
    ['k7q2m8x', 'K 七 Q，二 M 八 X'],
    ['tea-pot', 'T E A，横杠 P O T'],
    ['2345', '二 三 四 五'],
    ['a1b0', 'A 幺 B 零'],
  ])('%s is %s', (code, spoken) => {
    expect(speakableCode(code)).toBe(spoken);
  });
});

describe('the captions', () => {
  const facts = { origin: 'https://go.example.com', code: 'k7q2m8x', priceFen: 19_900n, platform: 'taobao' } as const;
  const textFor = (kit: CaptionKit, platform: string): string =>
    kit.captions.find((caption) => caption.platform === platform)?.text ?? '';

  it('are one for each place, all with 广告 first and the link in them', () => {
    const { captions } = captionKitOf({ ...facts, title: '手冲壶', tag: 'v12' });
    expect(captions.map(({ platform }) => platform)).toEqual([...CAPTION_PLATFORMS]);
    for (const { text } of captions) {
      expect(text).toMatch(/^【广告】手冲壶/);
      expect(text).toContain('go.example.com/k7q2m8x/v12');
    }
  });

  it('for Douyin never have more than 55 characters, and the link in them is whole', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'手冲咖啡壶Ab 1👉🏽\n'.split('')), minLength: 1, maxLength: 200 }),
        fc.option(fc.stringMatching(/^[a-z0-9_-]{1,12}$/), { nil: undefined }),
        (title, tag) => {
          const kit = captionKitOf({ ...facts, title, tag });
          for (const platform of ['douyin', 'kuaishou']) {
            const text = textFor(kit, platform);
            expect(text.length).toBeLessThanOrEqual(DOUYIN_CHARACTERS);
            expect(text.startsWith('【广告】') && text.endsWith(kit.shortLine)).toBe(true);
            expect(text).not.toContain('\n');
          }
        },
      ),
    );
    const long = textFor(captionKitOf({ ...facts, title: '长'.repeat(80) }), 'douyin');
    expect(long).toHaveLength(DOUYIN_CHARACTERS);
    expect(long).toContain('长…｜浏览器打开 ');
  });
});

describe('over REST', () => {
  let server: CatalogServer;
  let caller: Caller;
  let code: string;
  beforeAll(async () => {
    server = await createCatalogServer();
    ({ caller } = await makeInfluencer(server));
    const { productId } = await makeOffer(server, { product: { title: '手冲壶' } });
    ({
      body: { code },
    } = await caller.post<{ code: string }>('/v1/links', { productId, alias: 'tea-kit' }));
  });
  afterAll(async () => {
    await server.close();
  });

  it('a link answers with its kit, and a tag makes it that of one video', async () => {
    const { body } = await caller.get<{ kit: CaptionKit }>(`/v1/links/${code}`);
    expect(body.kit).toEqual((await caller.get(`/v1/links/${code}/kit`)).body);
    const tagged = await caller.get<CaptionKit>(`/v1/links/${code}/kit?tag=${encodeURIComponent('V12。')}`);
    expect(tagged.body.shortLine).toBe(`daihuo.test/${code}/v12`);
    expect(tagged.body.qr).toEqual({
      svgUrl: `${PUBLIC_URL}/${code}/qr.svg?tag=v12`,
      pngUrl: `${PUBLIC_URL}/${code}/qr.png?tag=v12`,
      printPngUrl: `${PUBLIC_URL}/${code}/qr.png?size=print&tag=v12`,
    });
    expect((await caller.get<CaptionKit>('/v1/links/tea-kit/kit')).body.shortLine).toBe('daihuo.test/tea-kit');
  });

  it('its pictures hold what they say: the tag, the size', async () => {
    const { body } = await caller.get<CaptionKit>(`/v1/links/${code}/kit?tag=v12`);
    const picture = await server.app.inject({ url: body.qr.printPngUrl.slice(PUBLIC_URL.length) });
    expect(picture.headers['content-type']).toBe('image/png');
    const read = readPng(picture.rawPayload);
    expect([read.width, decodeQR(read)]).toEqual([1_200, `${PUBLIC_URL}/${code}/v12`]);
  });

  it('a tag that cannot be one is refused, and a picture of it is not drawn; another influencer’s link is not found', async () => {
    const { statusCode, body } = await caller.get(`/v1/links/${code}/kit?tag=${encodeURIComponent('视频')}`);
    expect([statusCode, body['code']]).toEqual([400, 'validation_failed']);
    expect((await server.app.inject({ url: `/${code}/qr.svg?tag=preview` })).statusCode).toBe(404);
    expect((await server.app.inject({ url: `/${code}/qr.png?size=huge` })).statusCode).toBe(400);
    const other = await makeInfluencer(server);
    expect((await other.caller.get(`/v1/links/${code}/kit`)).statusCode).toBe(404);
  });
});
