import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalCode,
  canonicalTag,
  isCanonicalTag,
  checkAlias,
  CODE_ALPHABET,
  CODE_LENGTH,
  isGeneratedCode,
  noteTokens,
} from '../../../src/core/links/link-code.ts';

const alphabetTexts = fc.string({
  unit: fc.constantFrom(...CODE_ALPHABET.split('')),
  minLength: CODE_LENGTH,
  maxLength: CODE_LENGTH,
});
const codes = alphabetTexts.filter((text) => /\d/.test(text) && /[a-z]/.test(text));
const aliases = fc.stringMatching(/^[a-z0-9][a-z0-9-]{2,30}[a-z0-9]$/);

/** Any code point, control characters and lone surrogates included. */
const anyCharacter = fc.nat(0x10ffff).map((codePoint) => String.fromCodePoint(codePoint));

const toFullWidth = (text: string): string =>
  text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0));

describe('isGeneratedCode', () => {
  it('knows exactly the mixed texts of the alphabet', () => {
    fc.assert(
      fc.property(alphabetTexts, (text) => {
        expect(isGeneratedCode(text)).toBe(/\d/.test(text) && /[a-z]/.test(text));
      }),
    );
    for (const char of '01ilou-_') expect(isGeneratedCode(`k7q2m8${char}`)).toBe(false);
    for (const text of ['k7q2m8', 'k7q2m8xy', 'K7Q2M8X', 'sweater', '6234567'])
      expect(isGeneratedCode(text)).toBe(false);
  });
});

describe('canonicalCode', () => {
  it.each([
    ['as issued', 'k7q2m8x'],
    ['in capitals', 'K7Q2M8X'],
    ['full-width', 'ｋ７Ｑ２ｍ８ｘ'],
    ['before a Chinese full stop', 'k7q2m8x。'],
    ['among Chinese punctuation', '（“k7q2m8x”）！？，、'],
    ['among full-width ASCII punctuation', '（ｋ７ｑ２ｍ８ｘ）！'],
    ['with spaces of every kind', ' \t\u00a0\u3000k7q2m8x\u200b\ufeff\n'],
    ['with hyphens and dashes around it', '--k7q2m8x-——'],
    ['with emoji around it', '👉️k7q2m8x👈️'],
    ['with symbols around it', '~$k7q2m8x+=|'],
  ])('finds a code %s', (_, raw) => {
    expect(canonicalCode(raw)).toBe('k7q2m8x');
  });

  it('leaves every code and alias as it is, and finds it in capitals and full width', () => {
    fc.assert(
      fc.property(fc.oneof(codes, aliases), (code) => {
        expect(canonicalCode(code)).toBe(code);
        expect(canonicalCode(code.toUpperCase())).toBe(code);
        expect(canonicalCode(toFullWidth(code))).toBe(code);
      }),
    );
  });

  it('gives a canonical text or nothing for any text at all', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(anyCharacter, fc.constantFrom(...'k7q2m8x-#＃。 Ａ'.split(''))), maxLength: 60 }),
        (raw) => {
          const code = canonicalCode(raw);
          expect(code ?? 'none').toMatch(/^[a-z0-9][a-z0-9-]{2,30}[a-z0-9]$/);
          expect(canonicalCode(code ?? '')).toBe(code);
        },
      ),
    );
  });

  it.each([
    ['', 'nothing'],
    ['。。。', 'only punctuation'],
    ['abc', 'three characters'],
    ['a'.repeat(33), '33 characters'],
    ['k7q2 m8x', 'a space inside'],
    ['k7q2_m8x', 'an underscore inside'],
    ['k7q2m8x/v12', 'a tag behind it'],
    ['k7q2m8x.php', 'a file ending'],
    ['链接k7q2m8x', 'words around it'],
    ['\u212a7q2m8x', 'a Kelvin sign, which lower-cases to k'],
    ['k7q2m8é', 'another Latin letter'],
    ['①k7q2m8x', 'another digit'],
    [`k7q2m8x${' '.repeat(200)}`, 'more text than is looked at'],
  ])('refuses %j: %s', (raw) => {
    expect(canonicalCode(raw)).toBeUndefined();
  });

  // Otherwise an alias given before its word was reserved would stop working in videos that are already out.
  it('does not consult the reserved words', () => {
    expect(canonicalCode('docs')).toBe('docs');
  });
});

describe('checkAlias', () => {
  it('accepts 4 to 32 characters of the alphabet and nothing shorter or longer', () => {
    expect(checkAlias('abcd')).toEqual({ ok: true });
    expect(checkAlias('a'.repeat(32))).toEqual({ ok: true });
    expect(checkAlias('summer-sale-2026')).toEqual({ ok: true });
    expect(checkAlias('abc')).toEqual({ ok: false, reason: 'malformed' });
    expect(checkAlias('a'.repeat(33))).toEqual({ ok: false, reason: 'malformed' });
  });

  it.each(['', 'Abcd', 'ab cd', 'ab_cd', 'ab.cd', '夏日特惠', 'abcd\n', '-abcd', 'abcd-', '----', 'ａｂｃｄ'])(
    'refuses the malformed %j',
    (text) => {
      expect(checkAlias(text)).toEqual({ ok: false, reason: 'malformed' });
    },
  );

  it.each(
    'v1 api qr docs hooks healthz readyz metrics problems openapi.json favicon.ico robots.txt assets static admin preview .well-known'.split(
      ' ',
    ),
  )('refuses the reserved %j', (text) => {
    expect(checkAlias(text)).toEqual({ ok: false, reason: 'reserved' });
  });

  // A bare code in a note names a generated code only because no alias can look like one; and typing errors cannot be bought.
  it('refuses every alias that looks like a generated code, but no word and no number', () => {
    fc.assert(
      fc.property(codes, (code) => {
        expect(checkAlias(code)).toEqual({ ok: false, reason: 'reserved' });
      }),
    );
    for (const text of ['sweater', 'dresses', '6234567', 'k7q-2m8', 'k7q2m8', 'k7q2m8xy']) {
      expect(checkAlias(text)).toEqual({ ok: true });
    }
  });

  it('accepts only what a visitor can type back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 12 }), aliases, (noise, alias) => {
        const accepted = [noise, alias].filter((text) => checkAlias(text).ok);
        expect(accepted.map(canonicalCode)).toEqual(accepted);
      }),
    );
  });
});

