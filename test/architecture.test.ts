import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * The architecture, as rules a machine checks: who may import whom, who writes which table, where SQL and the environment may be read,
 * what the pure core may not touch. A rule that no longer fits is changed here, in the same commit, with the reason
 * in `docs/adr` where it is one of the whole program.
 */
const SRC = join(import.meta.dirname, '..', 'src');
const FEATURES = ['catalog', 'links', 'visits', 'clicks', 'orders', 'commissions', 'ledger'] as const;

const MAY_IMPORT: Record<string, readonly string[]> = {
  core: ['core'],
  platforms: ['core', 'platforms'],
  infra: ['infra'],
  audit: ['audit', 'access', 'http', 'infra', 'core'],
  http: ['http', 'infra', 'core'],
  access: ['access', 'http', 'audit', 'infra', 'core'],
  local: ['local', 'infra', 'http', 'platforms', 'core'],
};
const FEATURES_MAY_IMPORT = new Set(['core', 'platforms', 'http', 'access', 'audit', 'infra']);

/** The calls between features, each with its reason. */
const CROSS_FEATURE: Record<string, string> = {
  'catalog -> commissions/terms/add-terms.ts':
    'a product brings its commission as a version of terms, in one transaction',
  'clicks -> links/resolve.ts': 'a click is made of a resolved link',
  'commissions -> ledger/positions/queries.ts': 'the difference to what is booked is posted',
  'commissions -> ledger/verify/report.ts':
    'the proof that lines are booked as their facts say is a check of the same report',
  'commissions -> ledger/post/post-entries.ts': 'what a line earns is posted',
  'commissions -> orders/locks.ts': 'releases, holds and repricing lock orders as the intake does',
  'orders -> commissions/pricing/book-lines.ts':
    'what an order earns is booked in the transaction that records the order',
  'orders -> commissions/pricing/price-lines.ts':
    'what an order earns is priced in the transaction that records the order',
  'orders -> commissions/pricing/queries.ts': 'what is priced and booked of known lines',
  'orders -> ledger/positions/queries.ts': 'the difference to what is booked is posted',
  'orders -> ledger/post/post-entries.ts': 'the entries of a decision',
  'orders -> commissions/terms/rate-cards.ts': 'the attribution window is a term',
  'orders -> commissions/terms/split-queries.ts': 'who shares is read in the round trip that reads the rate cards',
  'visits -> clicks/capture/make-click.ts':
    'a visit through a link is a click: what the request says of it, and its id',
  'visits -> clicks/capture/stream-producer.ts': 'a visitor is answered once the click is durable',
  'visits -> clicks/metrics.ts': 'how visits were answered is counted beside the clicks',
  'visits -> clicks/steps/metrics.ts': 'steps on the middle page are counted',
  'visits -> clicks/steps/step-recorder.ts': 'steps on the middle page are recorded',
  'visits -> links/find-link.ts': 'the preview and the QR code show a published link',
  'visits -> links/fallback/find-fallback.ts': 'a visitor of a dead link is sent where its brand chose',
  'visits -> links/kit/qr-picture.ts': 'the QR code of a link is public',
  'visits -> links/resolve.ts': 'a redirect is the resolved link plus a click id',
};

const WRITERS: Record<string, string> = {
  payees: 'catalog',
  brands: 'catalog',
  brand_policies: 'catalog',
  influencers: 'catalog',
  influencer_agencies: 'catalog',
  stores: 'catalog',
  store_assessments: 'catalog',
  products: 'catalog',
  product_item_keys: 'catalog',
  product_pictures: 'catalog',
  destination_checks: 'catalog',
  api_keys: 'access',
  idempotency_keys: 'http',
  audit_log: 'audit',
  schema_migrations: 'infra',
  work_queue_workers: 'infra',
  links: 'links',
  entry_domains: 'links',
  link_codes: 'links',
  landing_mode_overrides: 'links',
  tracking_slot_owners: 'links',
  tracking_slots: 'links',
  coupon_owners: 'links',
  coupons: 'links',
  clicks: 'clicks',
  click_rollups: 'clicks',
  visitor_day_keys: 'clicks',
  click_dead_letters: 'clicks',
  click_watermarks: 'clicks',
  click_spools: 'clicks',
  click_workers: 'clicks',
  click_leases: 'clicks',
  click_writers: 'clicks',
  click_visits: 'clicks',
  click_steps: 'clicks',
  step_rollups: 'clicks',
  inbox_messages: 'orders',
  raw_messages: 'orders',
  message_conflicts: 'orders',
  orders: 'orders',
  order_events: 'orders',
  order_lines: 'orders',
  attributions: 'orders',
  line_decisions: 'orders',
  terms: 'commissions',
  priced_lines: 'commissions',
  journal_entries: 'ledger',
  entry_lines: 'ledger',
  postings: 'ledger',
  entry_seals: 'ledger',
  seal_queue: 'ledger',
  sealer_state: 'ledger',
};

