import { createHash, randomBytes } from 'node:crypto';
import sharp from 'sharp';
import type { Create, Sharp } from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pictureTask } from '../../src/catalog/products/pictures/fetch-picture.ts';
import { pictureRoutes } from '../../src/catalog/products/pictures/routes.ts';
import { MAX_PICTURE_BYTES, shrinkPicture } from '../../src/catalog/products/pictures/shrink-picture.ts';
import { picturePath } from '../../src/http/visitor-page.ts';
import type { Server } from '../../src/http/server.ts';
import { createGuardedRequest } from '../../src/infra/guarded-request.ts';
import type { GuardedRequest } from '../../src/infra/guarded-request.ts';
import { createTestServer } from '../http/test-server.ts';
import { drainWorkQueue } from '../support/drain-work-queue.ts';
import { SHOP_ADDRESS, openOutside } from '../support/outside.ts';
import type { Outside } from '../support/outside.ts';
import { createCatalogServer, makeOffer, productInput } from './catalog-server.ts';
import type { CatalogServer, Made } from './catalog-server.ts';

let server: CatalogServer;
let app: Server;
let outside: Outside;
let fetch: GuardedRequest;
let brand: Awaited<ReturnType<typeof makeOffer>>['brand'];
let storeId: string;
/** What the shop has, by path; everything else is 404. */
const files = new Map<string, { type: string; bytes: Buffer }>();
let results: string[];

const SOURCE = 'https://shop.test';

beforeAll(async () => {
  server = await createCatalogServer();
  ({ app } = await createTestServer(server.db, async (added) => pictureRoutes(added, server)));
  outside = await openOutside({ tls: true });
  outside.names.set('shop.test', [SHOP_ADDRESS]);
  fetch = createGuardedRequest({ userAgent: 'daihuo/0', testNetwork: outside.network });
  ({ brand, storeId } = await makeOffer(server));
});
afterAll(async () => {
  await outside.close();
  await app.close();
  await server.close();
});
beforeEach(async () => {
  // Jobs that an earlier test left to be tried again.
  await server.db.query('select from graphile_worker.complete_jobs(array(select j.id from graphile_worker.jobs j))');
  results = [];
  files.clear();
  outside.requests.length = 0;
  outside.answer((request, response) => {
    const file = files.get(request.url ?? '');
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': file.type }).end(file.bytes);
  });
});

function plain({ width, height, channels = 3 }: Partial<Create> & Pick<Create, 'width' | 'height'>): Sharp {
  return sharp({ create: { width, height, channels, background: { r: 200, g: 30, b: 60, alpha: 0.5 } } });
}

/** Nothing compresses worse. */
function noise(width: number, height: number): Sharp {
  return sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } });
}

async function addProduct(imageUrl: string): Promise<string> {
  const { body, statusCode } = await brand.caller.post<Made>('/v1/products', productInput(storeId, { imageUrl }));
  expect(statusCode).toBe(201);
  return body.id;
}

async function work(signal?: AbortSignal): Promise<void> {
  const task = pictureTask({ db: server.db, fetch, onResult: (result) => results.push(result) });
  await drainWorkQueue(server.test, [task], signal);
}

interface Row {
  source_url: string;
  sha256: string | null;
  bytes: Buffer | null;
  width: number | null;
  height: number | null;
  media_type: string | null;
  problem: string | null;
}

async function rowOf(productId: string): Promise<Row | undefined> {
  return (await server.db.query<Row>('select * from product_pictures where product_id = $1', [productId])).rows[0];
}

interface Job {
  attempts: number;
  isGivenUp: boolean;
  /** Until the next attempt; 0 or less where it is due. */
  pauseSeconds: number;
}

/** What is still to be done about the picture of a product. */
async function jobOf(productId: string): Promise<Job | undefined> {
  const { rows } = await server.db.query<Job>(
    `select j.attempts, j.attempts >= j.max_attempts as "isGivenUp", extract(epoch from j.run_at - now())::float8 as "pauseSeconds"
     from graphile_worker.jobs j where j.key = 'product_picture:' || $1`,
    [productId],
  );
  return rows[0];
}

async function makeDue(productId: string): Promise<void> {
  await server.db.query(
    `select from graphile_worker.reschedule_jobs(
       array(select j.id from graphile_worker.jobs j where j.key = 'product_picture:' || $1), run_at => now())`,
    [productId],
  );
}

