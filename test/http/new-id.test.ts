import { afterEach, expect, it, vi } from 'vitest';
import { newAscendingId, newId } from '../../src/http/new-id.ts';

afterEach(() => vi.useRealTimers());

it('ids have their prefix and sixteen lower-case letters and digits, and never repeat', () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => (index % 2 === 0 ? newId('jrn') : newAscendingId('jrn')));
  expect(ids.filter((id) => !/^jrn_[0-9a-z]{16}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

it('an ascending id is greater than those made before, also within a millisecond and after the clock was set back', () => {
  vi.useFakeTimers({ now: new Date('2026-11-21T04:00:00Z'), toFake: ['Date'] });
  const ids: string[] = [];
  for (const now of ['2026-11-21T04:00:00.000Z', '2026-11-21T04:00:00.001Z', '2026-11-21T03:00:00Z', '2030-01-01Z']) {
    vi.setSystemTime(new Date(now));
    for (let made = 0; made < 2_000; made += 1) ids.push(newAscendingId('jrn'));
  }
  expect(ids.filter((id, index) => index > 0 && id <= (ids[index - 1] ?? ''))).toEqual([]);
});
