import { describe, expect, it } from 'vitest';
import { withSection } from '../../bench/support/report.ts';
import { formatMarkdownTable, formatTable, ratioRows, verdictOf } from '../../bench/support/table.ts';

describe('goals', () => {
  const ratio = { name: 'x', must: 0.65, aim: 0.8, betterIs: 'higher' as const };

  it('the goal itself counts as reached, a hair below does not', () => {
    expect([0.8, 0.799, 0.65, 0.649].map((value) => verdictOf({ ...ratio, value }))).toEqual([
      'aim',
      'must',
      'must',
      'missed',
    ]);
  });

  it('where less is better, more is missed', () => {
    const lower = { name: 'x', must: 1, aim: 0.7, betterIs: 'lower' as const };
    expect([0.7, 0.71, 1, 1.01].map((value) => verdictOf({ ...lower, value }))).toEqual([
      'aim',
      'must',
      'must',
      'missed',
    ]);
  });

  it('a goal of zero is a goal', () => {
    expect([0, 1].map((value) => verdictOf({ name: 'lost', value, must: 0, betterIs: 'lower' }))).toEqual([
      'must',
      'missed',
    ]);
  });

  it('what could not be measured is neither reached nor missed, and a figure without a goal has no verdict', () => {
    expect(verdictOf({ ...ratio, value: Number.NaN })).toBe('?');
    expect(verdictOf({ name: 'x', value: 3, betterIs: 'lower' })).toBe('–');
    expect(ratioRows([{ ...ratio, value: Number.NaN }])).toEqual([['x', Number.NaN, '≥ 0.65', '≥ 0.8', '?']]);
  });
});

describe('tables', () => {
  it('numbers stand at the right, words at the left, and a Chinese character is two columns wide', () => {
    expect(
      formatTable(
        ['边', 'n'],
        [
          ['ours', 7],
          ['淘宝', 12_345],
        ],
      ),
    ).toBe(['边         n', '----  ------', 'ours       7', '淘宝  12 345'].join('\n'));
  });

  it('in Markdown a number that is missing shows as a dash', () => {
    expect(formatMarkdownTable(['a', 'b'], [['x', Number.NaN]])).toBe('| a | b |\n| --- | --: |\n| x | – |');
  });
});

describe('RESULTS.md', () => {
  const head = '# Results\n\nText.\n';
  const two = withSection(withSection(head, 'one', 'first'), 'two', 'second');

  it('a subject measured again takes the place of its section, and the others stay as they are', () => {
    const again = withSection(two, 'one', 'FIRST');
    expect(again).toBe(two.replace('first', 'FIRST'));
    expect(again.startsWith(head)).toBe(true);
  });

  it('writing the same section twice changes nothing', () => {
    expect(withSection(two, 'two', 'second')).toBe(two);
  });
});
