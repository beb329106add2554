import { describe, expect, test } from 'vitest';
import { deriveKeys, open, seal, SealError } from '../../src/infra/secrets.ts';

const FIRST = Buffer.from('the first secret, thirty-two bytes and more');
const SECOND = Buffer.from('the second secret, thirty-two bytes and more');
const TEXT = Buffer.from('clientSecret: 有赞');

function reasonOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SealError) return error.reason;
    throw error;
  }
  return 'opened';
}

describe('derived keys', () => {
  test('one secret always gives the same keys, of the sizes SipHash and AES-256 take', () => {
    const keys = deriveKeys(FIRST);
    expect(deriveKeys(FIRST)).toEqual(keys);
    expect(keys.clickIdKeys.map((each) => each.key.length)).toEqual([16]);
    expect(keys.sealingKeys.map((each) => each.key.length)).toEqual([32]);
    expect(keys.sealingKeys[0]?.key.subarray(0, 16)).not.toEqual(keys.clickIdKeys[0]?.key);
  });

  test('a secret keeps its key and number when it becomes the previous one, and the current one comes first', () => {
    const before = deriveKeys(FIRST);
    const after = deriveKeys(SECOND, FIRST);
    expect(after.clickIdKeys).toEqual([...deriveKeys(SECOND).clickIdKeys, ...before.clickIdKeys]);
    expect(after.sealingKeys).toEqual([...deriveKeys(SECOND).sealingKeys, ...before.sealingKeys]);
  });

  test('the derivation never changes: what was sealed years ago must open', () => {
    const [clickId] = deriveKeys(FIRST).clickIdKeys;
    expect({ number: clickId?.number, key: clickId?.key.toString('hex') }).toMatchInlineSnapshot(`
      {
        "key": "cf4965bbb1b08e251f5e276ce35a4e52",
        "number": 147,
      }
    `);
    expect(deriveKeys(FIRST).sealingKeys[0]?.key.toString('hex')).toMatchInlineSnapshot(
      `"efc4d36e62d9d62b211cc3f9d0eabf197cf0732b642387614e98ecd6a1b87643"`,
    );
  });
});

describe('sealing', () => {
  const { sealingKeys } = deriveKeys(FIRST);

  test('opens to what was sealed, of any length', () => {
    for (const plaintext of [TEXT, Buffer.alloc(0), Buffer.alloc(100_000, 7)]) {
      expect(open(sealingKeys, seal(sealingKeys, plaintext))).toEqual(plaintext);
    }
  });

  test('two seals of one text differ, and neither shows the text', () => {
    const sealed = seal(sealingKeys, TEXT);
    expect(seal(sealingKeys, TEXT)).not.toEqual(sealed);
    expect(sealed.includes(TEXT)).toBe(false);
  });

  test('names the key in its first byte', () => {
    expect(seal(sealingKeys, TEXT)[0]).toBe(sealingKeys[0]?.number);
  });

  test('every single altered byte is refused', () => {
    const sealed = seal(sealingKeys, TEXT);
    for (let index = 0; index < sealed.length; index += 1) {
      const altered = Buffer.from(sealed);
      altered.writeUInt8(sealed.readUInt8(index) ^ 1, index);
      const expected = index === 0 ? 'unknown_key' : index === 1 ? 'malformed' : 'tampered';
      expect(reasonOf(() => open(sealingKeys, altered))).toBe(expected);
    }
  });

  test('a cut or lengthened value is refused', () => {
    const sealed = seal(sealingKeys, TEXT);
    expect(reasonOf(() => open(sealingKeys, sealed.subarray(0, -1)))).toBe('tampered');
    expect(reasonOf(() => open(sealingKeys, Buffer.concat([sealed, Buffer.from('x')])))).toBe('tampered');
    expect(reasonOf(() => open(sealingKeys, sealed.subarray(0, 29)))).toBe('malformed');
    expect(reasonOf(() => open(sealingKeys, Buffer.alloc(0)))).toBe('malformed');
  });

  test('after a rotation the old values open, new ones need the new secret, and after the next rotation the oldest are closed', () => {
    const rotated = deriveKeys(SECOND, FIRST).sealingKeys;
    expect(open(rotated, seal(sealingKeys, TEXT))).toEqual(TEXT);
    expect(reasonOf(() => open(sealingKeys, seal(rotated, TEXT)))).toBe('unknown_key');
    expect(reasonOf(() => open(deriveKeys(SECOND).sealingKeys, seal(sealingKeys, TEXT)))).toBe('unknown_key');
  });
});