interface SourceFile {
  path: string;
  folder: string;
  text: string;
  imports: string[];
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

const files: SourceFile[] = listFiles(SRC).map((file) => {
  const path = relative(SRC, file);
  const text = readFileSync(file, 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '');
  return {
    path,
    folder: path.includes('/') ? (path.split('/')[0] ?? '') : '',
    text,
    imports: specifiers.map((specifier) => relative(SRC, join(dirname(file), specifier))),
  };
});
const inFolder = (folder: string): SourceFile[] => files.filter((file) => file.folder === folder);
/** The text of template literals that hold SQL. */
const SQL_TEXT =
  /[=(:,]\s*`\s*(?:--[^\n]*\n\s*)*(?:select|insert|update|delete|with|copy|create|alter|lock|notify)\b[^`]*`/gi;
const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');

describe('imports', () => {
  it('there is something to check', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap((file) => file.imports).length).toBeGreaterThan(100);
  });

  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    it(`${folder} imports only ${allowed.join(', ')}`, () => {
      const strays = inFolder(folder).flatMap(({ path, imports }) =>
        imports
          .filter((target) => !allowed.includes(target.split('/')[0] ?? ''))
          .map((target) => `${path} -> ${target}`),
      );
      expect(strays).toEqual([]);
    });
  }

  it('a feature reaches into another one only by the calls listed here, and every listed call is used', () => {
    const crossings = FEATURES.flatMap((feature) =>
      inFolder(feature).flatMap(({ imports }) =>
        imports
          .filter((target) => {
            const folder = target.split('/')[0] ?? '';
            return folder !== feature && !FEATURES_MAY_IMPORT.has(folder);
          })
          .map((target) => `${feature} -> ${target}`),
      ),
    );
    expect([...new Set(crossings)].toSorted()).toEqual(Object.keys(CROSS_FEATURE).toSorted());
  });

  it('nobody imports app.ts, jobs.ts, main.ts or a command but the commands', () => {
    const strays = files
      .filter(({ folder }) => folder !== 'cli' && folder !== '')
      .flatMap(({ path, imports }) =>
        imports
          .filter((target) => !target.includes('/') || target.startsWith('cli/'))
          .map((target) => `${path} -> ${target}`),
      );
    expect(strays).toEqual([]);
  });
});

describe('import circles', () => {
  /** One circle of imports as a path, or none. Depth first; a file on the current path that is met again closes a circle. */
  function findCircle(importsOf: (path: string) => readonly string[]): string[] {
    const done = new Set<string>();
    const visit = (path: string, above: readonly string[]): string[] => {
      if (above.includes(path)) return [...above.slice(above.indexOf(path)), path];
      if (done.has(path)) return [];
      for (const target of importsOf(path)) {
        const circle = visit(target, [...above, path]);
        if (circle.length > 0) return circle;
      }
      done.add(path);
      return [];
    };
    for (const { path } of files) {
      const circle = visit(path, []);
      if (circle.length > 0) return circle;
    }
    return [];
  }

  it('are found by this check', () => {
    const graph: Record<string, string[]> = { a: ['b'], b: ['c'], c: ['b'] };
    const [first = ''] = files.map(({ path }) => path);
    expect(findCircle((path) => graph[path] ?? (path === first ? ['a'] : []))).toEqual(['b', 'c', 'b']);
  });

  it('do not exist: neither of loaded code, nor of types, nor of code that is loaded when it is needed', () => {
    const importsOf = new Map(files.map(({ path, imports }) => [path, imports]));
    expect(findCircle((path) => importsOf.get(path) ?? [])).toEqual([]);
  });
});

describe('what a process loads', () => {
  /** What is loaded with a file: all it imports, and what those import; not what is only a type, or imported when it is needed. */
  function loadedWith(path: string): Set<string> {
    const loaded = new Set([path]);
    for (const each of loaded) {
      const text = files.find((file) => file.path === each)?.text ?? '';
      for (const [, specifier = ''] of text.matchAll(/^(?:import|export) (?!type\b)[^;]*?from '(\.[^']+)'/gm)) {
        loaded.add(relative(SRC, join(dirname(join(SRC, each)), specifier)));
      }
    }
    return loaded;
  }

  it('one that only redirects has nothing of the API in memory, nor of the worker', () => {
    const loaded = [...loadedWith('cli/redirect.ts')];
    expect(loaded).toContain('visits/answer-visit.ts');
    const strays = loaded.filter(
      (path) => /^(?:orders|commissions|ledger)\//.test(path) || ['app.ts', 'jobs.ts', 'http/docs.ts'].includes(path),
    );
    expect(strays).toEqual([]);
  });

  it('a server has nothing of the worker in memory, nor a worker of the server', () => {
    expect([...loadedWith('cli/serve.ts')]).not.toContain('jobs.ts');
    expect([...loadedWith('cli/worker.ts')]).not.toContain('app.ts');
  });

  it('the library of the work queue is loaded by the worker, and never by a process that only serves or redirects', () => {
    const loadsLibrary = (path: string): boolean =>
      [...loadedWith(path)].some((each) =>
        /^(?:import|export) (?!type\b)[^;]*?from 'graphile-worker'/m.test(
          files.find((file) => file.path === each)?.text ?? '',
        ),
      );
    expect(['cli/worker.ts', 'cli/start.ts'].filter(loadsLibrary)).toEqual(['cli/worker.ts', 'cli/start.ts']);
    expect(['cli/redirect.ts', 'cli/serve.ts', 'main.ts'].filter(loadsLibrary)).toEqual([]);
    // Enqueuing is SQL, so the features that do it load it not either.
    expect([...loadedWith('cli/serve.ts')]).toContain('infra/work-queue.ts');
  });
});

describe('the pure core', () => {
  const FORBIDDEN =
    /\basync\b|\bawait\b|Date\.now\(|new Date\(\)|Math\.random|process\.|setTimeout|console\.|performance\./;

  it('has no clock, no randomness, no I/O and nothing asynchronous', () => {
    const strays = inFolder('core').filter(({ text }) => FORBIDDEN.test(withoutComments(text)));
    expect(strays.map(({ path }) => path)).toEqual([]);
  });

  it('imports no package, and of Node only assert and a checksum', () => {
    const packages = inFolder('core').flatMap(({ path, text }) =>
      [...text.matchAll(/from '([^.'][^']*)'/g)]
        .map((match) => match[1])
        .filter((name) => name !== 'node:assert/strict' && !(name === 'node:zlib' && path === 'clicks/spool/frame.ts'))
        .map((name) => `${path} -> ${name}`),
    );
    expect(packages).toEqual([]);
  });
});

describe('SQL', () => {
  it('is written without interpolation, so no value can become SQL', () => {
    const strays = files.flatMap(({ path, text }) =>
      [...text.matchAll(SQL_TEXT)].filter(([sql]) => sql.includes('${')).map(([sql]) => `${path}: ${sql.slice(0, 80)}`),
    );
    expect(strays).toEqual([]);
  });

  it('stands in queries files, except for the locks of orders and what infra and local need to run a database', () => {
    const strays = files
      .filter(
        ({ folder, path }) =>
          !['infra', 'local'].includes(folder) && !path.endsWith('queries.ts') && path !== 'orders/locks.ts',
      )
      .filter(({ text }) => SQL_TEXT.test(withoutComments(text)) || /\.query\(/.test(withoutComments(text)))
      .map(({ path }) => path);
    expect(strays).toEqual([]);
  });

  it('each table is written by one feature only', () => {
    const writes = files.flatMap(({ path, folder, text }) =>
      [
        ...withoutComments(text).matchAll(
          /\b(?:insert\s+into|update|delete\s+from|truncate|copy)\s+(?:only\s+)?([a-z_]+)/g,
        ),
      ]
        .map((match) => match[1] ?? '')
        .filter((table) => Object.hasOwn(WRITERS, table))
        .map((table) => ({ path, folder, table })),
    );
    expect(writes.length).toBeGreaterThan(30);
    const strays = writes.filter(({ folder, table }) => WRITERS[table] !== folder);
    expect(strays.map(({ path, table }) => `${path} writes ${table}, which belongs to ${WRITERS[table]}`)).toEqual([]);
  });

  it('every table of the migrations has a writer named here', () => {
    const migrations = join(SRC, '..', 'migrations');
    const tables = readdirSync(migrations)
      .filter((name) => name !== 'schema.sql')
      .flatMap((name) =>
        [...readFileSync(join(migrations, name), 'utf8').matchAll(/^create table ([a-z_]+)/gm)].map(
          (match) => match[1] ?? '',
        ),
      );
    expect(tables.length).toBeGreaterThan(45);
    // Triggers alone write these, so that no path forgets them.
    expect(tables.filter((table) => !Object.hasOwn(WRITERS, table)).toSorted()).toEqual([
      'status_changes',
      'unbalanced_entries',
    ]);
  });
});

describe('servers elsewhere', () => {
  /** The demo talks to daihuo itself, at the address its caller names. */
  const MAY_ASK = ['infra/guarded-request.ts', 'local/demo/api.ts'];

  it('receive guarded requests only', () => {
    // A guarded request takes an object, the function of the platform an address.
    const ASKS = /(?<![.\w])fetch\((?!\{)|https?\.(?:request|get)\(|from '(?:node:)?(?:https|http2|undici)'/;
    const strays = files.filter(({ path, text }) => ASKS.test(withoutComments(text)) && !MAY_ASK.includes(path));
    expect(strays.map(({ path }) => path)).toEqual([]);
    expect(
      files
        .filter(({ text }) => ASKS.test(withoutComments(text)))
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(MAY_ASK.toSorted());
  });

  it('are real ones: the program never gives the guarded request a network made for tests', () => {
    const strays = files.filter(
      ({ path, text }) => path !== 'infra/guarded-request.ts' && /testNetwork|TestNetwork/.test(text),
    );
    expect(strays.map(({ path }) => path)).toEqual([]);
  });
});

describe('habits', () => {
  it('members that Node and packages do not document stand in files of their own, which name the version they were checked against', () => {
    // `_zod` is documented, for libraries that read schemas.
    const strays = files.filter(
      ({ path, text }) =>
        !['http/undocumented-members.ts', 'infra/ioredis-timeouts.ts'].includes(path) &&
        /\w\??\._(?!zod\b)[a-z]/i.test(withoutComments(text)),
    );
    expect(strays.map(({ path }) => path)).toEqual([]);
    const DRIVER_SOCKET = /connection\??\.stream|from 'pg\/|extends Query\b/;
    const dips = files.filter(({ text }) => DRIVER_SOCKET.test(withoutComments(text)));
    expect(dips.map(({ path }) => path)).toEqual(['infra/pg-connection.ts']);
  });

  it('the environment is read in one file', () => {
    const strays = files.filter(
      ({ path, text }) => path !== 'infra/config.ts' && /process\.env/.test(withoutComments(text)),
    );
    // main.ts hands the environment over; it reads nothing of it itself.
    expect(strays.map(({ path }) => path).filter((path) => path !== 'main.ts')).toEqual([]);
  });

  it('no file has a name that says nothing', () => {
    const FORBIDDEN_NAMES = /(^|\/)(utils?|helpers?|common|types|index|service|manager|repository|lib|misc)\.ts$/;
    expect(files.filter(({ path }) => FORBIDDEN_NAMES.test(path)).map(({ path }) => path)).toEqual([]);
  });

  it('no file is longer than 300 lines: a longer one has two jobs', () => {
    expect(files.filter(({ text }) => text.split('\n').length > 301).map(({ path }) => path)).toEqual([]);
  });

  it('the decoder of pictures is loaded by whoever decodes one, and never with the program: it takes 20 MB', () => {
    const imports = files.flatMap(({ path, text }) =>
      [...text.matchAll(/^import .*from 'sharp'|import\('sharp'\)/gm)].map(([found]) => ({ path, found })),
    );
    expect(imports.map(({ path }) => path)).toContain('catalog/products/pictures/shrink-picture.ts');
    expect(imports.filter(({ found }) => !/^import(?: type |\()/.test(found))).toEqual([]);
  });

  it('nothing is exported by default', () => {
    expect(files.filter(({ text }) => /^export default/m.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
