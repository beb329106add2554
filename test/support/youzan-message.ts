/**
 * Builds signed Youzan pushes from real captures: takes one, sets what a test needs, encodes `msg` as Java's URLEncoder does and
 * signs. Without changes the captures of 2021 and 2022 come out byte for byte.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const CAPTURES = {
  created: 'trade_TradeCreate_2022_encrypted_pii',
  paid: 'trade_TradePaid_2021_one_item',
  received: 'trade_TradeSuccess_2021',
  closed: 'trade_TradeClose_2018_refund',
  refund: 'trade_refund_BuyerCreated_2022',
} as const;

export type YouzanCaptureName = keyof typeof CAPTURES;
export const YOUZAN_CAPTURE_NAMES = Object.keys(CAPTURES) as YouzanCaptureName[];
export const YOUZAN_TEST_CREDENTIALS = {
  clientId: '0123456789abcdef01',
  clientSecret: 'placeholder-client-secret-not-real',
};

export interface YouzanPush {
  headers: { 'content-type': string; 'client-id': string; 'event-type': string; 'event-sign': string };
  rawBody: Buffer;
}

export interface YouzanLineChange {
  lineId: string;
  itemId?: number;
  alias?: string;
  quantity?: number;
  paidFen: bigint;
  gift?: boolean;
  /** Written into `buyer_messages` as it stands. */
  buyerMessages?: string;
}

export interface YouzanChange {
  type?: string;
  orderId?: string;
  /** Digits; may be above 2^53. */
  kdtId?: string;
  /** null leaves `msg_id` out. */
  messageId?: string | null;
  /** Default: the second of `updatedAt`, when that is set. */
  version?: number;
  sendCount?: number;
  createdAt?: Date;
  paidAt?: Date;
  updatedAt?: Date;
  lines?: YouzanLineChange[];
  /** `remark_info.buyer_message` of a full order. */
  note?: string;
  closeType?: number;
  refund?: { refundId: string; refundedFen: bigint; lineIds: string[]; type?: string; version?: number };
  credentials?: { clientId: string; clientSecret: string };
  /** Last word on the inner message and on the outer body (which still holds the old `msg`). */
  editMessage?: (message: LooseObject) => void;
  editBody?: (body: LooseObject) => void;
}

/** A parsed sample: the tests know its shape, the compiler need not. */
export interface LooseObject {
  [key: string]: unknown;
}

/** The capture as published: the exact bytes, their headers, and the message inside. */
export function readYouzanCapture(name: YouzanCaptureName): YouzanPush & { message: LooseObject } {
  const path = new URL(`../fixtures/youzan/${CAPTURES[name]}.json`, import.meta.url);
  const file = JSON.parse(readFileSync(path, 'utf8')) as {
    raw_body: string;
    headers: Record<'Content-Type' | 'Client-Id' | 'Event-Type' | 'Event-Sign', string>;
    msg_decoded: LooseObject;
  };
  return {
    rawBody: Buffer.from(file.raw_body),
    headers: {
      'content-type': file.headers['Content-Type'],
      'client-id': file.headers['Client-Id'],
      'event-type': file.headers['Event-Type'],
      'event-sign': file.headers['Event-Sign'],
    },
    message: file.msg_decoded,
  };
}

/** A changed capture, encoded and signed. Unnamed parts stay as captured. */
export function buildYouzanMessage(name: YouzanCaptureName, change: YouzanChange = {}): YouzanPush {
  const capture = readYouzanCapture(name);
  const body = JSON.parse(capture.rawBody.toString()) as LooseObject;
  const message = JSON.parse(formDecode(String(body['msg']))) as LooseObject;
  changeMessage(message, change);
  changeBody(body, change);
  change.editMessage?.(message);
  change.editBody?.(body);
  const credentials = change.credentials ?? YOUZAN_TEST_CREDENTIALS;
  body['client_id'] = credentials.clientId;
  if (typeof body['msg'] === 'string' && body['msg'] !== '') body['msg'] = javaUrlEncode(JSON.stringify(message));
  if ('sign' in body) body['sign'] = md5(credentials.clientId + String(body['msg']) + credentials.clientSecret);
  return signYouzanBody(withLargeKdtId(JSON.stringify(body), change.kdtId), String(body['type']), credentials);
}