describe('canonicalTag', () => {
  it('leaves alone exactly what isCanonicalTag accepts', () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.stringMatching(/^[A-Za-z0-9_.-]{0,40}$/),
      fc.constant('preview'),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(isCanonicalTag(text)).toBe(canonicalTag(text) === text);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['v12', 'v12'],
    ['V12。', 'v12'],
    ['ｖ１２', 'v12'],
    ['a', 'a'],
    ['_x-', '_x-'],
    ['v'.repeat(32), 'v'.repeat(32)],
    ['qr', 'qr'],
    ['previews', 'previews'],
  ])('reads %j as %j', (raw, tag) => {
    expect(canonicalTag(raw)).toBe(tag);
  });

  it.each([
    '',
    '。',
    'v'.repeat(33),
    'v 12',
    'v12/3',
    '视频',
    'qr.svg',
    'qr.png',
    'preview',
    'PREVIEW',
    'preview。',
    'a\tb',
    'vé',
  ])('refuses %j', (raw) => {
    expect(canonicalTag(raw)).toBeUndefined();
  });
});

describe('noteTokens', () => {
  it.each([
    ['a bare code', 'k7q2m8x', ['k7q2m8x']],
    ['a code inside Chinese text', '用k7q2m8x买的，谢谢', ['k7q2m8x']],
    ['a code in capitals and full width', '来自Ｋ７Ｑ２Ｍ８Ｘ！', ['k7q2m8x']],
    ['a marked code and alias', '#k7q2m8x #my-shop', ['k7q2m8x', 'my-shop']],
    ['a full-width mark', '＃夏天 ＃my-shop＃', ['my-shop']],
    ['a marked word and number', '#sweater #6234567', ['sweater', '6234567']],
    ['a whole short link', 'https://d.example/k7q2m8x/v12', ['k7q2m8x']],
    ['a code set off by hyphens', '红色-k7q2m8x-大码_', ['k7q2m8x']],
    ['a code behind an emoji and a list number', '👉️k7q2m8x ①m3n4p5q', ['k7q2m8x', 'm3n4p5q']],
    ['the same code twice', 'k7q2m8x #K7Q2M8X', ['k7q2m8x']],
    ['two codes in order', 'm3n4p5q, k7q2m8x', ['m3n4p5q', 'k7q2m8x']],
  ])('finds %s', (_, note, tokens) => {
    expect(noteTokens(note)).toEqual(tokens);
  });

  it.each([
    ['words of seven letters', 'present sweater'],
    ['telephone numbers', '电话 6234567 或 13987654321'],
    ['bare aliases', 'my-shop summer-sale-2026'],
    ['parts of longer words', 'xk7q2m8x k7q2m8xx k7q2m8x9 k7q2m8xé é-k7q2m8'],
    ['parts of words with hyphens', 'a-k7q2m8x k7q2m8x-b k7q2m8x_b'],
    ['characters that codes never have', 'k7q2m80 k7q2mil o7q2m8x'],
    ['marks with too little behind them', '#abc # abcd #'],
    ['nothing', ''],
  ])('leaves %s alone', (_, note) => {
    expect(noteTokens(note)).toEqual([]);
  });

  it('finds any code or marked alias between any Chinese words', () => {
    fc.assert(
      fc.property(codes, aliases, fc.constantFrom('', '。', ' ', '，请尽快发货', '谢谢'), (code, alias, words) => {
        expect(noteTokens(`我要${code}${words}#${alias}号`)).toEqual([...new Set([code, alias])]);
      }),
    );
  });

  it('is bounded: 50 tokens of the first 5,000 characters, whatever is sent', () => {
    const many = Array.from({ length: 90 }, (_, i) => `#alias-${i}`);
    expect(noteTokens(many.join(' '))).toEqual(many.slice(0, 50).map((token) => token.slice(1)));
    expect(noteTokens(`${' '.repeat(4_992)}k7q2m8x`)).toEqual(['k7q2m8x']);
    expect(noteTokens(`${' '.repeat(5_000)}k7q2m8x`)).toEqual([]);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(anyCharacter, fc.constantFrom(...'k7q2m8x-#＃。 Ａ'.split(''))), maxLength: 300 }),
        (note) => {
          const tokens = noteTokens(note);
          expect(tokens.map(canonicalCode)).toEqual(tokens);
        },
      ),
    );
  });
});
