import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertBrand } from '../support/market.ts';

/** What the schema promises as a whole, whatever tables are added later. */
let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => test.drop());

const rowsOf = async (sql: string): Promise<Record<string, unknown>[]> => (await test.db.query(sql)).rows;

describe('the schema', () => {
  it('never lets a row point into another brand: where both tables have brand_id, the foreign key compares it', async () => {
    const strays = await rowsOf(`
      select c.conrelid::regclass::text as "table", c.conname as "constraint"
      from pg_constraint c
      join pg_attribute own on own.attrelid = c.conrelid and own.attname = 'brand_id'
      join pg_attribute target on target.attrelid = c.confrelid and target.attname = 'brand_id'
      where c.contype = 'f' and c.conparentid = 0
        and not (own.attnum = any (c.conkey) and target.attnum = any (c.confkey))`);
    expect(strays).toEqual([]);
  });

  // Not owned by a brand, although a brand is named: a code and a click belong to their link, counts to the link's number.
  const GLOBAL_TABLES = ['link_codes', 'clicks', 'click_rollups', 'click_steps', 'step_rollups'];

  it('begins every key of a table that a brand owns with brand_id, so that it can be distributed or guarded by brand', async () => {
    const strays = await rowsOf(`
      select r.relname as "table", i.relname as "key"
      from pg_index x
      join pg_class i on i.oid = x.indexrelid
      join pg_class r on r.oid = x.indrelid
      join pg_attribute own on own.attrelid = r.oid and own.attname = 'brand_id' and own.attnotnull
      where r.relnamespace = 'public'::regnamespace and not r.relispartition
        and r.relname <> all ('{${GLOBAL_TABLES.join(',')}}')
        and (x.indisunique or x.indisexclusion) and x.indkey[0] <> own.attnum
      order by i.relname`);
    // A shop belongs to one brand at a time; a click id holds nothing of its link but the number.
    expect(strays.map(({ key }) => key)).toEqual(['links_number_key', 'stores_active_shop_key']);
  });

  it('begins every foreign key between tables with brand_id by it', async () => {
    const strays = await rowsOf(`
      select c.conname as "constraint"
      from pg_constraint c
      join pg_attribute own on own.attrelid = c.conrelid and own.attname = 'brand_id'
      join pg_attribute target on target.attrelid = c.confrelid and target.attname = 'brand_id'
      where c.contype = 'f' and c.conparentid = 0 and (c.conkey[1] <> own.attnum or c.confkey[1] <> target.attnum)`);
    expect(strays).toEqual([]);
  });

  it('compares brand_id in a good number of foreign keys, so the rule above is not empty', async () => {
    const keys = await rowsOf(`
      select c.conname from pg_constraint c
      join pg_attribute own on own.attrelid = c.conrelid and own.attname = 'brand_id'
      where c.contype = 'f' and own.attnum = any (c.conkey) and array_length(c.conkey, 1) > 1`);
    expect(keys.length).toBeGreaterThan(25);
  });

  it('keeps moments as timestamptz, and money as bigint named _fen', async () => {
    const strays = await rowsOf(`
      select c.table_name, c.column_name, c.data_type from information_schema.columns c
      where c.table_schema = 'public'
        and (c.data_type = 'timestamp without time zone'
          or (c.column_name like '%\\_fen' and c.data_type <> 'bigint')
          or (c.column_name like '%\\_at' and c.data_type <> 'timestamp with time zone')
          or (c.column_name like '%\\_bp' and c.data_type <> 'integer')
          or c.data_type in ('real', 'double precision', 'money', 'character varying'))`);
    expect(strays).toEqual([]);
  });

  it('names every constraint after its table', async () => {
    const strays = await rowsOf(`
      select r.relname as "table", c.conname as "constraint"
      from pg_constraint c join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace
      where n.nspname = 'public' and c.contype <> 'n' and c.conparentid = 0 and not r.relispartition
        and c.conname not like r.relname || '%'`);
    expect(strays).toEqual([]);
  });

  it.each([
    'clicks',
    'inbox_messages',
    'order_events',
    'journal_entries',
    'entry_lines',
    'postings',
    'entry_seals',
    'audit_log',
  ])('refuses to empty %s', async (table) => {
    const statements: Record<string, string> = {
      clicks: 'truncate clicks cascade',
      inbox_messages: 'truncate inbox_messages cascade',
      order_events: 'truncate order_events cascade',
      journal_entries: 'truncate journal_entries cascade',
      entry_lines: 'truncate entry_lines cascade',
      postings: 'truncate postings cascade',
      entry_seals: 'truncate entry_seals cascade',
      audit_log: 'truncate audit_log cascade',
    };
    await expect(test.db.query(statements[table] ?? '')).rejects.toThrow('append-only');
  });

  it('a journal that does not balance is refused at COMMIT', async () => {
    const tx = await test.db.connect();
    try {
      await tx.query('begin');
      await insertBrand(tx, { brandId: 'brd_1' });
      await tx.query("insert into journal_entries (id, brand_id, kind) values ('jrn_1', 'brd_1', 'booking')");
      await tx.query(`insert into postings (entry_id, position, brand_id, payee_id, account, amount_fen)
        values ('jrn_1', 1, 'brd_1', 'pye_operator', 'brand_owes', 2985), ('jrn_1', 2, 'brd_1', 'pye_operator', 'pending', -2984)`);
      await expect(tx.query('commit')).rejects.toThrow('does not balance');
    } finally {
      tx.release(true);
    }
    expect(await rowsOf('select id from journal_entries')).toEqual([]);
  });

  it('an entry once written can be neither changed nor deleted', async () => {
    await insertBrand(test.db, { brandId: 'brd_2' });
    await test.db.query("insert into journal_entries (id, brand_id, kind) values ('jrn_2', 'brd_2', 'booking')");
    await expect(test.db.query("update journal_entries set kind = 'release'")).rejects.toThrow('append-only');
    await expect(test.db.query('delete from journal_entries')).rejects.toThrow('append-only');
  });
});
