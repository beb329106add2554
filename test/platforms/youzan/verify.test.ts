import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signYouzan, verifyYouzan, youzanAck, type YouzanHeaders } from '../../../src/platforms/youzan/verify.ts';
import {
  readYouzanCapture,
  YOUZAN_CAPTURE_NAMES,
  YOUZAN_TEST_CREDENTIALS as credentials,
  type YouzanPush,
} from '../../support/youzan-message.ts';

interface Vector {
  name: string;
  raw_body: string;
  event_sign: string;
  headers: { 'Client-Id': string; 'Event-Type': string; 'Event-Sign': string };
  legacy_sign_over_msg_as_received?: string;
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../fixtures/youzan/event_sign_vectors.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };

function headersOf({ headers }: Pick<YouzanPush, 'headers'>): YouzanHeaders {
  return { eventSign: headers['event-sign'], clientId: headers['client-id'], eventType: headers['event-type'] };
}

function vectorHeaders({ headers }: Vector): YouzanHeaders {
  return { eventSign: headers['Event-Sign'], clientId: headers['Client-Id'], eventType: headers['Event-Type'] };
}

const paid = readYouzanCapture('paid');
const right = headersOf(paid);

describe('what Youzan signed is accepted', () => {
  it.each(vectors)('vector $name', (vector) => {
    const rawBody = Buffer.from(vector.raw_body);
    expect(signYouzan({ rawBody, credentials })).toBe(vector.event_sign);
    expect(verifyYouzan({ rawBody, headers: vectorHeaders(vector), credentials })).toEqual({ ok: true });
  });

  it.each(YOUZAN_CAPTURE_NAMES)('capture %s', (name) => {
    const push = readYouzanCapture(name);
    expect(verifyYouzan({ rawBody: push.rawBody, headers: headersOf(push), credentials })).toEqual({ ok: true });
  });

  it('a heartbeat whose empty Event-Type a proxy dropped', () => {
    const heartbeat = vectors.find(({ name }) => name === 'heartbeat');
    if (heartbeat === undefined) throw new Error('the vector is missing');
    const headers = { ...vectorHeaders(heartbeat), eventType: undefined };
    expect(verifyYouzan({ rawBody: Buffer.from(heartbeat.raw_body), headers, credentials })).toEqual({ ok: true });
  });
});

describe('everything else is refused', () => {
  const sign = right.eventSign ?? '';

  it.each([
    [
      'an absent Event-Sign, though the legacy sign in the body is right',
      { eventSign: undefined },
      'signature_missing',
    ],
    ['an empty Event-Sign', { eventSign: '' }, 'signature_missing'],
    ['the legacy sign as Event-Sign', { eventSign: '1647c97d6ba1db24cee583aaa1e75a57' }, 'signature_wrong'],
    ['upper case', { eventSign: sign.toUpperCase() }, 'signature_wrong'],
    ['a blank before', { eventSign: ` ${sign}` }, 'signature_wrong'],
    ['a blank after', { eventSign: `${sign} ` }, 'signature_wrong'],
    ['a shorter one', { eventSign: sign.slice(0, 31) }, 'signature_wrong'],
    ['a longer one', { eventSign: `${sign}0` }, 'signature_wrong'],
    ['the header twice', { eventSign: `${sign}, ${sign}` }, 'signature_wrong'],
    ['a multi-byte text of equal length', { eventSign: '中'.repeat(32) }, 'signature_wrong'],
    ['a megabyte', { eventSign: 'a'.repeat(1_000_000) }, 'signature_wrong'],
    ['another Client-Id', { clientId: '0123456789abcdef02' }, 'client_id_differs'],
    ['an absent Client-Id', { clientId: undefined }, 'client_id_differs'],
    ['an empty Client-Id', { clientId: '' }, 'client_id_differs'],
    ['another Event-Type', { eventType: 'trade_TradeCreate' }, 'event_type_differs'],
    ['an absent Event-Type', { eventType: undefined }, 'event_type_differs'],
    ['another case of Event-Type', { eventType: 'trade_tradepaid' }, 'event_type_differs'],
  ] as const)('%s', (_name, change, reason) => {
    const headers = { ...right, ...change };
    expect(verifyYouzan({ rawBody: paid.rawBody, headers, credentials })).toEqual({ ok: false, reason });
  });

  it('the right legacy sign where Event-Sign is wrong: no fall back', () => {
    for (const vector of vectors.filter((one) => one.legacy_sign_over_msg_as_received !== undefined)) {
      const headers = { ...vectorHeaders(vector), eventSign: vector.legacy_sign_over_msg_as_received };
      expect(verifyYouzan({ rawBody: Buffer.from(vector.raw_body), headers, credentials })).toEqual({
        ok: false,
        reason: 'signature_wrong',
      });
    }
  });

  it('any changed byte of the body', () => {
    fc.assert(
      fc.property(fc.nat(paid.rawBody.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const rawBody = Buffer.from(paid.rawBody);
        rawBody.writeUInt8(rawBody.readUInt8(at) ^ flip, at);
        expect(verifyYouzan({ rawBody, headers: right, credentials })).toEqual({
          ok: false,
          reason: 'signature_wrong',
        });
      }),
      { numRuns: 500 },
    );
  });

  it('the same content written again as JSON', () => {
    const rawBody = Buffer.from(JSON.stringify(JSON.parse(paid.rawBody.toString()), null, 1));
    expect(verifyYouzan({ rawBody, headers: right, credentials })).toMatchObject({ ok: false });
  });

  it('the secret or the client of another app', () => {
    const otherSecret = { ...credentials, clientSecret: 'another' };
    const otherClient = { ...credentials, clientId: 'another' };
    expect(verifyYouzan({ rawBody: paid.rawBody, headers: right, credentials: otherSecret }).ok).toBe(false);
    expect(verifyYouzan({ rawBody: paid.rawBody, headers: right, credentials: otherClient }).ok).toBe(false);
  });

  it.each(['', 'null', '[]', '"x"', '{', '\ufeff{}'])('a signed body that is no message: %j', (text) => {
    const rawBody = Buffer.from(text);
    const headers = { ...right, eventType: '', eventSign: signYouzan({ rawBody, credentials }) };
    expect(verifyYouzan({ rawBody, headers, credentials })).toEqual({ ok: false, reason: 'malformed' });
  });
});

describe('youzanAck', () => {
  it('answers what the platform documents', () => {
    expect(youzanAck(true)).toEqual({ code: 0, msg: 'success' });
    expect(youzanAck(false)).toEqual({ code: 0, msg: 'failed' });
  });
});
