import type { Ratio, SubjectResult } from '../subject.ts';

type Cell = string | number;

/** Columns a terminal gives to a character: Chinese characters take two. */
function widthOf(text: string): number {
  return text.length + (text.match(/[\u2e80-\uffef]/g)?.length ?? 0);
}

function textOf(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (Number.isNaN(cell)) return '–';
  return Math.abs(cell) >= 10_000 ? Math.round(cell).toLocaleString('en-US').replaceAll(',', ' ') : String(cell);
}

/** A column is a number's when a number stands in it; then it is aligned to the right. */
function isNumeric(rows: readonly Cell[][], column: number): boolean {
  return rows.some((row) => typeof row[column] === 'number');
}

/** For a terminal: aligned by spaces, a line under the head. */
export function formatTable(columns: readonly string[], rows: readonly Cell[][]): string {
  const texts = rows.map((row) => row.map(textOf));
  const widths = columns.map((name, at) => Math.max(widthOf(name), ...texts.map((row) => widthOf(row[at] ?? ''))));
  const lineOf = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const padding = ' '.repeat((widths[at] ?? 0) - widthOf(cell));
        return isNumeric(rows, at) ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [lineOf(columns), widths.map((width) => '-'.repeat(width)).join('  '), ...texts.map(lineOf)].join('\n');
}

/** For RESULTS.md. */
export function formatMarkdownTable(columns: readonly string[], rows: readonly Cell[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = columns.map((_, at) => (isNumeric(rows, at) ? '--:' : '---'));
  return [line(columns), line(rule), ...rows.map((row) => line(row.map(textOf)))].join('\n');
}

/** `aim`, `must`, `missed`; `–` for a figure without a goal, `?` for one that could not be measured. */
export function verdictOf({ value, must, aim, betterIs }: Ratio): string {
  if (must === undefined && aim === undefined) return '–';
  if (Number.isNaN(value)) return '?';
  const reaches = (goal: number): boolean => (betterIs === 'higher' ? value >= goal : value <= goal);
  if (aim !== undefined && reaches(aim)) return 'aim';
  return must !== undefined && reaches(must) ? 'must' : 'missed';
}

export const RATIO_COLUMNS = ['ratio', 'value', 'must', 'aim', 'reached'];

export function ratioRows(ratios: readonly Ratio[]): Cell[][] {
  const goal = (value: number | undefined, betterIs: Ratio['betterIs']): string =>
    value === undefined ? '' : `${betterIs === 'higher' ? '≥' : '≤'} ${value}`;
  return ratios.map((ratio) => [
    ratio.name,
    ratio.value,
    goal(ratio.must, ratio.betterIs),
    goal(ratio.aim, ratio.betterIs),
    verdictOf(ratio),
  ]);
}

/** A subject as the terminal shows it. */
export function formatResult({ title, columns, rows, ratios, notes }: SubjectResult): string {
  return [
    `\n${title}\n`,
    formatTable(columns, rows),
    ...(ratios.length === 0 ? [] : ['', formatTable(RATIO_COLUMNS, ratioRows(ratios))]),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `· ${note}`)]),
  ].join('\n');
}
