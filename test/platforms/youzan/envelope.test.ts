import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonNumber } from '../../../src/platforms/json-text.ts';
import { readYouzanEnvelope, verifyYouzan, type YouzanEnvelope } from '../../../src/platforms/youzan/verify.ts';
import {
  buildYouzanMessage,
  javaUrlEncode,
  readYouzanCapture,
  YOUZAN_CAPTURE_NAMES,
  YOUZAN_TEST_CREDENTIALS,
} from '../../support/youzan-message.ts';

function read(body: string | Buffer): YouzanEnvelope {
  const answer = readYouzanEnvelope(Buffer.from(body));
  if (!answer.ok) throw new Error(answer.reason);
  return answer.envelope;
}

/** Numbers back as numbers, to compare with the published decoding. */
function plain(value: unknown): unknown {
  if (value instanceof JsonNumber) return Number(value.source);
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

describe('readYouzanEnvelope', () => {
  it.each(YOUZAN_CAPTURE_NAMES)('decodes the message of the %s capture exactly, in either encoding style', (name) => {
    const capture = readYouzanCapture(name);
    expect(plain(read(capture.rawBody).message)).toEqual(capture.message);
  });

  it('reads ids as texts and the version as an integer', () => {
    expect(read(readYouzanCapture('paid').rawBody)).toMatchObject({
      type: 'trade_TradePaid',
      clientId: '0123456789abcdef01',
      kdtId: '10000001',
      rootKdtId: '10000001',
      id: 'E20210629113750000000001',
      version: 1_624_937_878n,
      heartbeat: false,
      eventKey: '00000000-0000-4000-8000-000000000101',
    });
  });

  it('keeps every digit of ids above 2^53', () => {
    const envelope = read(
      '{"kdt_id":9007199254740993,"id":1234567890123456789,"version":9223372036854775807,"msg":"x"}',
    );
    expect(envelope).toMatchObject({
      kdtId: '9007199254740993',
      id: '1234567890123456789',
      version: 9_223_372_036_854_775_807n,
    });
  });

  it.each(['null', '""', '"null"', '{}', '9223372036854775808', '-1', '1.5', '1e3', '"x"', '[1]', 'true'])(
    'has no version when it is %s',
    (version) => {
      expect(read(`{"version":${version},"msg":"x"}`).version).toBeUndefined();
    },
  );

  it.each(['null', '""', '"null"', '{}', '[]', 'false'])('has no shop when kdt_id is %s', (kdtId) => {
    expect(read(`{"kdt_id":${kdtId},"root_kdt_id":${kdtId},"id":${kdtId},"msg":"x"}`)).not.toHaveProperty('kdtId');
  });

  it.each([
    ['{"test":true,"msg":"%7B%22tid%22%3A%22E1%22%7D"}', true],
    ['{"test":false,"msg":""}', true],
    ['{"test":false,"msg":null}', true],
    ['{"test":false}', true],
    ['{"msg":{}}', true],
    ['{"test":"true","msg":"%7B%22tid%22%3A%22E1%22%7D"}', false],
    ['{"test":false,"msg":"%7B%22tid%22%3A%22E1%22%7D"}', false],
    ['{"test":false,"msg":"garbage"}', false],
  ])('%s is a heartbeat: %s', (body, heartbeat) => {
    expect(read(body).heartbeat).toBe(heartbeat);
  });

  it('takes msg as an object, as encoded text and as plain JSON text', () => {
    const message = { tid: 'E1', note: 'a+b c%20d' };
    const json = JSON.stringify(message);
    for (const msg of [message, javaUrlEncode(json), encodeURIComponent(json), json]) {
      expect(plain(read(JSON.stringify({ msg })).message)).toEqual(message);
    }
  });

  it.each(['%7B', '%', '%zz', '%ff', 'null', '%5B%5D', '%22x%22', '1', '%7B%7D'])(
    'has no message when msg is %j',
    (msg) => {
      expect(read(JSON.stringify({ msg }))).not.toHaveProperty('message');
    },
  );

  it.each(['', ' ', '{', '[]', 'null', '1', '"{}"', "{'a':1}", '{"a":1}x', '\ufeff{}'])(
    'calls %j malformed',
    (body) => {
      expect(readYouzanEnvelope(Buffer.from(body))).toEqual({ ok: false, reason: 'malformed' });
    },
  );

  it('calls bytes that are no UTF-8 malformed', () => {
    expect(readYouzanEnvelope(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toEqual({
      ok: false,
      reason: 'malformed',
    });
  });

  it.each([65, 5000, 200_000])('survives %d levels of nesting', (levels) => {
    const nested = '['.repeat(levels) + ']'.repeat(levels);
    expect(readYouzanEnvelope(Buffer.from(`{"a":${nested}}`))).toEqual({ ok: false, reason: 'malformed' });
    expect(read(JSON.stringify({ msg: `{"a":${nested}}` }))).not.toHaveProperty('message');
  });

  it.each([String.raw`a\u0000b`, String.raw`\ud800`, 'a b', '退款', 'x'.repeat(65)])('%s is no type', (type) => {
    expect(read(`{"type":"${type}","kdt_id":1,"msg":"x"}`).type).toBe('');
  });

  it('is not fooled by __proto__ or inherited names', () => {
    const envelope = read('{"__proto__":{"type":"trade_TradePaid","kdt_id":1},"constructor":{"kdt_id":2},"msg":"x"}');
    expect(envelope.type).toBe('');
    expect(envelope).not.toHaveProperty('kdtId');
    expect(({} as Record<string, unknown>)['kdt_id']).toBeUndefined();
  });

  it('takes the last of a repeated key, for the message and for its key alike', () => {
    const envelope = read('{"type":"a","kdt_id":1,"msg_id":"m1","msg":"x","type":"b","kdt_id":2,"msg_id":"m2"}');
    expect(envelope).toMatchObject({ type: 'b', kdtId: '2', eventKey: 'm2' });
  });

  it('answers any bytes without throwing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json().map((text) => Buffer.from(text)),
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          expect(typeof readYouzanEnvelope(bytes).ok).toBe('boolean');
        },
      ),
    );
  });
});

