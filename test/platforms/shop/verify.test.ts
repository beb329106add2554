import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { newShopSecret, signShop, verifyShop, type ShopHeaders } from '../../../src/platforms/shop/verify.ts';

const now = new Date('2026-11-22T03:04:05.500Z');
const timestamp = Math.floor(now.getTime() / 1000);
const secret = newShopSecret(Buffer.alloc(32, 7));
const oldSecret = newShopSecret(Buffer.alloc(24, 9));
const rawBody = Buffer.from('{"type":"order.paid","备注":"好"}');

/** Signed by the reference library, not by our own code. */
function sign(change: { body?: Buffer; id?: string; at?: number; with?: string } = {}): ShopHeaders {
  const { body = rawBody, id = 'msg_1', at = timestamp, with: key = secret } = change;
  return { id, timestamp: String(at), signature: new Webhook(key).sign(id, new Date(at * 1000), body) };
}

const right = sign();
const signature = right.signature ?? '';

describe('what the reference library signed is accepted', () => {
  it('with the current secret, and with one not yet expired', () => {
    expect(verifyShop({ rawBody, headers: right, secrets: [secret, oldSecret], now })).toEqual({ ok: true });
    expect(verifyShop({ rawBody, headers: sign({ with: oldSecret }), secrets: [secret, oldSecret], now })).toEqual({
      ok: true,
    });
  });

  it.each([-300, -299, 0, 299, 300])('sent %d seconds from now', (offset) => {
    const at = new Date((timestamp + offset) * 1000);
    expect(verifyShop({ rawBody, headers: right, secrets: [secret], now: at })).toEqual({ ok: true });
  });

  it('among other signatures, of other secrets and versions', () => {
    const list = ['v1a,xyz', 'v1,AAAA', sign({ with: oldSecret }).signature, 'v2,zzz', signature].join(' ');
    expect(verifyShop({ rawBody, headers: { ...right, signature: list }, secrets: [secret], now })).toEqual({
      ok: true,
    });
  });

  it('for any body and id, byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.stringMatching(/^[!-~]{1,40}$/), (bytes, id) => {
        const body = Buffer.from(bytes.map((byte) => byte % 128));
        const headers = sign({ body, id });
        expect(headers.signature).toBe(signShop({ rawBody: body, id, timestamp: String(timestamp), secret }));
        expect(verifyShop({ rawBody: body, headers, secrets: [secret], now })).toEqual({ ok: true });
      }),
    );
  });
});

