/**
 * Click ids: 28 bytes in base64url, 38 characters, made in the redirect process.
 *
 * | bytes | what |
 * |---|---|
 * | 0 | key number |
 * | 1–5 | link number |
 * | 6–11 | `clickedAt`, milliseconds since 1970 |
 * | 12–19 | random |
 * | 20–27 | SipHash-2-4 over bytes 0–19 with that key |
 *
 * All numbers are big endian. With the id, an order can be attributed and dated before, or without, the row of its click; an altered or
 * invented id is recognised; keys rotate by their number.
 */
import assert from 'node:assert/strict';
import { SIPHASH_BYTES, createSipHash } from './siphash.ts';
import type { SipHash } from './siphash.ts';

const ID_BYTES = 28;
const LINK_AT = 1;
const LINK_BYTES = 5;
const TIME_AT = 6;
const TIME_BYTES = 6;
const RANDOM_AT = 12;
const TAG_AT = 20;

export const CLICK_ID_RANDOM_BYTES = 8;
export const MAX_LINK_NUMBER = 2 ** 40 - 1;
export const MAX_CLICKED_AT_MS = 2 ** 48 - 1;

/**
 * The only spelling of an id. 28 bytes leave four bits of the last character unused; only zeros are accepted there, because two texts for one
 * click would pass every unique key.
 */
const CLICK_ID = /^[A-Za-z0-9_-]{37}[AQgw]$/;

export interface ClickIdKey {
  /** 0–255; part of the id, so that old ids stay readable after a rotation. */
  number: number;
  /** 16 bytes. */
  key: Uint8Array;
}

export interface ClickIdContent {
  linkNumber: number;
  clickedAtMs: number;
  /** 8 bytes. */
  random: Uint8Array;
}

export type ClickIdMint = (content: ClickIdContent) => string;

export type ClickIdReading =
  | { ok: true; keyNumber: number; linkNumber: number; clickedAt: Date; random: Uint8Array }
  | { ok: false; reason: 'malformed' | 'unknown_key' | 'forged' };

/** Whether the text is spelled as a click id, authentic or not. */
export function isClickIdText(text: string): boolean {
  return CLICK_ID.test(text);
}

/**
 * Returns the function that makes ids with this key. It allocates nothing but the string it returns.
 *
 * @throws AssertionError on a key number, link number (1–2^40−1), time (0–2^48−1 ms) or random part (8 bytes) out of range: a bug
 */
export function createClickIdMint({ number, key }: ClickIdKey): ClickIdMint {
  assertKeyNumber(number);
  const hash = createSipHash(key);
  const id = Buffer.alloc(ID_BYTES);
  id[0] = number;

  return ({ linkNumber, clickedAtMs, random }) => {
    assert(linkNumber >= 1 && linkNumber <= MAX_LINK_NUMBER, 'a link number has 5 bytes and is not 0');
    assert(clickedAtMs >= 0 && clickedAtMs <= MAX_CLICKED_AT_MS, 'a click time has 6 bytes');
    assert.equal(random.length, CLICK_ID_RANDOM_BYTES, 'the random part has 8 bytes');
    id.writeUIntBE(linkNumber, LINK_AT, LINK_BYTES);
    id.writeUIntBE(clickedAtMs, TIME_AT, TIME_BYTES);
    id.set(random, RANDOM_AT);
    hash(id, 0, TAG_AT, id, TAG_AT);
    return id.toString('base64url');
  };
}

/**
 * Returns the function that reads and verifies ids made with any of these keys.
 *
 * `malformed`: not spelled as an id. `unknown_key`: the key number is not (or no longer) in use. `forged`: not made with the key, or altered.
 *
 * @throws AssertionError on two keys with one number: a mistake in the configuration
 */
export function createClickIdReader(keys: readonly ClickIdKey[]): (text: string) => ClickIdReading {
  const hashes = new Map<number, SipHash>();
  for (const { number, key } of keys) {
    assertKeyNumber(number);
    assert(!hashes.has(number), `two click-id keys have the number ${number}`);
    hashes.set(number, createSipHash(key));
  }
  const id = Buffer.alloc(ID_BYTES);
  const tag = Buffer.alloc(SIPHASH_BYTES);

  return (text) => {
    if (!isClickIdText(text)) return { ok: false, reason: 'malformed' };
    id.write(text, 'base64url');
    const keyNumber = id.readUInt8(0);
    const hash = hashes.get(keyNumber);
    if (hash === undefined) return { ok: false, reason: 'unknown_key' };
    hash(id, 0, TAG_AT, tag, 0);
    if (!isSameTag(id, tag)) return { ok: false, reason: 'forged' };
    const linkNumber = id.readUIntBE(LINK_AT, LINK_BYTES);
    const clickedAt = new Date(id.readUIntBE(TIME_AT, TIME_BYTES));
    return { ok: true, keyNumber, linkNumber, clickedAt, random: Uint8Array.from(id.subarray(RANDOM_AT, TAG_AT)) };
  };
}

/** Compares in constant time, so that a tag cannot be guessed byte by byte. */
function isSameTag(id: Uint8Array, tag: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < SIPHASH_BYTES; i++) difference |= id[TAG_AT + i]! ^ tag[i]!;
  return difference === 0;
}

function assertKeyNumber(number: number): void {
  assert(Number.isInteger(number) && number >= 0 && number <= 255, 'a key number is one byte');
}
