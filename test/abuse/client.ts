/** Sends the examples, whole or broken. */
import type { InjectOptions } from 'fastify';
import type { AbuseApp } from './abuse-app.ts';
import type { Caller, Ids, Market } from './market.ts';
import type { Example, ExampleRequest } from './routes.ts';
import { shopMessage, youzanMessage } from './sell.ts';

export interface Answer {
  statusCode: number;
  headers: Record<string, string | string[] | number | undefined>;
  body: string;
}

/** Without its parameters; empty where the answer names none. */
export function contentTypeOf({ headers }: Answer): string {
  const type = headers['content-type'];
  return typeof type === 'string' ? (type.split(';')[0] ?? '') : '';
}

export interface Wire {
  method: string;
  url: string;
  headers: Record<string, string>;
  payload?: string | Buffer;
  /** Bad keys are counted by address. */
  remoteAddress?: string;
}

let lastSerial = 0;

/** The request of an example for a caller; by default with what belongs to brand A and influencer 1. */
export function makeRequest(
  market: Market,
  example: Example,
  { caller, ids = market.own, serial = (lastSerial += 1) }: { caller: Caller; ids?: Ids; serial?: number },
): ExampleRequest {
  const { itemId, couponCode } = market.a;
  const { sealedAt } = market;
  return example.make({ ids, caller, serial, unique: `u${serial.toString(36)}x`, itemId, couponCode, sealedAt });
}

export function urlOf({ path, query = {} }: ExampleRequest): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** What goes over the wire. `bodyText` replaces the JSON of the body, and is signed where the example is. */
export function wireOf(
  market: Market,
  example: Example,
  { caller, request, bodyText }: { caller: Caller; request: ExampleRequest; bodyText?: string | Buffer },
): Wire {
  const method = example.route.slice(0, example.route.indexOf(' '));
  const url = urlOf(request);
  const text = bodyText ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
  if (example.signedBy === 'shop') return { method, url, ...shopMessage(market.a, text ?? '') };
  if (example.signedBy === 'youzan') {
    const body = { ...request.body, client_id: market.a.youzan.clientId, kdt_id: Number(market.a.kdtId) };
    return { method, url, ...youzanMessage(market.a, { body: String(bodyText ?? JSON.stringify(body)) }) };
  }
  const headers = market.headers[caller];
  if (text === undefined) return { method, url, headers };
  return { method, url, headers: { ...headers, 'content-type': 'application/json' }, payload: text };
}

export async function send({ app }: Pick<AbuseApp, 'app'>, wire: Wire): Promise<Answer> {
  const { statusCode, headers, payload } = await app.inject(wire as InjectOptions);
  return { statusCode, headers, body: payload };
}
