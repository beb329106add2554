import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VERDICTS } from '../../src/core/vocabulary.ts';
import {
  cleanClickText,
  decodeClickLine,
  decodeClicks,
  encodeClickLine,
  encodeClicks,
  joinClickLines,
  MAX_CLICKS_PER_ENTRY,
} from '../../src/clicks/click-batch.ts';
import { createClickIdMint, MAX_CLICKED_AT_MS, MAX_LINK_NUMBER } from '../../src/core/clicks/click-id.ts';
import type { Click } from '../../src/core/clicks/click.ts';

const mint = createClickIdMint({ number: 1, key: Buffer.alloc(16, 1) });
const CLICK: Click = {
  clickId: mint({ linkNumber: 42, clickedAtMs: 1_795_316_645_678, random: new Uint8Array(8) }),
  clickedAt: new Date(1_795_316_645_678),
  linkNumber: 42,
  tag: 'v12',
  verdict: 'counted',
  visitor: '0123456789abcdef',
  app: 'douyin',
  os: 'ios',
  province: '浙江',
};

/** Any code point, control characters and lone surrogates included. */
const anyCharacter = fc
  .oneof(fc.nat(0x10ffff), fc.nat(0xff), fc.integer({ min: 0xd800, max: 0xdfff }))
  .map((codePoint) => String.fromCodePoint(codePoint));
const freeTexts = fc.string({ unit: anyCharacter, maxLength: 60 });
const clicks: fc.Arbitrary<Click> = fc
  .record({
    linkNumber: fc.integer({ min: 1, max: MAX_LINK_NUMBER }),
    clickedAtMs: fc.integer({ min: 0, max: MAX_CLICKED_AT_MS }),
    random: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    tag: fc.option(fc.stringMatching(/^[a-z0-9_-]{1,32}$/)),
    verdict: fc.constantFrom(...VERDICTS),
    visitor: fc.stringMatching(/^[0-9a-f]{16}$/),
    app: freeTexts,
    os: freeTexts,
    province: fc.option(freeTexts.filter((text) => text !== '')),
  })
  .map(({ clickedAtMs, random, tag, province, ...kept }) => {
    const clickId = mint({ linkNumber: kept.linkNumber, clickedAtMs, random });
    const optional = { ...(tag !== null && { tag }), ...(province !== null && { province }) };
    return Object.assign(kept, { clickId, clickedAt: new Date(clickedAtMs) }, optional);
  });

/** A click as it may be kept: only its free texts are touched. */
function clean(click: Click): Click {
  const { app, os, province } = click;
  const cleaned = { ...click, app: cleanClickText(app), os: cleanClickText(os) };
  return province === undefined ? cleaned : { ...cleaned, province: cleanClickText(province) };
}

describe('the text of a stream entry', () => {
  // Processes of two versions share one stream during a rolling restart: this text may never change its meaning.
  it('is fixed for version 1', () => {
    const line = `${CLICK.clickId}\t1795316645678\t42\tv12\tcounted\t0123456789abcdef\tdouyin\tios\t浙江`;
    const { tag: _tag, province: _province, ...bare } = CLICK;
    const bareLine = `${CLICK.clickId}\t1795316645678\t42\t\tcounted\t0123456789abcdef\tdouyin\tios\t`;
    expect(encodeClicks([CLICK, bare])).toBe(`clicks/1\n${line}\n${bareLine}`);
    expect(decodeClicks(`clicks/1\n${line}\n${bareLine}`)).toEqual({ ok: true, clicks: [CLICK, bare], badLines: [] });
  });

  it('gives back any clicks, with free texts made safe', () => {
    fc.assert(
      fc.property(fc.array(clicks, { minLength: 1, maxLength: 20 }), (batch) => {
        const text = encodeClicks(batch);
        expect(decodeClicks(text)).toEqual({ ok: true, clicks: batch.map(clean), badLines: [] });
        // What Redis and Postgres are given is UTF-8: nothing may be lost on that way.
        expect(Buffer.from(text).toString()).toBe(text);
        expect(text.split('\n')).toHaveLength(batch.length + 1);
      }),
    );
  });

  it('is the join of lines that were encoded one by one', () => {
    expect(joinClickLines([encodeClickLine(CLICK), encodeClickLine(CLICK)])).toBe(encodeClicks([CLICK, CLICK]));
  });

  it('names the line that cannot be read and keeps the clicks around it', () => {
    const text = encodeClicks([CLICK, CLICK, CLICK]).split('\n');
    text[2] = 'broken';
    expect(decodeClicks(text.join('\n'))).toEqual({
      ok: true,
      clicks: [CLICK, CLICK],
      badLines: [{ lineNumber: 2, line: 'broken', reason: 'fields' }],
    });
  });

  it('is of version 2 exactly where a click was answered by a page, and both are read', () => {
    const page: Click = { ...CLICK, outcome: 'page' };
    expect(encodeClicks([CLICK, CLICK])).toMatch(/^clicks\/1\n/);
    const mixed = encodeClicks([CLICK, page]);
    expect(mixed).toMatch(/^clicks\/2\n/);
    expect(mixed.split('\n')[1]).toBe(encodeClickLine(CLICK));
    expect(decodeClicks(mixed)).toEqual({ ok: true, clicks: [CLICK, page], badLines: [] });
    const plain: Click = { ...CLICK };
    delete plain.province;
    for (const click of [plain, { ...plain, outcome: 'page' as const }])
      expect(decodeClicks(encodeClicks([click]))).toEqual({ ok: true, clicks: [click], badLines: [] });
  });

  it.each(['', 'Page', 'shop', 'page\t', 'page\tpage'])('has no other outcome: %j', (outcome) => {
    expect(decodeClickLine(`${encodeClickLine(CLICK)}\t${outcome}`)).toEqual({ ok: false, reason: 'fields' });
  });

  it('is not guessed at in an unknown version, empty or without end', () => {
    const text = encodeClicks([CLICK]);
    for (const version of ['clicks/3', 'clicks/10', 'clicks/1 ', '']) {
      expect(decodeClicks(text.replace('clicks/1', version))).toEqual({ ok: false, reason: 'unknown_version' });
    }
    expect(decodeClicks('')).toEqual({ ok: false, reason: 'unknown_version' });
    expect(decodeClicks(encodeClickLine(CLICK))).toEqual({ ok: false, reason: 'unknown_version' });
    expect(decodeClicks('clicks/1')).toEqual({ ok: false, reason: 'empty' });
    const most = Array.from({ length: MAX_CLICKS_PER_ENTRY }, () => CLICK);
    expect(decodeClicks(encodeClicks(most))).toMatchObject({ ok: true, badLines: [] });
    expect(decodeClicks(`${encodeClicks(most)}\n${encodeClickLine(CLICK)}`)).toEqual({
      ok: false,
      reason: 'too_many_clicks',
    });
    expect(() => encodeClicks([...most, CLICK])).toThrow('1,000');
    expect(() => encodeClicks([])).toThrow('1 to');
  });

  it('never makes the reader throw, and every line is a click or a bad line', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: anyCharacter }).filter((line) => !line.includes('\n')),
          { minLength: 1 },
        ),
        (lines) => {
          const reading = decodeClicks(`clicks/1\n${lines.join('\n')}`);
          expect(reading.ok && reading.clicks.length + reading.badLines.length).toBe(lines.length);
        },
      ),
    );
  });
});

