import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalCode } from '../../../src/core/links/link-code.ts';
import {
  MAX_BOX_CHARACTERS,
  boxTextOf,
  readAddressText,
  readTypedCode,
  readTypedLink,
} from '../../../src/core/links/typed-code.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });

describe('readTypedCode', () => {
  it.each([
    ['k7q 2m8x', 'k7q2m8x'],
    ['K 7 Q 2 M 8 X', 'k7q2m8x'],
    ['k7q\u200b2m8x', 'k7q2m8x'],
    ['k7q2m8x快来看', 'k7q2m8x'],
    ['tea-pot。', 'tea-pot'],
    ['k7q2m8x.php', 'k7q2m8x'],
  ])('reads %j as %j', (text, code) => {
    expect(readTypedCode(text)).toBe(code);
  });

  // Two codes: a guess would send somebody to the wrong product.
  it.each(['k7q2m8x m3n4p5q', 'tea pot', '快来看', '来xk7q2m8x', 'tea-pot快来看', ''])('leaves %j alone', (text) => {
    expect(readTypedCode(text)).toBeUndefined();
  });

  it('answers in the canonical spelling for any text, and what canonicalCode reads it reads alike', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const code = readTypedCode(text);
        expect(canonicalCode(code ?? 'none')).toBe(code ?? 'none');
        expect([undefined, code]).toContain(canonicalCode(text));
      }),
    );
  });
});

describe('readTypedLink', () => {
  it.each([
    ['https://go.example.com/k7q2m8x', { code: 'k7q2m8x' }],
    ['go.example.com/tea-pot/V12', { code: 'tea-pot', tag: 'v12' }],
    ['ｈｔｔｐｓ：／／go.example.com／k7q2m8x', { code: 'k7q2m8x' }],
    ['http://localhost:3000/k7q2m8x/preview', { code: 'k7q2m8x' }],
    ['https://go.example.com/', undefined],
  ])('reads %j as %j', (text, link) => {
    expect(readTypedLink(text)).toEqual(link);
  });
});

describe('readAddressText', () => {
  it('reads UTF-8 in escapes and in bytes, and GBK where it is no UTF-8', () => {
    const encoded = encodeURIComponent('快来。');
    expect(readAddressText(encoded)).toBe('快来。');
    expect(readAddressText(Buffer.from('快来。').toString('latin1'))).toBe('快来。');
    expect(readAddressText('%BF%EC%C0%B4%A1%A3')).toBe('快来。');
    expect(readAddressText('快来。')).toBe('快来。');
    expect(readAddressText('100%')).toBe('100%');
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.nat(0xff).map((byte) => String.fromCharCode(byte)), maxLength: 60 }),
        (bytes) => {
          expect(readAddressText(bytes)).toEqual(expect.any(String));
        },
      ),
    );
  });
});

describe('boxTextOf', () => {
  it('is letters, digits and hyphens, at most 32, whatever was asked for', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(boxTextOf(text)).toMatch(new RegExp(`^[a-z0-9-]{0,${MAX_BOX_CHARACTERS}}$`));
      }),
    );
    expect(boxTextOf('Ｋ7Q。 0L')).toBe('k7q0l');
  });
});
