/** What a request may hold instead of what it should. */
import * as fc from 'fast-check';

/** A piece of JSON that no value stands for: `1e400`, a key given twice. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `JSON.stringify` that lets raw pieces through as they are written. */
export function toJson(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => toJson(item)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${toJson(inner)}`)
    .join(',')}}`;
}

const nested = (depth: number): RawJson => new RawJson('['.repeat(depth) + ']'.repeat(depth));
const nestedObjects = (depth: number): RawJson => new RawJson('{"a":'.repeat(depth) + '1' + '}'.repeat(depth));

const WORDS: readonly string[] = [
  '',
  ' ',
  '\u3000\t\n',
  '\0',
  'a\0b',
  '\u0001\u001b[31m\u007f',
  '\ud800',
  'x\udfff',
  '\udc00\ud800',
  '手冲壶',
  '壶'.repeat(201),
  '🫖👨‍👩‍👧‍👦',
  '\u202e壶\u202c\u200f\u061c',
  'é'.normalize('NFD'),
  '＝ＣＭＤ（）',
  '=1+1',
  '@SUM(A1)',
  '"\'`;--/**/\\',
  "'; drop table brands; --",
  '$1',
  '%',
  '%00',
  '_',
  '../../etc/passwd',
  '{{7*7}}${7*7}',
  '<script>alert(1)</script>',
  'line\r\nSet-Cookie: a=b',
  '\u2028\u2029\ufeff\ufffe\uffff',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  'Infinity',
  '-0',
  '1e400',
  '0x10',
  '１２３',
  '9007199254740993',
  '9223372036854775808',
  '99999999999999999999999999',
  '1'.repeat(400),
  'x'.repeat(129),
  'x'.repeat(5_000),
];

const TIMES: readonly string[] = [
  '1970-01-01T00:00:00Z',
  '1969-12-31T23:59:59.999Z',
  '0000-01-01T00:00:00Z',
  '0001-01-01',
  '1899-12-31',
  '9999-12-31',
  '9999-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59-23:59',
  '+275760-09-13T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  '2026-02-30',
  '2026-02-30T00:00:00Z',
  '2026-11-22T24:00:00Z',
  '2026-06-30T23:59:60Z',
  '2026-11-22T00:00:00+23:59',
  '2026-11-22T00:00:00.123456789123456789Z',
  '2026-11-22 00:00:00',
  '2026-11',
  'infinity',
  'now',
];

const PLACES: readonly string[] = [
  'javascript:alert(1)',
  '//evil.example/',
  'https://item.taobao.com@evil.example/item.htm?id=1',
  'https://item.taobao.com\\@evil.example/',
  'https://item.taobao.com:444/item.htm?id=1',
  'https://item.taobao.com/item.htm?id=1#\0',
  'https://item.taobao.com/壶?id=\ud800',
  'https://item.taobao.com/item.htm?id=99999999999999999999999999',
  'https://item.jd.com/100012043978.html',
  'https://shop1.youzan.com/v2/goods/%E0%A4%A',
  `https://item.taobao.com/item.htm?id=1&x=${'y'.repeat(3_990)}`,
  'https://[::1]/',
  'taobao://item.taobao.com/',
];

const NUMBERS: readonly unknown[] = [
  0,
  -1,
  1.5,
  0.1,
  91,
  181,
  9_001,
  10_001,
  2 ** 31,
  Number.MAX_SAFE_INTEGER,
  -Number.MAX_SAFE_INTEGER,
  ...[
    '-0',
    '0e0',
    '1e2',
    '1E400',
    '-1e400',
    '1e-400',
    '9007199254740992',
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '0.1e1',
    '19900.0000000000001',
    '1'.repeat(400),
  ].map((text) => new RawJson(text)),
];

const SHAPES: readonly unknown[] = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  [''],
  { length: -1 },
  { toString: 1 },
  new RawJson('{"__proto__":{"role":"admin"}}'),
  new RawJson('{"constructor":{"prototype":{"role":"admin"}}}'),
  new RawJson('{"a":1,"a":2}'),
  nested(30),
  nested(2_000),
  nested(100_000),
  nestedObjects(1_000),
  new RawJson('NaN'),
  new RawJson('undefined'),
  new RawJson("'single'"),
  new RawJson('01'),
  new RawJson('"\\u12"'),
  new RawJson('"\t"'),
  new RawJson('"unfinished'),
];

/** What is most likely to go through where a value of that kind stood: another time for a time, another number for a number. */
export function alike(value: unknown, at: number): unknown {
  const choice = typeof value === 'string' ? textsLike(value) : typeof value === 'number' ? NUMBERS : SHAPES;
  return choice[at % choice.length];
}

function textsLike(text: string): readonly string[] {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) return TIMES;
  if (text.startsWith('https:')) return PLACES;
  return WORDS;
}

/** Texts, also for places that take nothing else: queries, paths, headers. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 2, arbitrary: fc.constantFrom(...TIMES) },
  { weight: 1, arbitrary: fc.constantFrom(...PLACES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
);

/** Anything that can stand in a JSON text, and some that cannot. */
export const hostileJson: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: hostileText },
  { weight: 5, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 5, arbitrary: fc.constantFrom(...SHAPES) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((value) => new RawJson(String(value))) },
  { weight: 1, arbitrary: fc.double().map((value) => new RawJson(String(value))) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.constant('x'.repeat(70_000)) },
);

/** What may stand in a list's place instead of its sort key. */
export const CURSOR_ATOMS: readonly unknown[] = [
  '',
  '0',
  '-1',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  "'",
  '\0',
  '\ud800',
  'key_zzzzzzzzzzzzzzzz',
  'x'.repeat(200),
  '2026-11-22T00:00:00.000000Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2026-11-22 00:00:00.123456+00',
  '2999-12-31 23:59:60+15:59',
  '1001-01-01 00:00:00-23',
  null,
  true,
  0,
  2_147_483_647,
  2_147_483_648,
  -1,
  1.5,
  1e300,
  [],
  {},
];

/** A cursor of these values. */
export function forgedCursor(values: unknown): string {
  return encode(JSON.stringify(values));
}

export const hostileCursor: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.oneof(fc.constantFrom(...CURSOR_ATOMS), hostileText), { maxLength: 4 }).map(forgedCursor),
  hostileText.map(encode),
  hostileText,
);

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
