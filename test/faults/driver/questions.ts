import { readTotals } from '../../../src/local/demo/answers.ts';
import { ApiFault } from '../../../src/local/demo/api.ts';
import type { Api } from '../../../src/local/demo/api.ts';

export interface Questions {
  readonly counts: { answered: number; failed: number };
  /** Answers whose total is not the sum of its rows. */
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

const EVERY_MS = 1_000;

/** Finance asks for the totals once a second; an answer that comes must add up, whatever is broken at the moment. */
export function startQuestions(finance: Api): Questions {
  const counts = { answered: 0, failed: 0 };
  const faults: string[] = [];
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    try {
      const { total, data } = await readTotals(finance);
      counts.answered += 1;
      const sumFen = data.reduce((sum, row) => sum + row.commissionFen, 0n);
      if (sumFen !== total.commissionFen)
        faults.push(`finance was told a total of ${total.commissionFen} fen over rows that sum to ${sumFen}`);
    } catch (error) {
      counts.failed += 1;
      if (error instanceof ApiFault && error.status === 500) faults.push(`finance was answered 500: ${error.message}`);
    }
  };
  const timer = setInterval(() => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
  }, EVERY_MS);
  return {
    counts,
    faults,
    stop: async () => {
      clearInterval(timer);
      await asking;
    },
  };
}