describe('everything else is refused', () => {
  it.each([
    ['no id', { id: undefined }, 'header_missing'],
    ['no timestamp', { timestamp: undefined }, 'header_missing'],
    ['no signature', { signature: undefined }, 'header_missing'],
    ['an empty id', { id: '' }, 'id_malformed'],
    ['an id with a blank', { id: 'msg 1' }, 'id_malformed'],
    ['an id with NUL', { id: 'msg\u0000' }, 'id_malformed'],
    ['an id of 129 characters', { id: 'x'.repeat(129) }, 'id_malformed'],
    ['another id', { id: 'msg_2' }, 'signature_wrong'],
    ['an empty timestamp', { timestamp: '' }, 'timestamp_malformed'],
    ['a negative timestamp', { timestamp: '-1' }, 'timestamp_malformed'],
    ['a timestamp with a fraction', { timestamp: `${timestamp}.0` }, 'timestamp_malformed'],
    ['an exponent', { timestamp: '1e9' }, 'timestamp_malformed'],
    ['an ISO time', { timestamp: now.toISOString() }, 'timestamp_malformed'],
    ['milliseconds', { timestamp: String(now.getTime()) }, 'timestamp_malformed'],
    ['a blank before the timestamp', { timestamp: ` ${timestamp}` }, 'timestamp_malformed'],
    ['a leading zero, which was not signed', { timestamp: `0${timestamp}` }, 'signature_wrong'],
    ['another second', { timestamp: String(timestamp + 1) }, 'signature_wrong'],
    ['an empty signature', { signature: '' }, 'signature_wrong'],
    ['only the version', { signature: 'v1,' }, 'signature_wrong'],
    ['no version', { signature: signature.slice(3) }, 'signature_wrong'],
    ['another version', { signature: signature.replace('v1', 'v2') }, 'signature_wrong'],
    ['an upper-case version', { signature: signature.replace('v1', 'V1') }, 'signature_wrong'],
    ['a shorter signature', { signature: signature.slice(0, -1) }, 'signature_wrong'],
    ['a longer one', { signature: `${signature}A` }, 'signature_wrong'],
    ['another case', { signature: `v1,${signature.slice(3).toLowerCase()}` }, 'signature_wrong'],
    [
      'base64url',
      { signature: `v1,${Buffer.from(signature.slice(3), 'base64').toString('base64url')}` },
      'signature_wrong',
    ],
    ['hex', { signature: `v1,${Buffer.from(signature.slice(3), 'base64').toString('hex')}` }, 'signature_wrong'],
    ['a comma list', { signature: `v1,AAAA,${signature}` }, 'signature_wrong'],
    ['a tab list', { signature: `v1,AAAA\t${signature}` }, 'signature_wrong'],
    ['multi-byte characters', { signature: `v1,${'中'.repeat(44)}` }, 'signature_wrong'],
    ['a hundred signatures', { signature: `${'v1,AAAA '.repeat(99)}${signature}` }, 'signature_wrong'],
    ['eleven signatures', { signature: `${'v1,A '.repeat(10)}${signature}` }, 'signature_wrong'],
    ['a megabyte', { signature: `v1,${'A'.repeat(1_000_000)}` }, 'signature_wrong'],
  ] as const)('%s', (_name, change, reason) => {
    expect(verifyShop({ rawBody, headers: { ...right, ...change }, secrets: [secret], now })).toEqual({
      ok: false,
      reason,
    });
  });

  it('ten signatures are still read', () => {
    const headers = { ...right, signature: `${'v1,A '.repeat(9)}${signature}` };
    expect(verifyShop({ rawBody, headers, secrets: [secret], now })).toEqual({ ok: true });
  });

  it.each([-301, -300.001, 300.001, 301, 86_400])('a message %d seconds from now', (offset) => {
    const at = new Date((timestamp + offset) * 1000);
    expect(verifyShop({ rawBody, headers: right, secrets: [secret], now: at })).toEqual({
      ok: false,
      reason: 'timestamp_out_of_range',
    });
  });

  it('any changed byte of the body', () => {
    fc.assert(
      fc.property(fc.nat(rawBody.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(rawBody);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        expect(verifyShop({ rawBody: changed, headers: right, secrets: [secret], now }).ok).toBe(false);
      }),
    );
  });

  it('an expired secret, and a store without any', () => {
    expect(verifyShop({ rawBody, headers: sign({ with: oldSecret }), secrets: [secret], now }).ok).toBe(false);
    expect(verifyShop({ rawBody, headers: right, secrets: [], now }).ok).toBe(false);
  });
});

describe('newShopSecret', () => {
  it('makes secrets the reference library takes', () => {
    const made = newShopSecret(randomBytes(32));
    expect(made).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const headers = sign({ with: made });
    expect(verifyShop({ rawBody, headers, secrets: [made], now })).toEqual({ ok: true });
  });

  it('wants 24 to 64 bytes', () => {
    expect(() => newShopSecret(Buffer.alloc(23))).toThrow(RangeError);
    expect(() => newShopSecret(Buffer.alloc(65))).toThrow(RangeError);
  });

  it.each(['', 'whsec_', 'whsec_AAAA', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', 'whsec_****'])(
    'a stored %j is a bug',
    (bad) => {
      expect(() => verifyShop({ rawBody, headers: right, secrets: [bad], now })).toThrow(RangeError);
    },
  );
});
