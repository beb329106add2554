import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MIGRATIONS_FOLDER, migrate } from '../../src/infra/migrate.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

const MIGRATION = '0009_pictures_and_checks.sql';
let test: TestDatabase;
let folder: string;

beforeAll(async () => {
  test = await createTestDatabase({ isEmpty: true });
  folder = await mkdtemp(path.join(os.tmpdir(), 'daihuo-before-pictures-'));
});
afterAll(async () => {
  await test.drop();
  await rm(folder, { recursive: true });
});

const copy = async (name: string): Promise<void> =>
  copyFile(path.join(MIGRATIONS_FOLDER, name), path.join(folder, name));

it('a database of before has its pictures fetched after the upgrade: each product with an image_url once, the others never', async () => {
  const before = (await readdir(MIGRATIONS_FOLDER)).filter((name) => name < MIGRATION);
  await Promise.all(before.map(copy));
  await migrate(test.db, folder);
  const source = 'https://img.example.com/a.jpg';
  await test.db.query(`insert into brands (id, name) values ('brd_1', '好物')`);
  await test.db.query(
    `insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
     values ('str_1', 'brd_1', 'taobao', '1', '好物店', 'shop', '\\x00')`,
  );
  await test.db.query(
    `insert into products (id, brand_id, store_id, title, url, price_fen, image_url)
     select p.id, 'brd_1', 'str_1', '杯子', 'https://item.taobao.com/item.htm?id=' || p.id, 19900, p.image_url
     from (values ('prd_1', $1), ('prd_2', null)) as p (id, image_url)`,
    [source],
  );
  await copy(MIGRATION);
  expect(await migrate(test.db, folder)).toEqual({ applied: [MIGRATION] });
  const { rows } = await test.db.query(
    `select product_id as "productId", brand_id as "brandId", source_url as source, sha256, tries, next_try_at <= now() as "isDue"
     from product_pictures`,
  );
  expect(rows).toEqual([{ productId: 'prd_1', brandId: 'brd_1', source, sha256: null, tries: 0, isDue: true }]);
});
