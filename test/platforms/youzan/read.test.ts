import { describe, expect, it } from 'vitest';
import { infoOf, read, readBytes } from './readings.ts';

describe('head', () => {
  it.each(['', null, 'null', {}, undefined])(
    'falls back to the instant of the version when update_time is %j',
    (updated) => {
      const reading = read('received', {
        version: 1_615_111_582,
        editMessage: (message) => Object.assign(message, { update_time: updated }),
      });
      expect(reading).toMatchObject({ event: { occurredAt: new Date(1_615_111_582_000) } });
    },
  );

  it.each(['2021-13-01 00:00:00', '2021-03-07', 'now', '1999-12-31 23:59:59', '2100-01-01 08:00:01', 5, []])(
    'refuses an update_time of %j',
    (updated) => {
      const reading = read('received', { editMessage: (message) => Object.assign(message, { update_time: updated }) });
      expect(reading).toEqual({ kind: 'not_understood', reason: 'time_unreadable' });
    },
  );

  it('refuses unreadable times of creation and payment, and lives with absent ones', () => {
    for (const change of [{ created: 'x' }, { pay_time: 'x' }]) {
      expect(read('paid', { editMessage: (message) => Object.assign(infoOf(message), change) })).toEqual({
        kind: 'not_understood',
        reason: 'time_unreadable',
      });
    }
    const reading = read('paid', {
      editMessage: (message) => Object.assign(infoOf(message), { created: {}, pay_time: 'null' }),
    });
    expect(reading.kind === 'event' && Object.keys(reading.event).toSorted()).toEqual([
      'externalOrderId',
      'lines',
      'occurredAt',
      'type',
      'version',
    ]);
  });

  it('refuses a message without order number, or with two', () => {
    for (const tid of ['', null, 'null', {}, undefined, 'a b', 'x'.repeat(65)]) {
      expect(read('received', { editMessage: (message) => Object.assign(message, { tid }) })).toEqual({
        kind: 'not_understood',
        reason: 'order_number_unreadable',
      });
    }
    expect(read('received', { editMessage: (message) => Object.assign(message, { tid: 'E2' }) })).toEqual({
      kind: 'not_understood',
      reason: 'order_number_conflict',
    });
  });

  it('refuses a message without version', () => {
    expect(read('received', { editBody: (body) => delete body['version'] })).toEqual({
      kind: 'not_understood',
      reason: 'version_unreadable',
    });
  });
});

describe('types', () => {
  it.each([
    ['trade_TradeBuyerPay', 'confirms_payment'],
    ['trade_TradePartlySellerShip', 'shipping'],
    ['trade_TradeSellerShip', 'shipping'],
    ['trade_TradeMemoModified', 'memo'],
    ['salesman_order_settle_state_update', 'salesman'],
    ['salesman_customer_relation_change_biz', 'salesman'],
  ])('%s is ignored: %s', (type, reason) => {
    expect(read('paid', { type })).toEqual({ kind: 'ignored', reason });
  });

  it.each(['trade_Unheard', 'trade_tradepaid', '', 'constructor', '__proto__', 'ITEM_INFO_UPDATE'])(
    '%j is not understood',
    (type) => {
      expect(read('paid', { type })).toEqual({ kind: 'not_understood', reason: 'unknown_type' });
    },
  );

  it.each([
    'trade_TradePaid',
    'trade_TradeCreate',
    'trade_TradeSuccess',
    'trade_TradeClose',
    'trade_refund_RefundSuccess',
  ])('%s with an unreadable message is not understood', (type) => {
    const body = JSON.stringify({ type, id: 'E1', version: 1_615_111_582, msg: '%zz' });
    expect(readBytes(Buffer.from(body))).toEqual({ kind: 'not_understood', reason: 'message_unreadable' });
  });

  it.each([
    [2, true],
    ['2', true],
    [1, false],
    [6, false],
    [22, false],
    ['', false],
    [null, false],
  ])('close_type %j is a full refund: %s', (closeType, fullRefund) => {
    const reading = read('closed', { editMessage: (message) => Object.assign(message, { close_type: closeType }) });
    expect(reading).toMatchObject({ event: { type: 'closed', fullRefund } });
  });
});