/** Signs any bytes as Youzan would. */
export function signYouzanBody(rawBody: string, type: string, credentials = YOUZAN_TEST_CREDENTIALS): YouzanPush {
  return {
    headers: {
      'content-type': 'application/json',
      'client-id': credentials.clientId,
      'event-type': type,
      'event-sign': md5(credentials.clientId + rawBody + credentials.clientSecret),
    },
    rawBody: Buffer.from(rawBody),
  };
}

/** `java.net.URLEncoder` in UTF-8: letters, digits and `.-*_` stay, a blank becomes "+". */
export function javaUrlEncode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()~]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/** "yyyy-MM-dd HH:mm:ss" in Shanghai. */
export function shanghaiTimeText(at: Date): string {
  const local = new Date(at.getTime() + 8 * 3_600_000).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)}`;
}

/** "29.85" for 2985n. */
export function yuanText(fen: bigint): string {
  return `${fen / 100n}.${(fen % 100n).toString().padStart(2, '0')}`;
}

function changeBody(body: LooseObject, change: YouzanChange): void {
  const { orderId, messageId, updatedAt, sendCount, type } = change;
  const version = change.version ?? (updatedAt === undefined ? undefined : Math.floor(updatedAt.getTime() / 1000));
  if (orderId !== undefined) body['id'] = orderId;
  if (type !== undefined) body['type'] = type;
  if (version !== undefined) body['version'] = version;
  if (sendCount !== undefined) body['sendCount'] = sendCount;
  if (messageId === null) delete body['msg_id'];
  else if (messageId !== undefined) body['msg_id'] = messageId;
}

function changeMessage(message: LooseObject, change: YouzanChange): void {
  const order = message['full_order_info'] as LooseObject | undefined;
  const info = (order?.['order_info'] ?? message) as LooseObject;
  if (change.orderId !== undefined) info['tid'] = change.orderId;
  if (change.updatedAt !== undefined) info['update_time'] = shanghaiTimeText(change.updatedAt);
  if (change.createdAt !== undefined) info['created'] = shanghaiTimeText(change.createdAt);
  if (change.paidAt !== undefined) info['pay_time'] = shanghaiTimeText(change.paidAt);
  if (change.closeType !== undefined) info['close_type'] = change.closeType;
  if (order !== undefined) changeOrder(order, change);
  const { refund } = change;
  if (refund === undefined) return;
  message['refund_id'] = refund.refundId;
  message['refunded_fee'] = yuanText(refund.refundedFen);
  message['oids'] = refund.lineIds.join(',');
  if (refund.type !== undefined) message['refund_type'] = refund.type;
  const version = refund.version ?? change.updatedAt?.getTime();
  if (version !== undefined) message['version'] = version;
}

function changeOrder(order: LooseObject, change: YouzanChange): void {
  if (change.note !== undefined) order['remark_info'] = { buyer_message: change.note };
  if (change.lines === undefined) return;
  const [pattern] = order['orders'] as LooseObject[];
  order['orders'] = change.lines.map((line) => ({
    ...pattern,
    oid: line.lineId,
    item_id: line.itemId ?? pattern?.['item_id'],
    alias: line.alias ?? pattern?.['alias'],
    num: line.quantity ?? 1,
    payment: yuanText(line.paidFen),
    total_fee: yuanText(line.paidFen),
    is_present: line.gift ?? false,
    buyer_messages: line.buyerMessages ?? '',
  }));
}

/** The shop number is a JSON number that may not fit one of JavaScript's, so its digits are put into the text. */
function withLargeKdtId(json: string, kdtId: string | undefined): string {
  return kdtId === undefined ? json : json.replaceAll(/"(kdt_id|root_kdt_id)":\d+/g, `"$1":${kdtId}`);
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
