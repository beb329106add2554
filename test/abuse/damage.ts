/** Breaks one thing of a request that would succeed. */
import * as fc from 'fast-check';
import { urlOf, type Wire, wireOf } from './client.ts';
import { alike, hostileCursor, hostileJson, hostileText, RawJson, toJson } from './hostile-values.ts';
import type { Caller, Market } from './market.ts';
import type { Example, ExampleRequest } from './routes.ts';

/** What to break and with what; which of these an example has room for is looked up when it is applied. */
export interface Damage {
  part: number;
  place: number;
  json: unknown;
  text: string;
  cursor: string;
}

export const damage: fc.Arbitrary<Damage> = fc.record({
  part: fc.nat(),
  place: fc.nat(),
  json: hostileJson,
  text: hostileText,
  cursor: hostileCursor,
});

type Path = readonly (string | number)[];
interface Target {
  market: Market;
  example: Example;
  caller: Caller;
  request: ExampleRequest;
}
type Breaker = (target: Target, damage: Damage) => Wire;

const EXTRA_NAMES = ['id', 'brandId', 'influencerId', 'role', 'status', 'createdAt', 'constructor', '版本', '', 'x\0'];

const BODIES: readonly ((json: string) => string | Buffer)[] = [
  () => '',
  () => 'null',
  () => '[]',
  () => '"text"',
  () => 'NaN',
  () => '{}',
  () => '{"a"',
  () => ' ',
  () => '[['.repeat(100_000),
  (json) => `\ufeff${json}`,
  (json) => `${json}}`,
  (json) => json.slice(0, -1),
  (json) => `[${json}]`,
  (json) => `${json}\0`,
  (json) => json.replaceAll('"', "'"),
  (json) => json.replace('{', '{"__proto__":{"role":"admin"},'),
  (json) => json.replace('{', '{"constructor":{"prototype":{"role":"admin"}},'),
  (json) => Buffer.from(json, 'utf16le'),
  (json) => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from([0x2c, 0x22, 0xff, 0xc0, 0x80, 0x22, 0x7d])]),
  (json) => `${json.slice(0, -1)},"padding":"${'x'.repeat(1_100_000)}"}`,
];

const HEADERS: readonly Record<string, string>[] = [
  ...[
    '',
    'text/plain',
    'application/json; charset=utf-16',
    'application/json\t;',
    'APPLICATION/JSON',
    'application/jsonx',
  ].map((type) => ({ 'content-type': type })),
  ...['multipart/form-data', 'application/x-www-form-urlencoded', 'application/xml', ';'].map((type) => ({
    'content-type': type,
  })),
  ...['text/csv', 'text/csv;q=1e400', 'text/csv;q=x', '*/*', ',,;;q=', 'application/xml'].map((accept) => ({ accept })),
  ...['', ' ', 'x'.repeat(256), 'a b', 'constructor', '__proto__'].map((key) => ({ 'idempotency-key': key })),
  ...[
    'Bearer',
    'Bearer ',
    'Basic eDp5',
    `Bearer dh_admin_${'x'.repeat(43)}`,
    `Bearer dh_brand_${'='.repeat(43)}`,
    'Bearer a, b',
  ].map((authorization) => ({ authorization })),
  { 'x-http-method-override': 'DELETE' },
  { 'x-forwarded-for': "'; drop table brands; --" },
  { range: 'bytes=5-' },
  { 'if-none-match': '*' },
  { 'content-encoding': 'gzip' },
  { 'user-agent': '\u001b[31m\u00ff' },
  { cookie: '='.repeat(2_000) },
  { 'webhook-id': '' },
  { 'webhook-timestamp': '1e400' },
  { 'webhook-signature': 'v1,' },
  { 'event-sign': 'x' },
];

const METHODS = ['PUT', 'DELETE', 'PATCH', 'POST', 'GET', 'HEAD', 'OPTIONS', 'TRACE'];

const SEGMENTS = [
  '%',
  '%zz',
  '%00',
  '%2e%2e',
  '%2F',
  '%5C',
  '%C0%AF',
  '%ff%fe',
  '%ED%A0%80',
  '..',
  ';x',
  '%0d%0aX:%20y',
  '',
];
const QUERIES = [
  '%zz=%',
  '__proto__=1',
  'constructor[prototype]=1',
  '=',
  '&&&',
  'limit=%00',
  'a=%ED%A0%80',
  '%00=1',
  'x[]=1',
  '#',
];

/** Percent encoding that also takes halves of surrogate pairs. */
export function percent(text: string): string {
  return Array.from(text)
    .map((character) => (character.isWellFormed() ? encodeURIComponent(character) : '%ED%A0%80'))
    .join('');
}

function pick<T>(from: readonly T[], at: number): T {
  const found = from[at % from.length];
  if (found === undefined) throw new Error('nothing to choose from');
  return found;
}

/** The places of all values, the whole first. */
export function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => pathsIn(inner, [...path, name]))];
}

/** A copy in which the value at the path is another one; undefined leaves it out. */
export function withValueAt(value: unknown, path: Path, change: (old: unknown) => unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return change(value);
  const entries = Object.entries(value as object).map(([key, inner]): [string, unknown] => [
    key,
    key === String(name) ? withValueAt(inner, rest, change) : inner,
  ]);
  const kept = entries.filter(([, inner]) => inner !== undefined);
  return Array.isArray(value) ? kept.map(([, inner]) => inner) : Object.fromEntries(kept);
}