describe('the picture of a product', () => {
  it('is fetched, made small, and served from our own host for ever', async () => {
    files.set('/a.jpg', { type: 'image/jpeg', bytes: await plain({ width: 2_000, height: 1_500 }).jpeg().toBuffer() });
    const productId = await addProduct(`${SOURCE}/a.jpg`);
    await work();
    expect(results).toEqual(['stored']);
    const row = await rowOf(productId);
    expect(row).toMatchObject({ width: 640, height: 480, media_type: 'image/webp', problem: null });
    expect(await jobOf(productId)).toBeUndefined();
    expect(row?.sha256).toBe(
      createHash('sha256')
        .update(row?.bytes ?? '')
        .digest('hex'),
    );
    const path = picturePath(row?.sha256 ?? '');
    const answer = await app.inject(path);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'image/webp',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.rawPayload.equals(row?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(await sharp(answer.rawPayload).metadata()).toMatchObject({ format: 'webp', width: 640, height: 480 });
    const head = await app.inject({ method: 'HEAD', url: path });
    expect([head.statusCode, head.payload]).toEqual([200, '']);
    await work();
    expect(outside.requests).toEqual(['GET shop.test/a.jpg']);
  });

  it.each([
    `/-/pictures/${'0'.repeat(64)}.webp`,
    `/-/pictures/${'0'.repeat(64)}.jpg`,
    `/-/pictures/${'0'.repeat(64)}`,
    `/-/pictures/${'A'.repeat(64)}.webp`,
    '/-/pictures/..%2f..%2fetc%2fpasswd',
    '/-/pictures/%00.webp',
    '/-/pictures/',
    `/-/pictures/${'0'.repeat(64)}.webp/more`,
  ])('%s is a page that says so', async (url) => {
    const answer = await app.inject(url);
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(answer.payload).toContain('页面不存在');
  });

  it('of a new address takes the place of the old one, which is shown no more from that moment on', async () => {
    files.set('/old.png', { type: 'image/png', bytes: await plain({ width: 10, height: 10 }).png().toBuffer() });
    files.set('/new.png', { type: 'image/png', bytes: await plain({ width: 20, height: 10 }).png().toBuffer() });
    const productId = await addProduct(`${SOURCE}/old.png`);
    await work();
    const change = async (imageUrl: string | null) => brand.caller.patch(`/v1/products/${productId}`, { imageUrl });
    await change(`${SOURCE}/new.png`);
    expect(await rowOf(productId)).toMatchObject({
      source_url: `${SOURCE}/new.png`,
      sha256: null,
      bytes: null,
    });
    expect(await jobOf(productId)).toMatchObject({ attempts: 0 });
    await work();
    expect(await rowOf(productId)).toMatchObject({ width: 20, height: 10 });
    await brand.caller.patch(`/v1/products/${productId}`, { title: '别的' });
    await work();
    expect(outside.requests).toHaveLength(2);
    await change(null);
    expect(await rowOf(productId)).toBeUndefined();
    expect(await jobOf(productId)).toBeUndefined();
    await change(`${SOURCE}/old.png`);
    await work();
    expect(await rowOf(productId)).toMatchObject({ width: 10 });
  });

  it('that was asked for once is served from memory from then on, also to many at once', async () => {
    files.set('/m.png', { type: 'image/png', bytes: await plain({ width: 11, height: 7 }).png().toBuffer() });
    const productId = await addProduct(`${SOURCE}/m.png`);
    await work();
    const path = picturePath((await rowOf(productId))?.sha256 ?? '');
    const answers = await Promise.all(Array.from({ length: 20 }, async () => app.inject(path)));
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
    // Whoever has the page open still needs it, and Postgres may be away.
    await server.db.query('delete from product_pictures where product_id = $1', [productId]);
    expect((await app.inject(path)).rawPayload.equals(answers[0]?.rawPayload ?? Buffer.alloc(0))).toBe(true);
  });

  it('that comes when the product has another address by now is thrown away', async () => {
    const bytes = await plain({ width: 10, height: 10 }).png().toBuffer();
    const productId = await addProduct(`${SOURCE}/a.png`);
    outside.answer((_request, response) => {
      void (async () => {
        await brand.caller.patch(`/v1/products/${productId}`, { imageUrl: 'https://nobody.test/b.png' });
        response.writeHead(200, { 'content-type': 'image/png' }).end(bytes);
      })();
    });
    await work();
    expect(await rowOf(productId)).toMatchObject({ source_url: 'https://nobody.test/b.png', sha256: null });
    await makeDue(productId);
    await work();
    expect(await rowOf(productId)).toMatchObject({ problem: 'no_such_host', sha256: null });
  });

  it('is fetched by one of several workers', async () => {
    const bytes = await plain({ width: 10, height: 10 }).png().toBuffer();
    for (let n = 0; n < 12; n += 1) files.set(`/${n}.png`, { type: 'image/png', bytes });
    await Promise.all([...files.keys()].map(async (path) => addProduct(`${SOURCE}${path}`)));
    await Promise.all([work(), work(), work()]);
    expect(outside.requests).toHaveLength(12);
    expect(new Set(outside.requests).size).toBe(12);
    expect(results).toEqual(Array.from({ length: 12 }, () => 'stored'));
  });

  it('that a stopped worker had taken is given back and fetched by the next one, without counting as an attempt', async () => {
    files.set('/a.png', { type: 'image/png', bytes: await plain({ width: 10, height: 10 }).png().toBuffer() });
    const productId = await addProduct(`${SOURCE}/a.png`);
    const stop = new AbortController();
    outside.answer(() => stop.abort());
    await work(stop.signal);
    expect(results).toEqual([]);
    expect(await rowOf(productId)).toMatchObject({ problem: null, sha256: null });
    expect(await jobOf(productId)).toMatchObject({ attempts: 0 });
    expect(outside.requests).toHaveLength(1);
    outside.answer((_request, response) => response.writeHead(503).end());
    await work();
    expect(results).toEqual(['status_not_ok']);
    expect(await jobOf(productId)).toMatchObject({ attempts: 1 });
  });

  it('is fetched for a product that is saved by any way, and not where the transaction is rolled back', async () => {
    files.set('/a.png', { type: 'image/png', bytes: await plain({ width: 10, height: 10 }).png().toBuffer() });
    const productId = await addProduct(`${SOURCE}/a.png`);
    await work();
    const tx = await server.db.connect();
    await tx.query('begin');
    await tx.query('update products set image_url = $2 where id = $1', [productId, `${SOURCE}/b.png`]);
    await tx.query('rollback');
    tx.release();
    expect(await jobOf(productId)).toBeUndefined();
    await server.db.query('update products set image_url = $2 where id = $1', [productId, `${SOURCE}/b.png`]);
    expect(await jobOf(productId)).toMatchObject({ attempts: 0 });
    await work();
    expect(outside.requests).toEqual(['GET shop.test/a.png', 'GET shop.test/b.png']);
  });
});

describe('a picture that cannot be had', () => {
  it('for a trouble that may pass is tried again with growing pauses, and given up after 25 attempts', async () => {
    const productId = await addProduct(`${SOURCE}/busy.png`);
    outside.answer((_request, response) => response.writeHead(503).end());
    const pausesSeconds: number[] = [];
    for (let n = 0; n < 25; n += 1) {
      await makeDue(productId);
      await work();
      pausesSeconds.push(Math.round((await jobOf(productId))?.pauseSeconds ?? Number.NaN));
    }
    expect(outside.requests).toHaveLength(25);
    const expected = Array.from({ length: 25 }, (_, n) => Math.exp(Math.min(n + 1, 10)));
    // The pause began when the attempt failed; the look at it came up to two seconds later.
    for (const [n, seconds] of pausesSeconds.entries()) {
      expect(seconds).toBeLessThanOrEqual(Math.ceil(expected[n] ?? 0));
      expect(seconds).toBeGreaterThanOrEqual(Math.floor(expected[n] ?? 0) - 2);
    }
    expect(await rowOf(productId)).toMatchObject({ problem: 'status_not_ok', sha256: null });
    expect(await jobOf(productId)).toMatchObject({ attempts: 25, isGivenUp: true });
    await makeDue(productId);
    await work();
    expect(outside.requests).toHaveLength(25);
  });

  it('because of the network is tried again', async () => {
    const productId = await addProduct('https://nobody.test/a.png');
    await work();
    expect(results).toEqual(['no_such_host']);
    expect(await jobOf(productId)).toMatchObject({ attempts: 1, isGivenUp: false });
  });

  it('and was had at a later attempt shows no problem any more', async () => {
    const productId = await addProduct(`${SOURCE}/late.png`);
    outside.answer((_request, response) => response.writeHead(429).end());
    await work();
    expect(await rowOf(productId)).toMatchObject({ problem: 'status_not_ok' });
    const bytes = await plain({ width: 10, height: 10 }).png().toBuffer();
    outside.answer((_request, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(bytes));
    await makeDue(productId);
    await work();
    expect(await rowOf(productId)).toMatchObject({ problem: null, width: 10 });
    expect(await jobOf(productId)).toBeUndefined();
  });

  it.each([
    ['missing', `${SOURCE}/missing.png`, 'status_not_ok'],
    ['an address inside', 'https://10.0.0.1/a.png', 'address_refused'],
    ['an unusual port', 'https://shop.test:8443/a.png', 'address_refused'],
    ['a page', `${SOURCE}/page`, 'media_type_refused'],
    ['an SVG', `${SOURCE}/a.svg`, 'media_type_refused'],
    ['an SVG called PNG', `${SOURCE}/svg.png`, 'not_a_picture'],
    ['a file that breaks off', `${SOURCE}/torn.jpg`, 'not_a_picture'],
    ['nothing', `${SOURCE}/empty.png`, 'not_a_picture'],
    ['more than ten megabytes', `${SOURCE}/long.png`, 'too_large'],
    ['a bomb of 64 megapixels', `${SOURCE}/bomb.png`, 'not_a_picture'],
  ])('because it is %s says why, and is final', async (_what, imageUrl, problem) => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    );
    const jpeg = await noise(300, 300).jpeg().toBuffer();
    files.set('/page', { type: 'text/html', bytes: Buffer.from('<p>hello') });
    files.set('/a.svg', { type: 'image/svg+xml', bytes: svg });
    files.set('/svg.png', { type: 'image/png', bytes: svg });
    files.set('/torn.jpg', { type: 'image/jpeg', bytes: jpeg.subarray(0, jpeg.length / 2) });
    files.set('/empty.png', { type: 'image/png', bytes: Buffer.alloc(0) });
    files.set('/long.png', { type: 'image/png', bytes: Buffer.alloc(10 * 1024 * 1024 + 1) });
    if (imageUrl.includes('bomb')) {
      const bytes = await plain({ width: 8_000, height: 8_000 }).png({ compressionLevel: 9 }).toBuffer();
      files.set('/bomb.png', { type: 'image/png', bytes });
    }
    const productId = await addProduct(imageUrl);
    await work();
    expect(results).toEqual([problem]);
    expect(await rowOf(productId)).toMatchObject({ problem, sha256: null, bytes: null });
    expect(await jobOf(productId)).toBeUndefined();
  });
});

