/** Captures, changed and read: what the tests of the Youzan reader share. */
import { readYouzanEnvelope, readYouzanMessage, type YouzanReading } from '../../../src/platforms/youzan/verify.ts';
import {
  buildYouzanMessage,
  type LooseObject,
  type YouzanCaptureName,
  type YouzanChange,
} from '../../support/youzan-message.ts';

export function readBytes(rawBody: Buffer): YouzanReading {
  const answer = readYouzanEnvelope(rawBody);
  if (!answer.ok) throw new Error(answer.reason);
  return readYouzanMessage(answer.envelope);
}

export function read(name: YouzanCaptureName, change: YouzanChange = {}): YouzanReading {
  return readBytes(buildYouzanMessage(name, change).rawBody);
}

export function orderOf(message: LooseObject): LooseObject {
  return message['full_order_info'] as LooseObject;
}

export function infoOf(message: LooseObject): LooseObject {
  return orderOf(message)['order_info'] as LooseObject;
}

export function withoutAmount(message: LooseObject): void {
  delete message['refunded_fee'];
}

export function withRefundId(body: LooseObject): void {
  body['id'] = '20220901155235000000000001';
}

export function firstLine(message: LooseObject): LooseObject {
  const [line] = orderOf(message)['orders'] as LooseObject[];
  if (line === undefined) throw new Error('the capture has no line');
  return line;
}
