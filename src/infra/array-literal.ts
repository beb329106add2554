/** `2026-11-22T03:04:05.678Z`; years beyond four digits are written longer, and Postgres reads them otherwise. */
const ISO_LENGTH = 24;
const NEEDS_ESCAPE = /["\\]/;
const ESCAPED = /["\\]/g;

/**
 * The array parameters of a statement as Postgres' array literals, other parameters as they are. The driver writes the same values, but takes
 * five times as long: it runs two replacements over every element and builds dates digit by digit, which was a fifth of the memory that
 * recording a batch of orders allocated.
 *
 * An array that holds anything but texts, numbers, booleans, bytes, instants of the years 0 to 9999 and nulls stays for the driver.
 */
export function arrayLiterals(values: readonly unknown[]): unknown[] {
  return values.map((value) => (Array.isArray(value) ? (arrayLiteral(value) ?? value) : value));
}

function arrayLiteral(elements: readonly unknown[]): string | undefined {
  if (elements.every(isPlain)) {
    // Without escaped characters a JSON array differs from Postgres' only in its brackets, and V8 writes it many times faster than a loop.
    const json = JSON.stringify(elements);
    if (!json.includes('\\')) return `{${json.slice(1, -1)}}`;
  }
  const texts: string[] = [];
  for (const element of elements) {
    const text = elementText(element);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return `{${texts.join(',')}}`;
}

/** Values that JSON and Postgres write alike, unless a character must be escaped. */
function isPlain(element: unknown): boolean {
  switch (typeof element) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isSafeInteger(element);
    default:
      return element === null;
  }
}

function elementText(element: unknown): string | undefined {
  if (element === null || element === undefined) return 'NULL';
  switch (typeof element) {
    case 'string':
      return NEEDS_ESCAPE.test(element) ? `"${element.replaceAll(ESCAPED, String.raw`\$&`)}"` : `"${element}"`;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(element);
    default:
      return objectText(element);
  }
}

function objectText(element: unknown): string | undefined {
  if (Buffer.isBuffer(element)) return String.raw`"\\x${element.toString('hex')}"`;
  if (!(element instanceof Date) || Number.isNaN(element.getTime())) return undefined;
  const iso = element.toISOString();
  return iso.length === ISO_LENGTH ? iso : undefined;
}
