import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createClickIdMint,
  createClickIdReader,
  MAX_CLICKED_AT_MS,
  MAX_LINK_NUMBER,
} from '../../../src/core/clicks/click-id.ts';
import { createSipHash } from '../../../src/core/clicks/siphash.ts';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const OLD_KEY = { number: 7, key: Buffer.alloc(16, 1) };
const NEW_KEY = { number: 200, key: Buffer.alloc(16, 2) };
const mint = createClickIdMint(NEW_KEY);
const read = createClickIdReader([NEW_KEY, OLD_KEY]);
const clickedAtMs = Date.UTC(2026, 10, 22, 3, 4, 5, 678);
const CONTENT = { linkNumber: 123_456, clickedAtMs, random: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };

const contents = fc.record({
  linkNumber: fc.integer({ min: 1, max: MAX_LINK_NUMBER }),
  clickedAtMs: fc.integer({ min: 0, max: MAX_CLICKED_AT_MS }),
  random: fc.uint8Array({ minLength: 8, maxLength: 8 }),
});

describe('click ids', () => {
  it('lay out key number, link, time, random part and tag as documented', () => {
    const bytes = Buffer.from(mint(CONTENT), 'base64url');
    const tag = Buffer.alloc(8);
    createSipHash(NEW_KEY.key)(bytes, 0, 20, tag, 0);
    expect(bytes).toHaveLength(28);
    expect(bytes.readUInt8(0)).toBe(200);
    expect(bytes.readUIntBE(1, 5)).toBe(123_456);
    expect(bytes.readUIntBE(6, 6)).toBe(clickedAtMs);
    expect(bytes.toString('hex', 12, 20)).toBe('0102030405060708');
    expect(bytes.subarray(20)).toEqual(tag);
  });

  it('are 38 URL-safe characters that read back as they were minted, up to the greatest link and time', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const id = mint(content);
        expect(id).toMatch(/^[A-Za-z0-9_-]{38}$/);
        expect(read(id)).toEqual({
          ok: true,
          keyNumber: 200,
          linkNumber: content.linkNumber,
          clickedAt: new Date(content.clickedAtMs),
          random: Uint8Array.from(content.random),
        });
      }),
    );
    const greatest = {
      linkNumber: MAX_LINK_NUMBER,
      clickedAtMs: MAX_CLICKED_AT_MS,
      random: new Uint8Array(8).fill(255),
    };
    expect(read(mint(greatest))).toMatchObject({ ok: true, linkNumber: 2 ** 40 - 1, clickedAt: new Date(2 ** 48 - 1) });
  });

  it('minted with an older key stay readable, and an earlier reading keeps its random part', () => {
    const first = read(createClickIdMint(OLD_KEY)(CONTENT));
    expect(read(mint({ ...CONTENT, random: new Uint8Array(8) }))).toMatchObject({ ok: true, keyNumber: 200 });
    expect(first).toMatchObject({ ok: true, keyNumber: 7, random: CONTENT.random });
  });

  // Otherwise two texts name one click, and one sale can be claimed with each.
  it('are refused with any other character at any place, the spare bits of the last one included', () => {
    const id = mint(CONTENT);
    const accepted: string[] = [];
    for (let at = 0; at < id.length; at++) {
      for (const char of `${BASE64URL}+/=. é`) {
        const altered = id.slice(0, at) + char + id.slice(at + 1);
        if (read(altered).ok) accepted.push(altered);
      }
    }
    expect(new Set(accepted)).toEqual(new Set([id]));
  });

  it('are refused after any change to any of their bytes', () => {
    fc.assert(
      fc.property(contents, fc.nat(27), fc.integer({ min: 1, max: 255 }), (content, at, change) => {
        const bytes = Buffer.from(mint(content), 'base64url');
        bytes.writeUInt8(bytes.readUInt8(at) ^ change, at);
        const reading = read(bytes.toString('base64url'));
        expect(reading).toEqual({ ok: false, reason: at === 0 && bytes[0] !== 7 ? 'unknown_key' : 'forged' });
      }),
    );
  });

  it('are malformed when cut, longer, padded, spaced, in the other base64 alphabet or not even close', () => {
    const id = mint({ ...CONTENT, random: new Uint8Array(8).fill(0xff) });
    const dirty = [id.slice(1), id.slice(0, -1), `${id}A`, `${id}=`, ` ${id}`, `${id}\n`, '', 'x'.repeat(10_000)];
    expect(id).toMatch(/[-_]/);
    for (const text of [...dirty, id.replaceAll('-', '+').replaceAll('_', '/')]) {
      expect(read(text)).toEqual({ ok: false, reason: 'malformed' });
    }
  });

  it('of a key that was retired are unknown, and of a foreign key with our number forged', () => {
    const readNewOnly = createClickIdReader([NEW_KEY]);
    expect(readNewOnly(createClickIdMint(OLD_KEY)(CONTENT))).toEqual({ ok: false, reason: 'unknown_key' });
    const foreign = createClickIdMint({ number: 200, key: Buffer.alloc(16, 3) });
    expect(readNewOnly(foreign(CONTENT))).toEqual({ ok: false, reason: 'forged' });
  });

  it('are never minted from numbers that do not fit', () => {
    expect(() => mint({ ...CONTENT, linkNumber: 0 })).toThrow('link number');
    expect(() => mint({ ...CONTENT, linkNumber: MAX_LINK_NUMBER + 1 })).toThrow('link number');
    expect(() => mint({ ...CONTENT, clickedAtMs: -1 })).toThrow('click time');
    expect(() => mint({ ...CONTENT, clickedAtMs: MAX_CLICKED_AT_MS + 1 })).toThrow('click time');
    expect(() => mint({ ...CONTENT, random: new Uint8Array(7) })).toThrow('random part');
    expect(() => createClickIdMint({ number: 256, key: OLD_KEY.key })).toThrow('one byte');
    expect(() => createClickIdReader([OLD_KEY, { ...NEW_KEY, number: 7 }])).toThrow('number 7');
  });
});
