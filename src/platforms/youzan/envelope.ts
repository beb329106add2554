/**
 * The outer body of a Youzan push: the shop, the identity of the message, and the message inside. Read from the raw bytes and not verified;
 * `verifyYouzan` verifies the sender.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, fieldOf, isJsonObject, parseJsonBytes, parseJsonText, type JsonObject } from '../json-text.ts';
import { integerAt, isAbsent, nameAt, textAt, type Field } from './fields.ts';

export interface YouzanEnvelope {
  /** For example `trade_TradePaid`; '' when the body has none, or one that cannot be stored. */
  type: string;
  clientId?: string;
  /** The shop, as digits: the store's `externalShopId`. */
  kdtId?: string;
  /** The head shop of a chain. */
  rootKdtId?: string;
  /** Business id: the order number in trade messages. */
  id?: string;
  /** Comparable within one message type only; undefined when it is missing or beyond int8. */
  version?: bigint;
  /** A test of the connection: answer success, store nothing. */
  heartbeat: boolean;
  /** The permanent key of this message: `msg_id`, else type, shop, business id and version. */
  eventKey: string;
  /** Hex SHA-256 of the content without `sendCount`, the only field that differs between deliveries of one message. */
  contentSha256: string;
  /** The decoded `msg`; undefined in heartbeats and when it is unreadable. */
  message?: JsonObject;
}

/** Printable ASCII, so that it can be a key in Postgres unchanged. */
const PLAIN_KEY = /^[\x21-\x7e]{1,128}$/;

/**
 * Reads the raw body.
 *
 * @returns `malformed` when the bytes are not one JSON object in UTF-8. A body with an unreadable inner message is still an envelope, because
 *   its sender can be verified and must be answered.
 */
export function readYouzanEnvelope(
  rawBody: Uint8Array,
): { ok: true; envelope: YouzanEnvelope } | { ok: false; reason: 'malformed' } {
  const body = parseJsonBytes(rawBody);
  if (!isJsonObject(body)) return { ok: false, reason: 'malformed' };
  const contentSha256 = digestWithoutSendCount(body);
  const message = readMessage(body);
  const envelope: YouzanEnvelope = {
    type: presentOf(nameAt(body, 'type')) ?? '',
    heartbeat: fieldOf(body, 'test') === true || isAbsent(fieldOf(body, 'msg')),
    eventKey: eventKeyOf(body, contentSha256),
    contentSha256,
    ...optional('clientId', presentOf(nameAt(body, 'client_id'))),
    ...optional('kdtId', presentOf(nameAt(body, 'kdt_id'))),
    ...optional('rootKdtId', presentOf(nameAt(body, 'root_kdt_id'))),
    ...optional('id', presentOf(nameAt(body, 'id'))),
    ...optional('version', presentOf(integerAt(body, 'version'))),
    ...optional('message', message),
  };
  return { ok: true, envelope };
}

/**
 * Decodes `msg`: an object (newer refund messages), or a text of form-encoded JSON. Form decoding reads both styles in use: Java's URLEncoder
 * (blank as "+") and the older one (blank as "%20"). A text that begins with a brace is not encoded.
 */
function readMessage(body: JsonObject): JsonObject | undefined {
  const msg = fieldOf(body, 'msg');
  if (isJsonObject(msg)) return msg;
  if (typeof msg !== 'string') return undefined;
  const json = msg.startsWith('{') ? msg : formDecode(msg);
  const message = json === undefined ? undefined : parseJsonText(json);
  return isJsonObject(message) && !isAbsent(message) ? message : undefined;
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function digestWithoutSendCount(body: JsonObject): string {
  const content = Object.fromEntries(Object.entries(body).filter(([key]) => key !== 'sendCount'));
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

function eventKeyOf(body: JsonObject, contentSha256: string): string {
  const messageId = textAt(body, 'msg_id');
  if (messageId !== undefined) return PLAIN_KEY.test(messageId) ? messageId : `sha256:${sha256(messageId)}`;
  const parts = ['type', 'kdt_id', 'id', 'version'].map((key) => textAt(body, key));
  if (parts.includes(undefined)) return `sha256:${contentSha256}`;
  const key = parts.join(':');
  return PLAIN_KEY.test(key) ? key : `sha256:${sha256(JSON.stringify(parts))}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function presentOf<T>(field: Field<T>): T | undefined {
  return field.state === 'present' ? field.value : undefined;
}

function optional<K extends string, T>(key: K, value: T | undefined): { [name in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [name in K]?: T };
}
