/** One proof: what was looked at, and the first of what does not hold. */
export interface Check {
  name: string;
  ok: boolean;
  /** What was counted on the way. */
  figures: Record<string, bigint>;
  /** Up to ten, in plain words with the ids. */
  problems: string[];
}

const MOST_PROBLEMS = 10;

/** Collects what a check finds; keeps the first ten problems and counts the rest. */
export class CheckBuilder {
  readonly #name: string;
  readonly #figures: Record<string, bigint> = {};
  readonly #problems: string[] = [];
  #problemCount = 0n;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds to a figure. */
  count(figure: string, by: bigint): void {
    this.#figures[figure] = (this.#figures[figure] ?? 0n) + by;
  }

  problem(text: string): void {
    this.#problemCount += 1n;
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(text);
  }

  finish(): Check {
    const ok = this.#problemCount === 0n;
    const figures = ok ? this.#figures : { ...this.#figures, problems: this.#problemCount };
    return { name: this.#name, ok, figures, problems: this.#problems };
  }
}
