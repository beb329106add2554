/**
 * Single values of Youzan messages. A value can be absent in five ways ("", null, the text "null", {}, a missing key). Numbers and booleans may
 * be texts. Times have no zone.
 */
import { parseShanghaiTime } from '../../core/calendar.ts';
import { MAX_LINE_FEN, parseYuanToFen } from '../../core/money/money.ts';
import { fieldOf, isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../json-text.ts';

const LARGEST_INT8 = 9_223_372_036_854_775_807n;
const EARLIEST = Date.UTC(2000, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
/** Ids are used in keys, logs and URLs: printable ASCII without blanks, at most as long as real ones. */
const NAME = /^[\x21-\x7e]{1,64}$/;

/** A field that may be wrong: absent, unreadable, or a value. */
export type Field<T> = { state: 'absent' } | { state: 'unreadable' } | { state: 'present'; value: T };

const ABSENT = { state: 'absent' } as const;
const UNREADABLE = { state: 'unreadable' } as const;

export function isAbsent(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === '' || value === 'null') return true;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

/** The object in a field, undefined when there is none. */
export function objectAt(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = fieldOf(object, key);
  return isJsonObject(value) ? value : undefined;
}

/** The text in a field, or a number as its digits; undefined when absent or of another kind. */
export function textAt(object: JsonObject | undefined, key: string): string | undefined {
  const value = fieldOf(object, key);
  if (isAbsent(value)) return undefined;
  if (value instanceof JsonNumber) return value.source;
  return typeof value === 'string' ? value : undefined;
}

/** The id in a field. */
export function nameAt(object: JsonObject | undefined, key: string): Field<string> {
  return readPresent(object, key, (text) => (NAME.test(text) ? text : undefined));
}

/** The whole number in a field, at most int8 of Postgres. */
export function integerAt(object: JsonObject | undefined, key: string): Field<bigint> {
  return readPresent(object, key, (text) => {
    if (!/^\d{1,19}$/.test(text)) return undefined;
    const value = BigInt(text);
    return value <= LARGEST_INT8 ? value : undefined;
  });
}

/** The yuan amount of a line or refund in a field, as fen; unreadable above MAX_LINE_FEN. */
export function yuanAt(object: JsonObject | undefined, key: string): Field<bigint> {
  return readPresent(object, key, (text) => {
    const parsed = parseYuanToFen(text);
    return parsed.ok && parsed.fen <= MAX_LINE_FEN ? parsed.fen : undefined;
  });
}

/** The Shanghai time in a field, from 2000 to 2099. */
export function timeAt(object: JsonObject | undefined, key: string): Field<Date> {
  return readPresent(object, key, (text) => {
    const at = parseShanghaiTime(text);
    return at !== undefined && isPlausible(at) ? at : undefined;
  });
}

/** The flag in a field: true for true, "true", 1 and "1"; else false. */
export function flagAt(object: JsonObject | undefined, key: string): boolean {
  return fieldOf(object, key) === true || ['true', '1'].includes(textAt(object, key) ?? '');
}

/** The instant that a version encodes in milliseconds (13 digits) or seconds (10 digits). Undefined for any other number. */
export function instantOfVersion(version: bigint): Date | undefined {
  const at = new Date(Number(versionMs(version)));
  return isPlausible(at) ? at : undefined;
}

/** A version in milliseconds; one in seconds is converted, so that both are comparable. */
export function versionMs(version: bigint): bigint {
  return version < 100_000_000_000n ? version * 1000n : version;
}

function isPlausible(at: Date): boolean {
  return at.getTime() >= EARLIEST && at.getTime() < LATEST;
}

function readPresent<T>(object: JsonObject | undefined, key: string, read: (text: string) => T | undefined): Field<T> {
  if (isAbsent(fieldOf(object, key))) return ABSENT;
  const text = textAt(object, key);
  const value = text === undefined ? undefined : read(text);
  return value === undefined ? UNREADABLE : { state: 'present', value };
}
