import { formatFenAsYuan } from '../../core/money/money.ts';

/** What is compared: fen and counts as bigint, words as text. */
export type Figure = bigint | string;

/** Compares figures of the server with those that the rules give, and keeps the differences. */
export class Figures {
  #count = 0;
  readonly #differences: string[] = [];

  get count(): number {
    return this.#count;
  }

  /** One plain sentence each. */
  get differences(): readonly string[] {
    return this.#differences;
  }

  /** A word, or a number of things. */
  expect(name: string, actual: Figure | undefined, expected: Figure): void {
    this.#count += 1;
    if (actual !== expected) this.#differences.push(`${name}: ${actual ?? 'nothing'}, but it should be ${expected}`);
  }

  /** Amounts in fen, by name; a name that the server did not answer counts as a difference. */
  expectFen(name: string, actual: Record<string, unknown> | undefined, expected: Record<string, bigint>): void {
    for (const [field, expectedFen] of Object.entries(expected)) {
      const value = actual?.[field];
      this.#count += 1;
      if (value === expectedFen) continue;
      const shown = typeof value === 'bigint' ? formatFenAsYuan(value) : 'nothing';
      this.#differences.push(`${name}, ${field}: ${shown}, but the rules give ${formatFenAsYuan(expectedFen)}`);
    }
  }
}
