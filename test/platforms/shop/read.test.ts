import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readShopMessage, shopMessageSchema } from '../../../src/platforms/shop/verify.ts';

const line = { lineId: '1', itemId: '600000000001', quantity: 1, paidFen: 19_900 };
const paid = {
  type: 'order.paid',
  orderId: 'A-1001',
  occurredAt: '2026-11-22T03:04:05Z',
  version: 3,
  createdAt: '2026-11-22T11:02:00+08:00',
  lines: [line],
};
const refund = { refundId: 'R-1', lines: [{ lineId: '1', refundedFen: 5000 }] };
const refunded = { type: 'order.refunded', orderId: 'A-1001', occurredAt: '2026-11-23T03:04:05Z', version: 4, refund };

function read(body: unknown): ReturnType<typeof readShopMessage> {
  return readShopMessage(Buffer.from(JSON.stringify(body)));
}

function faultsOf(body: unknown): string[] {
  const reading = read(body);
  return reading.ok ? [] : reading.errors.map(({ path }) => path);
}

describe('the events of the contract', () => {
  it('order.paid with everything a line may say', () => {
    const full = {
      ...line,
      clickId: 'c1',
      couponCode: 'LIN10',
      buyerNote: '主播 #k7q2m8x\n谢谢',
      adzoneId: '110',
      relationId: '220',
      clickedAt: '2026-11-22T03:00:00.250Z',
    };
    expect(read({ ...paid, lines: [full, { ...line, lineId: '2', paidFen: 0, quantity: 1_000_000 }] })).toEqual({
      ok: true,
      events: [
        {
          event: {
            type: 'paid',
            externalOrderId: 'A-1001',
            version: 3n,
            occurredAt: new Date('2026-11-22T03:04:05Z'),
            createdAt: new Date('2026-11-22T03:02:00Z'),
            lines: [
              {
                externalLineId: '1',
                itemKeys: ['item:600000000001'],
                quantity: 1,
                paidFen: 19_900n,
                evidence: {
                  clickId: 'c1',
                  couponCode: 'LIN10',
                  adzoneId: '110',
                  relationId: '220',
                  clickedAt: new Date('2026-11-22T03:00:00.250Z'),
                },
              },
              { externalLineId: '2', itemKeys: ['item:600000000001'], quantity: 1_000_000, paidFen: 0n, evidence: {} },
            ],
          },
          notes: { '1': '主播 #k7q2m8x\n谢谢' },
        },
      ],
    });
  });

  it('order.refunded, one portion a line', () => {
    const body = {
      ...refunded,
      refund: { refundId: 'R-1', lines: [...refund.lines, { lineId: '2', refundedFen: 1 }] },
    };
    expect(read(body)).toEqual({
      ok: true,
      events: [
        {
          event: {
            type: 'refunded',
            externalOrderId: 'A-1001',
            version: 4n,
            occurredAt: new Date('2026-11-23T03:04:05Z'),
            refund: {
              refundId: 'R-1',
              kind: 'refund',
              portions: [
                { lineIds: ['1'], refundedFen: 5000n },
                { lineIds: ['2'], refundedFen: 1n },
              ],
            },
          },
          notes: {},
        },
      ],
    });
  });

  it.each(['order.refund_requested', 'order.refund_closed'])('%s may leave out amounts and lines', (type) => {
    expect(read({ ...refunded, type, refund: { refundId: 'R-1' } })).toMatchObject({
      events: [{ event: { refund: { portions: [{ lineIds: [], refundedFen: 0n }] } } }],
    });
    expect(read({ ...refunded, type, refund: { refundId: 'R-1', lines: [{ lineId: '1' }] } })).toMatchObject({
      events: [{ event: { refund: { portions: [{ lineIds: ['1'], refundedFen: 0n }] } } }],
    });
  });

  it.each(['order.received', 'order.settled', 'order.closed'])('%s names its lines, or means all', (type) => {
    const base = { type, orderId: 'A', occurredAt: '2026-11-22T03:04:05Z', version: 0 };
    const all = read(base);
    expect(all.ok && all.events[0]?.event).toEqual({
      type: type.slice(6),
      externalOrderId: 'A',
      version: 0n,
      occurredAt: new Date('2026-11-22T03:04:05Z'),
    });
    expect(read({ ...base, lines: [{ lineId: '2' }, line] })).toMatchObject({
      events: [{ event: { lineIds: ['2', '1'] } }],
    });
    expect(faultsOf({ ...base, lines: [] })).toEqual(['lines']);
  });

  it('order.closed may be a full refund; no other event may say so', () => {
    const closed = {
      type: 'order.closed',
      orderId: 'A',
      occurredAt: '2026-11-22T03:04:05Z',
      version: 0,
      fullRefund: true,
    };
    expect(read(closed)).toMatchObject({ events: [{ event: { type: 'closed', fullRefund: true } }] });
    expect(read({ ...closed, fullRefund: false })).toMatchObject({ events: [{ event: { fullRefund: false } }] });
    expect(faultsOf({ ...closed, fullRefund: 'true' })).toEqual(['fullRefund']);
    expect(faultsOf({ ...paid, fullRefund: true })).toEqual(['fullRefund']);
  });

  it('takes whole lines beside a refund, as a shop that always sends the order does', () => {
    expect(read({ ...refunded, lines: [line] })).toMatchObject({ ok: true, events: [{ event: { type: 'refunded' } }] });
  });

  it('takes up to a hundred events, in their order', () => {
    const events = Array.from({ length: 100 }, (_, index) => ({ ...paid, orderId: `A-${index}` }));
    const reading = read({ events });
    expect(reading.ok && reading.events.map(({ event }) => event.externalOrderId)).toEqual(
      events.map(({ orderId }) => orderId),
    );
    expect(faultsOf({ events: [...events, paid] })).toEqual(['events']);
    expect(faultsOf({ events: [] })).toEqual(['events']);
  });
});

