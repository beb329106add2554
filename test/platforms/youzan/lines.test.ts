import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstLine, orderOf, read } from './readings.ts';

describe('lines', () => {
  it('reads several, with quantities, and gifts as 0', () => {
    const reading = read('paid', {
      lines: [
        { lineId: '1', paidFen: 19_900n, quantity: 2, itemId: 7, alias: 'abc' },
        { lineId: '2', paidFen: 500n, gift: true },
      ],
    });
    expect(reading).toMatchObject({
      event: {
        lines: [
          { externalLineId: '1', quantity: 2, paidFen: 19_900n, itemKeys: ['item:7', 'alias:abc'] },
          { externalLineId: '2', quantity: 1, paidFen: 0n },
        ],
      },
    });
  });

  it('reads a gift by any spelling of true, and needs no amount for it', () => {
    for (const flag of [true, 'true', 1, '1']) {
      const reading = read('paid', {
        editMessage: (message) => Object.assign(firstLine(message), { is_present: flag, payment: '' }),
      });
      expect(reading).toMatchObject({ event: { lines: [{ paidFen: 0n }] } });
    }
    for (const flag of [false, 'false', 0, '', null, 'null', {}]) {
      const reading = read('paid', {
        editMessage: (message) => Object.assign(firstLine(message), { is_present: flag }),
      });
      expect(reading).toMatchObject({ event: { lines: [{ paidFen: 1n }] } });
    }
  });

  it.each(['', null, 'null', {}, undefined, '-0.01', '1e2', '0.001.0', '1,00', 'x', [], true, '100000000.01'])(
    'refuses an amount of %j',
    (payment) => {
      const reading = read('paid', { editMessage: (message) => Object.assign(firstLine(message), { payment }) });
      expect(reading).toEqual({ kind: 'not_understood', reason: 'line_amount_unreadable' });
    },
  );

  it.each([
    { num: 0 },
    { num: -1 },
    { num: 1.5 },
    { num: '' },
    { num: 1_000_001 },
    { oid: '' },
    { oid: null },
    { oid: 'a b' },
    { oid: 'a\u0000' },
    { oid: 'x'.repeat(65) },
    { oid: ['1'] },
  ])('refuses a line with %j', (change) => {
    const reading = read('paid', { editMessage: (message) => Object.assign(firstLine(message), change) });
    expect(reading).toEqual({ kind: 'not_understood', reason: 'line_unreadable' });
  });

  it('leaves out item names that are absent or strange', () => {
    const absent = read('paid', {
      editMessage: (message) => Object.assign(firstLine(message), { item_id: 0, alias: 'null' }),
    });
    expect(absent).toMatchObject({ event: { lines: [{ itemKeys: [] }] } });
    const strange = read('paid', {
      editMessage: (message) => Object.assign(firstLine(message), { item_id: 'x:1', alias: 'a:b' }),
    });
    expect(strange).toMatchObject({ event: { lines: [{ itemKeys: [] }] } });
  });

  it('refuses an order without lines, or with one line twice', () => {
    for (const orders of [[], null, {}, '', 'x']) {
      const reading = read('paid', { editMessage: (message) => Object.assign(orderOf(message), { orders }) });
      expect(reading).toEqual({ kind: 'not_understood', reason: 'lines_missing' });
    }
    const twice = [
      { lineId: '1', paidFen: 1n },
      { lineId: '1', paidFen: 1n },
    ];
    expect(read('paid', { lines: twice })).toEqual({ kind: 'not_understood', reason: 'duplicate_line' });
  });
});

describe('notes', () => {
  it('hands the order’s and the line’s words to the caller, apart from the event', () => {
    const reading = read('paid', {
      note: '主播推荐 #k7q2m8x',
      lines: [
        { lineId: '1', paidFen: 1n, buyerMessages: '{"留言":"要红色","备注":["快", 5, null, ""]}' },
        { lineId: '2', paidFen: 1n, buyerMessages: '就要这个' },
        { lineId: '__proto__', paidFen: 1n, buyerMessages: 'null' },
      ],
    });
    expect(reading).toMatchObject({ kind: 'event' });
    if (reading.kind !== 'event') return;
    expect(Object.entries(reading.notes)).toEqual([
      ['1', '主播推荐 #k7q2m8x\n要红色\n快\n5'],
      ['2', '主播推荐 #k7q2m8x\n就要这个'],
      ['__proto__', '主播推荐 #k7q2m8x'],
    ]);
    expect(reading.event.lines?.map((line) => line.evidence)).toEqual([{}, {}, {}]);
  });

  it('bounds them', () => {
    const reading = read('paid', { note: '😀'.repeat(3000) });
    const [note] = Object.values(reading.kind === 'event' ? reading.notes : {});
    expect(note?.length).toBe(2000);
    expect(note?.isWellFormed()).toBe(true);
  });
});

describe('fuzz', () => {
  const paths = ['order_info', 'orders', 'remark_info', 'pay_info'];

  it('reads any damaged order without throwing, and never an amount it could not read', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...paths),
        fc.jsonValue(),
        fc.constantFrom('payment', 'num', 'oid', 'item_id', 'buyer_messages'),
        (path, value, field) => {
          const damagedPart = read('paid', {
            editMessage: (message) => Object.assign(orderOf(message), { [path]: value }),
          });
          expect(['event', 'not_understood']).toContain(damagedPart.kind);
          const damagedLine = read('paid', {
            editMessage: (message) => Object.assign(firstLine(message), { [field]: value }),
          });
          if (damagedLine.kind !== 'event') return;
          expect(damagedLine.event.lines?.every((line) => line.paidFen >= 0n && Number.isInteger(line.quantity))).toBe(
            true,
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});