describe('making a picture small', () => {
  const shrunk = async (source: Promise<Buffer>) => {
    const result = await shrinkPicture(await source);
    if (!result.ok) throw new Error(result.problem);
    expect(result.picture.bytes.length).toBeLessThanOrEqual(MAX_PICTURE_BYTES);
    const { width, height, format } = await sharp(result.picture.bytes).metadata();
    expect([width, height, format]).toEqual([result.picture.width, result.picture.height, 'webp']);
    return result.picture;
  };

  it.each([
    [2_000, 1_500, 640, 480],
    [640, 640, 640, 640],
    [100, 50, 100, 50],
    [800, 8_000, 128, 1_280],
    [5_000, 10, 640, 1],
    [1, 1, 1, 1],
  ])('%i × %i becomes %i × %i', async (width, height, smallWidth, smallHeight) => {
    const picture = await shrunk(plain({ width, height }).png().toBuffer());
    expect([picture.width, picture.height]).toEqual([smallWidth, smallHeight]);
  });

  it('keeps what is transparent, and of what moves the first frame', async () => {
    const clear = await shrunk(plain({ width: 50, height: 50, channels: 4 }).png().toBuffer());
    expect((await sharp(clear.bytes).metadata()).hasAlpha).toBe(true);
    const frames = [plain({ width: 30, height: 20 }), noise(30, 20)].map(async (frame) => frame.png().toBuffer());
    const moving = await sharp(await Promise.all(frames), { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await sharp(moving, { animated: true }).metadata()).pages).toBe(2);
    const still = await shrunk(Promise.resolve(moving));
    expect([still.width, still.height]).toEqual([30, 20]);
  });

  it('turns it upright and leaves out everything that tells where and by whom it was taken', async () => {
    const source = await plain({ width: 80, height: 40 })
      .withExif({ IFD0: { Copyright: 'a name', Orientation: '6' }, IFD3: { GPSLatitude: '31/1 13/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect((await sharp(source).metadata()).orientation).toBe(6);
    const picture = await shrunk(Promise.resolve(source));
    expect([picture.width, picture.height]).toEqual([40, 80]);
    const { exif, icc, xmp, iptc, orientation } = await sharp(picture.bytes).metadata();
    expect([exif, icc, xmp, iptc, orientation]).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it('gives up quality, then size, until it fits: the worst picture there is still does', async () => {
    const picture = await shrunk(noise(1_280, 2_560).jpeg({ quality: 100 }).toBuffer());
    expect(picture.width).toBeGreaterThanOrEqual(160);
  });
});