describe('what the contract does not allow', () => {
  it.each([
    ['an unknown type', { ...paid, type: 'order.shipped' }, ['type']],
    ['no type', { ...paid, type: undefined }, ['type']],
    ['an inherited name as type', { ...paid, type: 'constructor' }, ['type']],
    ['no version', { ...paid, version: undefined }, ['version']],
    ['a negative version', { ...paid, version: -1 }, ['version']],
    ['a text as version', { ...paid, version: '3' }, ['version']],
    ['no order number', { ...paid, orderId: undefined }, ['orderId']],
    ['an empty order number', { ...paid, orderId: '' }, ['orderId']],
    ['a number as order number', { ...paid, orderId: 1001 }, ['orderId']],
    ['NUL in an id', { ...paid, orderId: 'A\u0000' }, ['orderId']],
    ['a control character', { ...paid, orderId: 'A\u001b[31m' }, ['orderId']],
    ['a lone surrogate', { ...paid, orderId: 'A\ud800' }, ['orderId']],
    ['a long id', { ...paid, orderId: 'x'.repeat(129) }, ['orderId']],
    ['a time without zone', { ...paid, occurredAt: '2026-11-22T03:04:05' }, ['occurredAt']],
    ['a day', { ...paid, occurredAt: '2026-11-22' }, ['occurredAt']],
    ['a day that is none', { ...paid, occurredAt: '2026-02-30T00:00:00Z' }, ['occurredAt']],
    ['seconds', { ...paid, occurredAt: 1_795_312_800 }, ['occurredAt']],
    ['the last second of 1999', { ...paid, occurredAt: '1999-12-31T23:59:59Z' }, ['occurredAt']],
    ['the year 2100', { ...paid, occurredAt: '2100-01-01T00:00:00Z' }, ['occurredAt']],
    ['a faulty creation time', { ...paid, createdAt: '2026-11-22' }, ['createdAt']],
    ['null as creation time', { ...paid, createdAt: null }, ['createdAt']],
    ['an unknown field', { ...paid, status: 'paid' }, ['status']],
    ['a field that names a tenant', { ...paid, brandId: 'brd_1' }, ['brandId']],
    ['no lines', { ...paid, lines: undefined }, ['lines']],
    ['empty lines', { ...paid, lines: [] }, ['lines']],
    [
      '201 lines',
      { ...paid, lines: Array.from({ length: 201 }, (_, index) => ({ ...line, lineId: `${index}` })) },
      ['lines'],
    ],
    ['a line twice', { ...paid, lines: [line, line] }, ['lines']],
    ['an unknown field in a line', { ...paid, lines: [{ ...line, price: 1 }] }, ['lines.0.price']],
    ['a line without item', { ...paid, lines: [{ ...line, itemId: undefined }] }, ['lines.0.itemId']],
    [
      'a line without amount',
      { ...paid, lines: [line, { ...line, lineId: '2', paidFen: undefined }] },
      ['lines.1.paidFen'],
    ],
    ['a negative amount', { ...paid, lines: [{ ...line, paidFen: -1 }] }, ['lines.0.paidFen']],
    ['an amount as text', { ...paid, lines: [{ ...line, paidFen: '19900' }] }, ['lines.0.paidFen']],
    ['half a fen', { ...paid, lines: [{ ...line, paidFen: 0.5 }] }, ['lines.0.paidFen']],
    [
      'an amount above 100 million yuan',
      { ...paid, lines: [{ ...line, paidFen: 10_000_000_001 }] },
      ['lines.0.paidFen'],
    ],
    ['a quantity of 0', { ...paid, lines: [{ ...line, quantity: 0 }] }, ['lines.0.quantity']],
    ['a quantity above a million', { ...paid, lines: [{ ...line, quantity: 1_000_001 }] }, ['lines.0.quantity']],
    ['a long note', { ...paid, lines: [{ ...line, buyerNote: 'x'.repeat(2001) }] }, ['lines.0.buyerNote']],
    ['a faulty click time', { ...paid, lines: [{ ...line, clickedAt: 'now' }] }, ['lines.0.clickedAt']],
    ['an empty click id', { ...paid, lines: [{ ...line, clickId: '' }] }, ['lines.0.clickId']],
    ['a refund on a payment', { ...paid, refund }, ['refund']],
    ['a refund event without refund', { ...refunded, refund: undefined }, ['refund']],
    ['a refund without id', { ...refunded, refund: { lines: refund.lines } }, ['refund.refundId']],
    ['a refund without lines', { ...refunded, refund: { refundId: 'R' } }, ['refund.lines']],
    [
      'a refund without amount',
      { ...refunded, refund: { refundId: 'R', lines: [{ lineId: '1' }] } },
      ['refund.lines.0.refundedFen'],
    ],
    [
      'a refund of one line twice',
      { ...refunded, refund: { refundId: 'R', lines: [...refund.lines, ...refund.lines] } },
      ['refund.lines'],
    ],
    [
      'a fault deep in a list',
      { events: [paid, { ...paid, lines: [{ ...line, paidFen: -1 }] }] },
      ['events.1.lines.0.paidFen'],
    ],
    ['a list beside an event', { ...paid, events: [paid] }, Object.keys(paid)],
    ['a list in a list', { events: [{ events: [paid] }] }, ['events.0.type']],
  ])('%s', (_name, body, paths) => {
    expect(faultsOf(body)).toEqual(paths);
  });

  it.each([
    '19900.0',
    '1.99e4',
    '19900.00000000000001',
    '9007199254740993',
    '1e400',
    '"19900"',
    'true',
    'null',
    '[19900]',
  ])('an amount written as %s', (amount) => {
    const text = JSON.stringify(paid).replace('19900', amount);
    expect(readShopMessage(Buffer.from(text))).toMatchObject({ ok: false, errors: [{ path: 'lines.0.paidFen' }] });
  });

  it.each([
    '',
    ' ',
    '{',
    'null',
    '[]',
    '1',
    '"x"',
    '\ufeff{}',
    '['.repeat(200_000),
    `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
  ])('a body that is no event (%#)', (text) => {
    expect(readShopMessage(Buffer.from(text)).ok).toBe(false);
  });

  it('bytes that are no UTF-8', () => {
    expect(readShopMessage(Buffer.from([0xff, 0xfe]))).toEqual({
      ok: false,
      errors: [{ path: '', message: 'must be JSON in UTF-8' }],
    });
  });

  it('bytes cut off within a character, which leave nothing behind for the next body', () => {
    const body = Buffer.from(JSON.stringify({ ...paid, orderId: '达' }));
    const cut = body.subarray(0, body.indexOf('达') + 2);
    for (let time = 0; time < 3; time += 1) {
      expect(readShopMessage(cut).ok).toBe(false);
      expect(readShopMessage(body)).toMatchObject({ ok: true, events: [{ event: { externalOrderId: '达' } }] });
    }
  });

  it('answers a bounded list of bounded faults', () => {
    const lines = Array.from({ length: 200 }, (_, index) => ({ lineId: `${index}`, [`k${'x'.repeat(5000)}`]: 1 }));
    const reading = read({ ...paid, lines });
    expect(reading.ok ? [] : reading.errors).toHaveLength(20);
    expect(JSON.stringify(reading).length).toBeLessThan(10_000);
  });

  it('never pollutes, and takes no key from a prototype', () => {
    const text = '{"__proto__":{"type":"order.paid","orderId":"A"},"constructor":{"prototype":{"x":1}}}';
    expect(readShopMessage(Buffer.from(text)).ok).toBe(false);
    expect(Object.hasOwn(Object.prototype, 'orderId')).toBe(false);
  });

  it('reads any JSON without throwing', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('type', 'orderId', 'occurredAt', 'version', 'lines', 'createdAt'),
        (value, key) => {
          expect(typeof read(value).ok).toBe('boolean');
          const damaged = read({ ...paid, [key]: value });
          expect(
            damaged.ok ? damaged.events.every(({ event }) => event.version >= 0n) : damaged.errors.length > 0,
          ).toBe(true);
        },
      ),
    );
  });
});

describe('shopMessageSchema', () => {
  it('can be shown as JSON Schema in the API document', () => {
    expect(JSON.stringify(z.toJSONSchema(shopMessageSchema, { io: 'input' }))).toContain('refund_requested');
  });
});
