import { setTimeout as sleep } from 'node:timers/promises';
import { formatFenAsYuan } from '../../core/money/money.ts';
import type { Api } from './api.ts';
import type { Market } from './market.ts';

/** The state that every step of the demo uses. */
export interface Tour {
  /** Origin of the server under the demo, without a trailing slash. */
  origin: string;
  admin: Api;
  market: Market;
  clock: ServerClock;
  figures: Figures;
  print: (line: string) => void;
}

/** A value to compare: fen and counts as bigint, words as text. */
export type Figure = bigint | string;

/** Compares figures of the server with the figures that the rules give, and keeps the differences. */
export class Figures {
  #count = 0;
  readonly #differences: string[] = [];

  get count(): number {
    return this.#count;
  }

  /** One sentence for each difference. */
  get differences(): readonly string[] {
    return this.#differences;
  }

  /** Compares a word or a count. */
  expect(name: string, actual: Figure | undefined, expected: Figure): void {
    this.#count += 1;
    if (actual !== expected) this.#differences.push(`${name}: ${actual ?? 'nothing'}, but it should be ${expected}`);
  }

  /** Compares amounts in fen by name. A name that is missing in the server's answer counts as a difference. */
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

/**
 * The time of the server under the demo, which may run on another machine with another clock. Signatures expire after 300 s, and an order
 * must not be older than its click.
 */
export interface ServerClock {
  /** At most a second behind the server's clock, never ahead of it. */
  now(): Date;
  /** Waits for the first whole second after an instant, because marketplaces write times without fractions. */
  nextSecondAfter(instant: Date): Promise<Date>;
}

const SECOND_MS = 1_000;

/** @param dateHeader  the `Date` header of an answer that has just arrived */
export function createServerClock(dateHeader: string | null): ServerClock {
  const serverMs = Date.parse(dateHeader ?? '');
  const aheadMs = Number.isNaN(serverMs) ? 0 : serverMs - Date.now();
  const now = (): Date => new Date(Date.now() + aheadMs);
  return {
    now,
    nextSecondAfter: async (instant) => {
      const second = new Date((Math.floor(instant.getTime() / SECOND_MS) + 1) * SECOND_MS);
      while (now() < second) await sleep(Math.max(1, second.getTime() - now().getTime()));
      return second;
    },
  };
}

/** Characters that a terminal shows in two columns: Chinese characters and full-width forms. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

function widthOf(text: string): number {
  return text.length + (text.match(WIDE)?.length ?? 0);
}

/** A table for a terminal: first column left-aligned, other columns right-aligned, two spaces between columns. */
export function tableText(rows: readonly (readonly string[])[], indent = '  '): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ''))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return column === 0 ? cell + padding : padding + cell;
      })
      .join('  ')
      .trimEnd();
  return rows.map((row) => indent + line(row)).join('\n');
}

const RETRY_MS = 200;

/**
 * Reads again and again until a reading is enough, because workers store some figures a moment later.
 *
 * @returns the last reading, also when it is not enough: the caller compares its figures
 */
export async function waitUntil<T>(
  read: () => Promise<T>,
  isEnough: (reading: T) => boolean,
  timeoutMs: number,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const reading = await read();
    if (isEnough(reading) || performance.now() > deadlineMs) return reading;
    await sleep(RETRY_MS);
  }
}