function withBody(target: Target, value: unknown): Wire {
  return wireOf(target.market, target.example, { ...target, bodyText: toJson(value) });
}

const bodyBreakers: Breaker[] = [
  (target, { part, place }) => {
    const paths = pathsIn(target.request.body).filter((path) => path.length > 0);
    if (paths.length === 0) return withBody(target, {});
    return withBody(
      target,
      withValueAt(target.request.body, pick(paths, place), (old) => alike(old, part >> 8)),
    );
  },
  (target, { place, json }) => {
    const paths = pathsIn(target.request.body);
    return withBody(
      target,
      withValueAt(target.request.body, pick(paths, place), () => json),
    );
  },
  (target, { place, json }) => {
    const leaves = pathsIn(target.request.body).filter((path) => path.length > 0);
    if (leaves.length === 0) return withBody(target, json);
    return withBody(
      target,
      withValueAt(target.request.body, pick(leaves, place), () => undefined),
    );
  },
  (target, { place, json }) => {
    const name = pick(EXTRA_NAMES, place);
    return withBody(target, { ...target.request.body, [name]: json });
  },
  (target, { place }) => {
    const paths = pathsIn(target.request.body);
    return withBody(
      target,
      withValueAt(target.request.body, pick(paths, place), (old) => [old]),
    );
  },
  // The same name twice: first as it should be, then otherwise.
  (target, { place, json }) => {
    const names = Object.keys(target.request.body ?? {});
    const whole = toJson(target.request.body ?? {}).slice(0, -1);
    const name = names.length === 0 ? 'name' : pick(names, place);
    return withBody(
      target,
      new RawJson(`${whole}${names.length === 0 ? '' : ','}${JSON.stringify(name)}:${toJson(json)}}`),
    );
  },
  (target, { place }) => {
    const bodyText = pick(BODIES, place)(toJson(target.request.body ?? {}));
    return wireOf(target.market, target.example, { ...target, bodyText });
  },
];

const pathOf = (target: Target): string => urlOf({ path: target.request.path });
const withUrl = (target: Target, url: string): Wire => ({ ...wireOf(target.market, target.example, target), url });
const queryOf = (query: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);

const urlBreakers: Breaker[] = [
  (target, { place, text }) => {
    const parts = target.request.path.split('/');
    const at = 1 + (place % (parts.length - 1));
    const segment = place % 3 === 0 ? pick(SEGMENTS, place) : percent(text);
    return withUrl(target, `${parts.with(at, segment).join('/')}?${queryOf(target.request.query).join('&')}`);
  },
  (target, { place, text }) => {
    const names = [...Object.keys(target.request.query ?? {}), 'limit', 'x'];
    const value = percent(text);
    const query = queryOf({ ...target.request.query, [pick(names, place)]: '' });
    const changed = query.map((pair) => (pair.endsWith('=') ? pair + value : pair));
    return withUrl(target, `${pathOf(target)}?${changed.join('&')}`);
  },
  (target, { part, place }) => {
    const query = Object.entries(target.request.query ?? {});
    const pairs = query.map(([name, value], index): string => {
      const sent = index === place % query.length ? percent(String(alike(value, part >> 8))) : percent(value);
      return `${name}=${sent}`;
    });
    return withUrl(target, `${pathOf(target)}?${pairs.join('&')}`);
  },
  (target, { place, text }) => {
    const query = queryOf(target.request.query);
    const twice = query.length === 0 ? 'limit=1&limit=2' : `${pick(query, place).split('=', 1)[0]}=${percent(text)}`;
    return withUrl(target, `${pathOf(target)}?${[...query, twice].join('&')}`);
  },
  (target, { place }) =>
    withUrl(target, `${pathOf(target)}?${[...queryOf(target.request.query), pick(QUERIES, place)].join('&')}`),
  (target, { cursor }) => withUrl(target, `${pathOf(target)}?cursor=${percent(cursor)}&limit=2`),
];

const otherBreakers: Breaker[] = [
  (target, { place }) => {
    const wire = wireOf(target.market, target.example, target);
    // From many addresses: bad keys of one address are soon refused without a look.
    const remoteAddress = `10.${place % 200}.${(place >> 8) % 200}.${(place >> 16) % 200}`;
    return { ...wire, headers: { ...wire.headers, ...pick(HEADERS, place) }, remoteAddress };
  },
  (target, { place }) => ({ ...wireOf(target.market, target.example, target), method: pick(METHODS, place) }),
];

/** The request with one thing broken. */
export function damaged(target: Target, how: Damage): Wire {
  const hasBody = target.request.body !== undefined;
  const hasCursor = target.request.query?.['limit'] !== undefined;
  const inUrl = hasCursor ? urlBreakers : urlBreakers.slice(0, -1);
  // A body is the largest place to hide something in; a request without one has its address.
  const breakers = hasBody
    ? [...bodyBreakers, ...bodyBreakers, ...inUrl, ...otherBreakers]
    : [...inUrl, ...inUrl, ...otherBreakers];
  return pick(breakers, how.part)(target, how);
}
