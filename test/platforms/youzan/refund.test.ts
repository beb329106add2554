import { describe, expect, it } from 'vitest';
import { read, withoutAmount, withRefundId } from './readings.ts';

describe('refunds', () => {
  it.each([
    ['trade_refund_BuyerCreated', 'refund_requested'],
    ['trade_refund_RefundAgain', 'refund_requested'],
    ['trade_refund_RefundSellerCreated', 'refund_requested'],
    ['trade_refund_RefundSellerAgreeReturnGoods', 'refund_requested'],
    ['trade_refund_RefundBuyerReturnGoods', 'refund_requested'],
    ['trade_refund_RefundSellerRefuse', 'refund_requested'],
    ['trade_refund_RefundSellerRefuseBuyerReturnGoods', 'refund_requested'],
    ['trade_refund_YouzanInterApplied', 'refund_requested'],
    ['trade_refund_RefundSellerAgree', 'refunded'],
    ['trade_refund_RefundSuccess', 'refunded'],
    ['trade_refund_SysRefund', 'refunded'],
    ['trade_refund_RefundClosed', 'refund_closed'],
    ['youzan_trade_RefundCreated', 'refund_requested'],
    ['youzan_trade_RefundSellerAgree', 'refund_requested'],
    ['youzan_trade_RefundSuccess', 'refunded'],
    ['youzan_trade_RefundClosed', 'refund_closed'],
  ])('%s is read as %s', (type, expected) => {
    expect(read('refund', { type })).toMatchObject({ kind: 'event', event: { type: expected } });
  });

  it('an agreement to take goods back is not yet a refund', () => {
    const refund = { refundId: 'R1', refundedFen: 5000n, lineIds: ['1'], type: 'REFUND_AND_RETURN' };
    expect(read('refund', { type: 'trade_refund_RefundSellerAgree', refund })).toMatchObject({
      event: { type: 'refund_requested' },
    });
    expect(read('refund', { type: 'trade_refund_RefundSuccess', refund })).toMatchObject({
      event: { type: 'refunded' },
    });
  });

  it('one amount for several lines stays one portion', () => {
    const refund = { refundId: 'R1', refundedFen: 5001n, lineIds: ['1', '2', ' 3', '2', ''] };
    expect(read('refund', { refund })).toMatchObject({
      event: { refund: { portions: [{ lineIds: ['1', '2', '3'], refundedFen: 5001n }] } },
    });
  });

  it.each(['', null, 'null', {}, undefined])('oids of %j mean the whole order', (oids) => {
    const reading = read('refund', { editMessage: (message) => Object.assign(message, { oids }) });
    expect(reading).toMatchObject({ event: { refund: { portions: [{ lineIds: [], refundedFen: 1n }] } } });
  });

  it('an exchange is marked and needs no amount', () => {
    const change = { refund_type: 'EXCHANGE_GOODS_FLOW', refunded_fee: '' };
    const reading = read('refund', {
      type: 'trade_refund_RefundSuccess',
      editMessage: (message) => Object.assign(message, change),
    });
    expect(reading).toMatchObject({
      event: { type: 'refunded', refund: { kind: 'exchange', portions: [{ refundedFen: 0n }] } },
    });
  });

  it('a paid-out refund without amount is not understood, a request without one is', () => {
    expect(read('refund', { type: 'trade_refund_SysRefund', editMessage: withoutAmount })).toEqual({
      kind: 'not_understood',
      reason: 'refund_amount_unreadable',
    });
    expect(read('refund', { editMessage: withoutAmount })).toMatchObject({
      event: { refund: { portions: [{ refundedFen: 0n }] } },
    });
  });

  it('brings a missing inner version to milliseconds, so that messages of one refund compare', () => {
    const withInner = read('refund');
    const without = read('refund', { version: 1_662_018_757, editMessage: (message) => delete message['version'] });
    expect(without).toMatchObject({ event: { version: 1_662_018_757_000n } });
    expect(withInner).toMatchObject({ event: { version: 1_662_018_756_482n } });
    const outerMs = read('refund', { version: 1_662_018_757_123, editMessage: (message) => delete message['version'] });
    expect(outerMs).toMatchObject({ event: { version: 1_662_018_757_123n } });
  });

  it.each([
    [{ refund_id: '' }, 'refund_unreadable'],
    [{ refund_id: 'a b' }, 'refund_unreadable'],
    [{ version: 'x' }, 'refund_unreadable'],
    [{ oids: 'a b' }, 'refund_unreadable'],
    [{ oids: ',' }, 'refund_unreadable'],
    [{ oids: ['1'] }, 'refund_unreadable'],
    [{ refunded_fee: '-1' }, 'refund_amount_unreadable'],
    [{ refunded_fee: 'x' }, 'refund_amount_unreadable'],
    [{ refunded_fee: '100000000.01' }, 'refund_amount_unreadable'],
    [{ refund_type: 'SOMETHING_NEW' }, 'refund_type_unknown'],
  ])('%j: %s', (change, reason) => {
    expect(read('refund', { editMessage: (message) => Object.assign(message, change) })).toEqual({
      kind: 'not_understood',
      reason,
    });
  });

  it('knows a refund whose envelope carries the refund’s id, in the newer set only', () => {
    expect(read('refund', { type: 'youzan_trade_RefundSuccess', editBody: withRefundId })).toMatchObject({
      kind: 'event',
    });
    expect(read('refund', { type: 'trade_refund_RefundSuccess', editBody: withRefundId })).toEqual({
      kind: 'not_understood',
      reason: 'order_number_conflict',
    });
  });
});
