import type { Db } from '../../src/infra/db.ts';

// In a schema of its own, so that it is not among the tables it watches. The triggers run once a statement and commit or vanish with it,
// so an unchanged count proves that nothing was written; a changed one may still be a statement that met no row.
const INSTALL = `
create schema abuse;
create table abuse.writes (table_name text not null, operation text not null);
create function abuse.note_write() returns trigger language plpgsql as $$
begin
  insert into abuse.writes values (tg_table_name, tg_op);
  return null;
end $$;
create function abuse.fingerprint() returns table (table_name text, digest text) language plpgsql as $$
declare
  watched record;
begin
  for watched in
    select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname
  loop
    table_name := watched.relname;
    execute format('select md5(coalesce(string_agg(t::text, e''\\n'' order by t::text collate "C"), '''')) from public.%I t', watched.relname)
      into digest;
    return next;
  end loop;
end $$;
do $$
declare
  watched record;
begin
  for watched in
    select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  loop
    execute format('create trigger abuse_note_write after insert or update or delete on public.%I for each statement execute function abuse.note_write()', watched.relname);
  end loop;
end $$;`;

/** Makes the database remember which statements wrote, so that asking "did anything change?" after every request is cheap. */
export async function watchWrites(db: Db): Promise<void> {
  await db.query(INSTALL);
}

/** One digest of all rows for each table. */
export async function fingerprint(db: Db): Promise<Record<string, string>> {
  const { rows } = await db.query<{ table: string; digest: string }>(
    'select f.table_name as "table", f.digest from abuse.fingerprint() f',
  );
  return Object.fromEntries(rows.map(({ table, digest }) => [table, digest]));
}

/** How many statements have committed that wrote, or could have. */
export async function countWrites(db: Db): Promise<number> {
  const { rows } = await db.query<{ writes: number }>('select count(*)::integer as "writes" from abuse.writes');
  return rows[0]?.writes ?? 0;
}
