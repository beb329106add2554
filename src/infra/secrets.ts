import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export interface ClickIdKey {
  /** 0–255; follows from the secret, so it stays the same when the secret becomes the previous one. */
  number: number;
  /** 16 bytes, for SipHash-2-4. */
  key: Buffer;
}

export interface SealingKey {
  number: number;
  /** 32 bytes, for AES-256-GCM. */
  key: Buffer;
}

export interface DerivedKeys {
  /** The current key first: new click ids are made with it, existing ones are read with any. */
  clickIdKeys: ClickIdKey[];
  sealingKeys: SealingKey[];
  /** 16 bytes, for the keyed hash of the networks whose unknown codes are counted. */
  unknownCodeKey: Buffer;
}

export type SealFault = 'malformed' | 'unknown_key' | 'tampered';

/** Sealed bytes that cannot be opened. `unknown_key`: sealed under a secret that is neither the current nor the previous one. */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly reason: SealFault;

  constructor(reason: SealFault) {
    super(`sealed bytes cannot be opened: ${reason}`);
    this.reason = reason;
  }
}

// One sealed value: key number 1, format 1, nonce 12, ciphertext, tag 16. The two bytes in front are authenticated with the rest.
const FORMAT = 1;
const HEADER_BYTES = 2;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function derive(secret: Buffer, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `daihuo/1/${purpose}`, bytes));
}

/** The number by which a click id and a sealed value name the secret they were made under, 0–255. */
export function clickKeyNumber(secret: Buffer): number {
  return derive(secret, 'key-number', 1).readUInt8(0);
}

/**
 * Every key daihuo uses, from the one secret (HKDF-SHA-256, one purpose a key).
 *
 * @param secret    the current secret, ≥ 32 bytes
 * @param previous  the secret before it: click ids and sealed values made under it can still be read
 */
export function deriveKeys(secret: Buffer, previous?: Buffer): DerivedKeys {
  const secrets = previous === undefined ? [secret] : [secret, previous];
  return {
    clickIdKeys: secrets.map((each) => ({ number: clickKeyNumber(each), key: derive(each, 'click-id', 16) })),
    sealingKeys: secrets.map((each) => ({ number: clickKeyNumber(each), key: derive(each, 'sealing', 32) })),
    unknownCodeKey: derive(secret, 'misses', 16),
  };
}

/**
 * Seals bytes under the current key with AES-256-GCM and a random nonce: two seals of one text differ.
 *
 * @param keys  from `deriveKeys`, the current one first
 */
export function seal(keys: readonly SealingKey[], plaintext: Buffer): Buffer {
  const [current] = keys;
  if (current === undefined) throw new RangeError('seal needs a key');
  const header = Buffer.from([current.number, FORMAT]);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', current.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(header);
  return Buffer.concat([header, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens sealed bytes of `seal`, made under the current or the previous secret.
 *
 * @returns the plaintext, never an altered one
 * @throws SealError with a `reason`
 */
export function open(keys: readonly SealingKey[], sealed: Buffer): Buffer {
  if (sealed.length < HEADER_BYTES + NONCE_BYTES + TAG_BYTES || sealed[1] !== FORMAT) throw new SealError('malformed');
  const used = keys.find((each) => each.number === sealed[0]);
  if (used === undefined) throw new SealError('unknown_key');
  const nonce = sealed.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', used.key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(sealed.subarray(0, HEADER_BYTES));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(HEADER_BYTES + NONCE_BYTES, sealed.length - TAG_BYTES)),
      decipher.final(),
    ]);
  } catch {
    throw new SealError('tampered');
  }
}
