import { expect, it } from 'vitest';
import { instantText } from '../../src/clicks/ingest/row-texts.ts';

it('the text of an instant is that of its Date, at the edges of seconds, days and years too', () => {
  const edges = [
    '2026-11-22T15:04:05.678Z',
    '2026-12-31T23:59:59.999Z',
    '2027-01-01T00:00:00.000Z',
    '2028-02-29T12:00:00.007Z',
  ];
  const minute = Array.from({ length: 6_000 }, (_, second) => Date.parse('2026-11-22T15:59:00.090Z') + second * 1_010);
  for (const atMs of [...edges.map((text) => Date.parse(text)), ...minute])
    expect(instantText(atMs)).toBe(new Date(atMs).toISOString());
});
