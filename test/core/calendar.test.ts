import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDays,
  dayToInstant,
  isDay,
  isMonth,
  parseShanghaiTime,
  shanghaiDay,
  shanghaiMonth,
} from '../../src/core/calendar.ts';

const anyInstant = fc.date({
  min: new Date('1992-01-01T00:00:00Z'),
  max: new Date('2100-01-01T00:00:00Z'),
  noInvalidDate: true,
});

describe('parseShanghaiTime', () => {
  it('reads a local time as +08:00', () => {
    expect(parseShanghaiTime('2021-06-29 11:37:57')?.toISOString()).toBe('2021-06-29T03:37:57.000Z');
    expect(parseShanghaiTime('2024-02-29 00:00:00')?.toISOString()).toBe('2024-02-28T16:00:00.000Z');
  });

  it.each([
    '',
    '2021-06-29',
    '2021-06-29T11:37:57',
    '2021-06-29+11:37:57',
    '2021-06-29 11:37',
    '2021-06-29 11:37:57Z',
    '2021-06-29 11:37:57.0',
    ' 2021-06-29 11:37:57',
    '2021-06-29 11:37:57\n',
    '2021-02-29 00:00:00',
    '2021-04-31 00:00:00',
    '2021-13-01 00:00:00',
    '2021-00-10 00:00:00',
    '2021-06-00 00:00:00',
    '2021-06-29 24:00:00',
    '2021-06-29 23:60:00',
    '2021-06-29 23:59:60',
    '２０２１-06-29 11:37:57',
  ])('refuses %j', (text) => {
    expect(parseShanghaiTime(text)).toBeUndefined();
  });
});

describe('days and months', () => {
  it('changes the day at 16:00 UTC and the month with it', () => {
    expect(shanghaiDay(new Date('2026-11-30T15:59:59.999Z'))).toBe('2026-11-30');
    expect(shanghaiDay(new Date('2026-11-30T16:00:00.000Z'))).toBe('2026-12-01');
    expect(shanghaiMonth(new Date('2026-11-30T15:59:59.999Z'))).toBe('2026-11');
    expect(shanghaiMonth(new Date('2026-11-30T16:00:00.000Z'))).toBe('2026-12');
    expect(shanghaiMonth(new Date('2026-12-31T16:00:00.000Z'))).toBe('2027-01');
  });

  it('agrees with the time-zone database for every instant', () => {
    const format = new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai', dateStyle: 'short' });
    fc.assert(
      fc.property(anyInstant, (instant) => {
        expect(shanghaiDay(instant)).toBe(format.format(instant));
      }),
    );
  });

  it('puts every instant inside its own day and no other', () => {
    fc.assert(
      fc.property(anyInstant, (instant) => {
        const start = dayToInstant(shanghaiDay(instant));
        expect(start.getTime()).toBeLessThanOrEqual(instant.getTime());
        expect(instant.getTime()).toBeLessThan(addDays(start, 1).getTime());
        expect(shanghaiDay(addDays(start, 1))).not.toBe(shanghaiDay(instant));
      }),
    );
  });

  it('reads back the local time it would write', () => {
    fc.assert(
      fc.property(anyInstant, (instant) => {
        const local = new Date(instant.getTime() + 8 * 3_600_000).toISOString();
        const parsed = parseShanghaiTime(`${local.slice(0, 10)} ${local.slice(11, 19)}`);
        expect(parsed?.getTime()).toBe(Math.floor(instant.getTime() / 1000) * 1000);
      }),
    );
  });

  it('begins a day at 00:00 +08:00', () => {
    expect(dayToInstant('2026-11-22').toISOString()).toBe('2026-11-21T16:00:00.000Z');
  });

  it('knows real days and months', () => {
    expect([isDay('2024-02-29'), isDay('2023-02-29'), isDay('2026-1-1'), isDay('2026-11-31')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([isMonth('2026-11'), isMonth('2026-13'), isMonth('2026-00'), isMonth('2026-11-01')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it('throws on what is no day or no instant', () => {
    expect(() => dayToInstant('2026-02-30')).toThrow(RangeError);
    expect(() => shanghaiDay(new Date(Number.NaN))).toThrow(RangeError);
    expect(() => shanghaiDay(new Date(8.64e15 - 1e9))).toThrow(RangeError);
  });
});
