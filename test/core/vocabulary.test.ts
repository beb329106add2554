import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as vocabulary from '../../src/core/vocabulary.ts';

const SRC = join(import.meta.dirname, '..', '..', 'src');
const LISTS: readonly (readonly string[])[] = Object.values(vocabulary);
/** Closed lists as a program writes them: `z.enum(['a', 'b'])`, `['a', 'b'] as const` and `'a' | 'b'`. Roles of a route are no list. */
const WRITTEN_LISTS = [
  /(?<=enum\()\[\s*'[a-z_]+'(?:,\s*'[a-z_]+')+,?\s*\]/g,
  /\[\s*'[a-z_]+'(?:,\s*'[a-z_]+')+,?\s*\](?= as const)/g,
  /'[a-z_]+'(?:\s*\|\s*'[a-z_]+')+/g,
];

/** The lists of the vocabulary that a program writes out again, in any order. */
function repeatedLists(text: string): string[] {
  return WRITTEN_LISTS.flatMap((pattern) =>
    [...text.matchAll(pattern)]
      .map(([written]) => written)
      .filter((written) => {
        const words = new Set([...written.matchAll(/[a-z_]+/g)].map(([word]) => word));
        return LISTS.some((list) => list.length === words.size && list.every((word) => words.has(word)));
      }),
  );
}

describe('the vocabulary', () => {
  it('has no word twice in one list, and every word in snake_case', () => {
    for (const list of LISTS) {
      expect(new Set(list).size).toBe(list.length);
      for (const word of list) expect(word).toMatch(/^[a-z]+(_[a-z]+)*$/);
    }
  });

  it('is written once: no other file of the program repeats a whole list', () => {
    const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== 'vocabulary.ts')
      .map((entry) => join(entry.parentPath, entry.name));
    expect(files.length).toBeGreaterThan(200);
    const repeated = files.flatMap((file) =>
      repeatedLists(readFileSync(file, 'utf8')).map((list) => `${relative(SRC, file)}: ${list}`),
    );
    expect(repeated).toEqual([]);
  });

  it.each([
    "z.enum(['tmall', 'taobao', 'youzan'])",
    "status: 'active' | 'paused';",
    "[\n  'manual',\n  'exact', 'strong', 'inferred',\n] as const",
  ])('a repeated list is found in %j', (text) => expect(repeatedLists(text)).toHaveLength(1));
});