describe('decodeClickLine', () => {
  const FIELDS = encodeClickLine(CLICK).split('\t');

  it.each([
    [0, '', 'click_id'],
    [0, `${CLICK.clickId}A`, 'click_id'],
    [1, '', 'clicked_at'],
    [1, '-1', 'clicked_at'],
    [1, '1.5', 'clicked_at'],
    [1, '1e3', 'clicked_at'],
    [1, 'NaN', 'clicked_at'],
    [1, '01', 'clicked_at'],
    [1, String(MAX_CLICKED_AT_MS + 1), 'clicked_at'],
    [2, '0', 'link_number'],
    [2, '', 'link_number'],
    [2, String(MAX_LINK_NUMBER + 1), 'link_number'],
    [3, 'V12', 'tag'],
    [3, 'v'.repeat(33), 'tag'],
    [4, 'Counted', 'verdict'],
    [4, 'toString', 'verdict'],
    [4, '', 'verdict'],
    [5, '0123456789abcde', 'visitor'],
    [5, '0123456789ABCDEF', 'visitor'],
    [6, 'a\u0000b', 'text'],
    [6, 'a'.repeat(33), 'text'],
    [7, 'a\rb', 'text'],
    [8, '\ud800', 'text'],
    [8, '浙江\t', 'fields'],
  ])('refuses field %i as %j: %s', (field, value, reason) => {
    expect(decodeClickLine(FIELDS.with(field, value).join('\t'))).toEqual({ ok: false, reason });
  });

  it('refuses too few fields, too many, and a line end that came along', () => {
    const line = FIELDS.join('\t');
    for (const text of ['', FIELDS.slice(1).join('\t'), `${line}\t`]) {
      expect(decodeClickLine(text)).toEqual({ ok: false, reason: 'fields' });
    }
    expect(decodeClickLine(`${line}\r`)).toEqual({ ok: false, reason: 'text' });
    expect(decodeClickLine(line)).toEqual({ ok: true, click: CLICK });
  });
});

describe('cleanClickText', () => {
  it.each([
    ['wechat 8.0', 'wechat 8.0'],
    ['a\tb\nc\rd\u0000e\u007ff\u0085g', 'a b c d e f g'],
    ['漢'.repeat(40), '漢'.repeat(32)],
    ['👍'.repeat(40), '👍'.repeat(32)],
    [`${'a'.repeat(31)}👍b`, `${'a'.repeat(31)}👍`],
    ['a\ud83d', 'a\ufffd'],
  ])('keeps %j as %j', (text, cleaned) => {
    expect(cleanClickText(text)).toBe(cleaned);
  });

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(freeTexts, (text) => {
        expect(cleanClickText(cleanClickText(text))).toBe(cleanClickText(text));
      }),
    );
  });
});
