/** One proof: the figures behind it, and the first problems that it found. */
export interface Check {
  name: string;
  ok: boolean;
  /** Counts of the rows it read, and sums it compared. */
  figures: Record<string, bigint>;
  /** Up to ten sentences with the ids. */
  problems: string[];
}

const MOST_PROBLEMS = 10;

/** Collects the figures and problems of a check; keeps the first ten problems and counts the rest. */
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

export interface VerifyReport {
  ok: boolean;
  checks: Check[];
}

/** The report as lines of plain text, the verdict last. */
export function formatVerifyReport(report: VerifyReport): string {
  const lines = report.checks.flatMap(({ name, ok, figures, problems }) => {
    const counted = Object.entries(figures).map(([figure, value]) => `${figure} ${value}`);
    return [
      `${ok ? 'ok  ' : 'FAIL'}  ${name}${counted.length === 0 ? '' : ` (${counted.join(', ')})`}`,
      ...problems.map((problem) => `      ${problem}`),
    ];
  });
  return [...lines, report.ok ? 'Everything holds.' : 'Something does not hold; see FAIL above.'].join('\n');
}
