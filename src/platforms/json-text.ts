/**
 * JSON of platforms that send 64-bit ids and amounts as JSON numbers, which `JSON.parse` alone would round.
 *
 * Every number keeps the digits of the text. Objects are those of `JSON.parse`: a key `__proto__` is an ordinary own property, and the last
 * value of a repeated key counts.
 */

/** A JSON number as written, `1234567890123456789`. */
export class JsonNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** More than any message needs; a limit protects the stack. */
const MAX_DEPTH = 64;

type SourceReviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
/** The compiler's library does not know the third argument yet (ES2026, "JSON.parse source text access"). */
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => JsonValue;

/** Parses a text into values whose numbers are `JsonNumber`. Undefined when it is not JSON or nested deeper than 64. */
export function parseJsonText(text: string): JsonValue | undefined {
  try {
    const value = parseWithSource(text, (_key, value, { source }) =>
      typeof value === 'number' ? new JsonNumber(source ?? String(value)) : value,
    );
    return isShallow(value, MAX_DEPTH) ? value : undefined;
  } catch {
    // A SyntaxError, or the RangeError of a nesting that is too deep for the stack.
    return undefined;
  }
}

/** Created once, because creating one costs more than decoding a message with it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Parses bytes that must be UTF-8 without byte order mark. Undefined as `parseJsonText`. */
export function parseJsonBytes(bytes: Uint8Array): JsonValue | undefined {
  try {
    return parseJsonText(UTF8.decode(bytes));
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);
}

/** The own field of an object; inherited names (`constructor`) are not fields. */
export function fieldOf(object: JsonObject | undefined, key: string): JsonValue | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The canonical text of a value: keys sorted, numbers as written, no blanks. Two texts are equal exactly when the values are. */
export function canonicalJson(value: JsonValue): string {
  return canonicalText(value);
}

/**
 * `canonicalJson` of a plain value: texts, numbers, booleans, nulls, arrays and objects of these, as `JSON.stringify` writes them. An undefined
 * field is absent.
 */
export function canonicalPlainJson(value: unknown): string {
  return canonicalText(value);
}

function canonicalText(value: unknown): string {
  if (value instanceof JsonNumber) return value.source;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  let fields = '';
  for (const key of Object.keys(value).toSorted()) {
    const field = (value as Record<string, unknown>)[key];
    if (field !== undefined) fields += `${fields === '' ? '' : ','}${JSON.stringify(key)}:${canonicalText(field)}`;
  }
  return `{${fields}}`;
}

function isShallow(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return true;
  return levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1));
}
