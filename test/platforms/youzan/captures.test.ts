import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readYouzanCapture, YOUZAN_CAPTURE_NAMES } from '../../support/youzan-message.ts';
import { readBytes } from './readings.ts';

describe('the real captures', () => {
  it('paid: 1 fen without the freight of 1 fen', () => {
    expect(readBytes(readYouzanCapture('paid').rawBody)).toEqual({
      kind: 'event',
      event: {
        type: 'paid',
        externalOrderId: 'E20210629113750000000001',
        version: 1_624_937_878n,
        occurredAt: new Date('2021-06-29T11:37:58+08:00'),
        createdAt: new Date('2021-06-29T11:37:52+08:00'),
        paidAt: new Date('2021-06-29T11:37:57+08:00'),
        lines: [
          {
            externalLineId: '2810000000000000001',
            itemKeys: ['item:900000001', 'alias:1exampleali01'],
            quantity: 1,
            paidFen: 1n,
            evidence: {},
          },
        ],
      },
      notes: {},
    });
  });

  it('created: unpaid, so no time of payment', () => {
    expect(readBytes(readYouzanCapture('created').rawBody)).toEqual({
      kind: 'event',
      event: {
        type: 'created',
        externalOrderId: 'E20220901150511000000003',
        version: 1_662_015_912n,
        occurredAt: new Date('2022-09-01T15:05:12+08:00'),
        createdAt: new Date('2022-09-01T15:05:11+08:00'),
        lines: [
          {
            externalLineId: '2893000000000000001',
            itemKeys: ['item:2000000004', 'alias:2exampleali0001'],
            quantity: 1,
            paidFen: 1n,
            evidence: {},
          },
        ],
      },
      notes: {},
    });
  });

  it('success: the whole order was received', () => {
    expect(readBytes(readYouzanCapture('received').rawBody)).toEqual({
      kind: 'event',
      event: {
        type: 'received',
        externalOrderId: 'E20210307175649000000004',
        version: 1_615_111_582n,
        occurredAt: new Date('2021-03-07T18:06:22+08:00'),
      },
      notes: {},
    });
  });

  it('close of 2018, older encoding: closed by full refund', () => {
    expect(readBytes(readYouzanCapture('closed').rawBody)).toEqual({
      kind: 'event',
      event: {
        type: 'closed',
        externalOrderId: 'E20181031225820000000005',
        version: 1_540_998_186n,
        occurredAt: new Date('2018-10-31T23:02:19+08:00'),
        fullRefund: true,
      },
      notes: {},
    });
  });

  it('refund: asked for, with its line, amount and millisecond version', () => {
    expect(readBytes(readYouzanCapture('refund').rawBody)).toEqual({
      kind: 'event',
      event: {
        type: 'refund_requested',
        externalOrderId: 'E20220901102943000000006',
        version: 1_662_018_756_482n,
        occurredAt: new Date('2022-09-01T15:52:36+08:00'),
        refund: {
          refundId: '20220901155235000000000001',
          kind: 'refund',
          portions: [{ lineIds: ['2893000000000000031'], refundedFen: 1n }],
        },
      },
      notes: {},
    });
  });

  it('the vectors: receipt, refund as an object, heartbeat', () => {
    const { vectors } = JSON.parse(
      readFileSync(new URL('../../fixtures/youzan/event_sign_vectors.json', import.meta.url), 'utf8'),
    ) as { vectors: { name: string; raw_body: string }[] };
    const readings = Object.fromEntries(
      vectors.map(({ name, raw_body: body }) => [name, readBytes(Buffer.from(body))]),
    );
    expect(readings['plain']).toMatchObject({
      kind: 'event',
      event: { type: 'received', externalOrderId: 'E20210629113750000000001' },
    });
    expect(readings['heartbeat']).toEqual({ kind: 'ignored', reason: 'heartbeat' });
    expect(readings['new_refund_message_object_msg']).toMatchObject({
      kind: 'event',
      event: {
        type: 'refunded',
        version: 1_795_312_800_123n,
        refund: { refundId: '20261122100000000000000001', portions: [{ lineIds: [], refundedFen: 1250n }] },
      },
    });
  });

  it.each(YOUZAN_CAPTURE_NAMES)('%s: leaves all personal data behind', (name) => {
    const reading = readBytes(readYouzanCapture(name).rawBody);
    const text = JSON.stringify(reading, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    for (const personal of ['收货人', '买家', '138', '示例', 'oXXX', 'abcdefgh', 'AAAA', 'book', 'yz_open']) {
      expect(text).not.toContain(personal);
    }
  });
});
