import type { Figures, Outcome } from './scenario.ts';

function figuresText(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

/** One line as soon as a scenario is over; what does not hold follows line by line. */
export function outcomeText(outcome: Outcome): string {
  const { fault, name } = outcome;
  if (outcome.result === 'not run') return `NOT RUN ${fault} ${name}: ${outcome.reason}`;
  const word = outcome.result === 'passed' ? 'ok' : 'FAILED';
  const line = `${word} ${fault} ${name} (${Math.round(outcome.tookMs / 1_000)} s): ${figuresText(outcome.figures)}`;
  return [line, ...outcome.faults.map((fault) => `    ${fault}`)].join('\n');
}

function rowOf(outcome: Outcome): string[] {
  const { fault, name } = outcome;
  const [result, figures] =
    outcome.result === 'not run' ? ['not run', outcome.reason] : [outcome.result, figuresText(outcome.figures)];
  return [fault, name, result, figures];
}

/** A table in Markdown, padded so that it also reads well as it stands. */
export function tableText(outcomes: readonly Outcome[]): string {
  const rows = [['fault', 'done', 'result', 'figures'], ...outcomes.map(rowOf)];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  const rule = `| ${[...widths, 7].map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

/** `9 passed, 1 failed, 2 not run`. */
export function verdictText(outcomes: readonly Outcome[]): string {
  const count = (result: Outcome['result']): number => outcomes.filter((each) => each.result === result).length;
  const notRun = count('not run');
  return `${count('passed')} passed, ${count('failed')} failed${notRun === 0 ? '' : `, ${notRun} NOT RUN`}`;
}