describe('event key and digest', () => {
  it('is msg_id where there is one', () => {
    expect(read('{"msg_id":"00000000-0000-4000-8000-000000000101","msg":"x"}').eventKey).toBe(
      '00000000-0000-4000-8000-000000000101',
    );
  });

  it('is type, shop, id and version where there is none', () => {
    const push = buildYouzanMessage('received', { messageId: null });
    expect(read(push.rawBody).eventKey).toBe('trade_TradeSuccess:10000001:E20210307175649000000004:1615111582');
    expect(read(buildYouzanMessage('received', { messageId: null, version: 1 }).rawBody).eventKey).not.toBe(
      read(push.rawBody).eventKey,
    );
  });

  it.each(['a\u0000b', 'ü', 'x'.repeat(129), ' ', '\ud800'])('is printable for any msg_id, such as %j', (messageId) => {
    expect(read(JSON.stringify({ msg_id: messageId, msg: 'x' })).eventKey).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('is the content where nothing names the message', () => {
    expect(read('{"msg":"x"}').eventKey).toBe(`sha256:${read('{"msg":"x"}').contentSha256}`);
    expect(read('{"msg":"x"}').eventKey).not.toBe(read('{"msg":"y"}').eventKey);
  });

  it('gives every delivery of one message one digest, whatever its sendCount, key order and blanks', () => {
    const digest = read('{"msg":"x","sendCount":0,"a":{"b":1,"c":[1,2]}}').contentSha256;
    expect(read('{ "a": {"c":[1, 2],"b":1}, "sendCount": 7, "msg":"x" }').contentSha256).toBe(digest);
    expect(read('{"msg":"x","a":{"b":1,"c":[1,2]}}').contentSha256).toBe(digest);
  });

  it.each([
    '{"msg":"y","a":{"b":1,"c":[1,2]}}',
    '{"msg":"x","a":{"b":2,"c":[1,2]}}',
    '{"msg":"x","a":{"b":1,"c":[2,1]}}',
    '{"msg":"x","a":{"b":"1","c":[1,2]}}',
    '{"msg":"x","a":{"b":1,"c":[1,2],"sendCount":1}}',
    '{"msg":"x"}',
  ])('gives other content another digest: %s', (body) => {
    expect(read(body).contentSha256).not.toBe(read('{"msg":"x","a":{"b":1,"c":[1,2]}}').contentSha256);
  });

  it('tells numbers apart that a float would not', () => {
    expect(read('{"msg":"x","a":9007199254740993}').contentSha256).not.toBe(
      read('{"msg":"x","a":9007199254740992}').contentSha256,
    );
  });
});

describe('the test builder', () => {
  it.each(['created', 'paid', 'received', 'refund'] as const)('gives the %s capture back byte for byte', (name) => {
    const capture = readYouzanCapture(name);
    const built = buildYouzanMessage(name);
    expect(built.rawBody.toString()).toBe(capture.rawBody.toString());
    expect(built.headers).toEqual(capture.headers);
  });

  it('writes the close capture of 2018 in the newer style, with the same content', () => {
    expect(plain(read(buildYouzanMessage('closed').rawBody).message)).toEqual(readYouzanCapture('closed').message);
  });

  it('puts a shop number above 2^53 into the body, and signs what it sends', () => {
    const push = buildYouzanMessage('paid', { kdtId: '9007199254740993' });
    expect(read(push.rawBody)).toMatchObject({ kdtId: '9007199254740993', rootKdtId: '9007199254740993' });
    const headers = {
      eventSign: push.headers['event-sign'],
      clientId: push.headers['client-id'],
      eventType: push.headers['event-type'],
    };
    expect(verifyYouzan({ rawBody: push.rawBody, headers, credentials: YOUZAN_TEST_CREDENTIALS })).toEqual({
      ok: true,
    });
  });
});
