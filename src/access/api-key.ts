import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Role } from './principal.ts';

/** `dh_<role>_` and 43 characters: 32 random bytes as base64url. The role in front shows a person what a found key can do. */
const API_KEY = /^dh_(?:admin|brand|influencer|finance)_[A-Za-z0-9_-]{43}$/;
const API_KEY_ANYWHERE = /dh_(?:admin|brand|influencer|finance)_[A-Za-z0-9_-]{43}/;
const SHOWN_CHARACTERS = 8;

export interface NewApiKey {
  /** Shown once and stored nowhere. */
  key: string;
  /** The first 8 characters of the random part, by which a person tells keys apart. 35 characters (208 bits) stay unknown. */
  prefix: string;
  hash: Buffer;
}

export function newApiKey(role: Role): NewApiKey {
  const secret = randomBytes(32).toString('base64url');
  const key = `dh_${role}_${secret}`;
  return { key, prefix: secret.slice(0, SHOWN_CHARACTERS), hash: hashApiKey(key) };
}

export function isApiKey(text: string): boolean {
  return API_KEY.test(text);
}

/** Whether a URL carries a key. URLs end up in logs, histories and Referer headers, so such a key counts as leaked. */
export function holdsApiKey(url: string): boolean {
  return API_KEY_ANYWHERE.test(url);
}

/** The form in which keys are stored and looked up. 256 random bits need no salt and no slow hash. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function isSameHash(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
