import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import { isPublicAddress, lookUpAddresses, pinnedLookup } from './public-address.ts';

/**
 * Sends one request to a server outside and reads its answer. daihuo sends no other requests to servers outside. Strangers choose many of the
 * addresses, so every request is limited: it reaches public addresses only, ends in time, and takes in a bounded number of bytes.
 */
export type GuardedRequest = (request: OutgoingRequest) => Promise<RequestOutcome>;

export interface OutgoingRequest {
  url: string;
  /** `GET` by default. A POST follows no redirect. */
  method?: 'GET' | 'HEAD' | 'POST';
  /** The body of a POST, sent byte by byte as it is; required for POST, not allowed otherwise. */
  content?: { mediaType: string; body: Uint8Array };
  /**
   * Further headers, such as a signature or a token. A redirect to another origin does not carry them. The names in `OWN_HEADERS` are not
   * allowed.
   */
  headers?: Readonly<Record<string, string>>;
  /** Also http on port 80, for the address and for the targets of its redirects. False by default: https on port 443 only. */
  allowsHttp?: boolean;
  /** Media types that a 2xx answer may have, such as `image/png`; any when absent. Also sent as `Accept`. */
  mediaTypes?: readonly string[];
  /** Maximum length of the body of the answer. */
  maxBytes: number;
  /** The handling of a longer body: `refuse` all of it (default), or `cut` it at the maximum. */
  whenLonger?: 'refuse' | 'cut';
  /** Limit for the whole request: names, connections, redirects, both bodies. */
  timeoutMs: number;
  /** Ends the request early, with the reason `stopped`. */
  signal?: AbortSignal;
}

/**
 * Why there is no answer. After `unreachable`, `timeout`, `stopped` and every reason below them, the server may have carried out a POST.
 *
 * - `address_refused`: the address, or one it redirects to, is not plain https (or http, where allowed) on the default port, or its name leads
 *   to something that is not a public address
 * - `no_such_host`: the name of the last address does not exist
 * - `unreachable`: no connection, no TLS, or not HTTP; the name cannot be looked up at the moment
 * - `timeout`, `stopped`
 * - `redirect_refused`: the answer to a POST is a redirect
 * - `too_many_redirects`: more than three
 * - `too_large`: the body is longer than `maxBytes`
 * - `media_type_refused`: a 2xx answer of another type
 * - `encoding_refused`: a 2xx answer is compressed although the request does not accept that; this file never inflates an answer
 */
export type RequestFailure =
  | 'address_refused'
  | 'no_such_host'
  | 'unreachable'
  | 'timeout'
  | 'stopped'
  | 'redirect_refused'
  | 'too_many_redirects'
  | 'too_large'
  | 'media_type_refused'
  | 'encoding_refused';

export type RequestOutcome = {
  /** Every address in turn, the requested one first; with `address_refused` and `redirect_refused` the last is the refused one. */
  visited: string[];
} & (
  | {
      ok: true;
      /** Status of the last answer, which is no redirect with a target. */
      status: number;
      /** Lower case, without parameters; empty when the answer has none. */
      mediaType: string;
      /** Body of a 2xx answer to GET or POST; else empty. */
      body: Buffer;
    }
  | { ok: false; reason: RequestFailure }
);

/** Replaces the internet in tests. The program never passes one (test/architecture.test.ts). */
export interface TestNetwork {
  /** Addresses of a name. */
  resolve: (hostname: string) => Promise<string[]>;
  /** Addresses that count as public, each with the port that stands for the default one. */
  ports: ReadonlyMap<string, number>;
  /** Certificate authority, PEM. */
  ca?: string;
}

/** Headers that this file sets or leaves out itself. */
const OWN_HEADERS = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'proxy-authorization',
  'transfer-encoding',
  'user-agent',
]);
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** More than any address that a person registers or that a shop redirects to. */
const MAX_URL_LENGTH = 4_000;
const MAX_HEADER_BYTES = 32 * 1024;
const NO_BODY = Buffer.alloc(0);

/** Ends a request with a reason; never leaves this file. */
class Refusal extends Error {
  readonly reason: RequestFailure;
  constructor(reason: RequestFailure) {
    super(reason);
    this.reason = reason;
  }
}

interface Hop {
  url: URL;
  request: OutgoingRequest;
  signal: AbortSignal;
}

type Answer = { redirectsTo: string } | { status: number; mediaType: string; body: Buffer };

/**
 * Creates the function that sends requests.
 *
 * - Only https (http where a request allows it), default ports, no user name in the address.
 * - Names are resolved here; all their addresses must be public, and the connection is made to those very addresses. There is no second
 *   lookup that could answer differently (DNS rebinding).
 * - At most three redirects, each checked in the same way; none for a POST.
 * - No cookies, no proxy of the environment, no credentials but those in `headers`, no connection kept between requests.
 *
 * Faults of other servers are outcomes, not errors.
 *
 * @param userAgent    names this program; sent with every request
 */
export function createGuardedRequest({
  userAgent,
  testNetwork,
}: {
  userAgent: string;
  testNetwork?: TestNetwork;
}): GuardedRequest {
  return async (request) => {
    assertSendable(request);
    const timeout = AbortSignal.timeout(request.timeoutMs);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    const visited = [request.url];
    try {
      for (;;) {
        const url = readUrl(visited.at(-1) ?? '', request.allowsHttp === true);
        const answer = await exchange({ url, request, signal }, { userAgent, testNetwork });
        if (!('redirectsTo' in answer)) return { ok: true, visited, ...answer };
        if (visited.length > MAX_REDIRECTS) return { ok: false, visited, reason: 'too_many_redirects' };
        visited.push(absoluteUrl(answer.redirectsTo, url));
        if (request.method === 'POST') return { ok: false, visited, reason: 'redirect_refused' };
      }
    } catch (error) {
      const reason = request.signal?.aborted === true ? 'stopped' : timeout.aborted ? 'timeout' : reasonOf(error);
      return { ok: false, visited, reason };
    }
  };
}

/** @throws AssertionError: the caller has a bug */
function assertSendable({ method, content, headers = {} }: OutgoingRequest): void {
  assert.equal(content !== undefined, method === 'POST', 'a POST has content, and no other request has');
  for (const name of Object.keys(headers)) {
    assert(!OWN_HEADERS.has(name.toLowerCase()), `the header ${name} is set by the guarded request itself`);
  }
}

/** @throws Refusal */
function readUrl(text: string, allowsHttp: boolean): URL {
  const url = text.length > MAX_URL_LENGTH ? null : URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.port !== '')
    throw new Refusal('address_refused');
  if (url.protocol !== 'https:' && !(allowsHttp && url.protocol === 'http:')) throw new Refusal('address_refused');
  return url;
}

/** The target of a redirect. A text that is no address stays as it is, and is then refused. */
function absoluteUrl(location: string, base: URL): string {
  const url = URL.parse(location, base);
  // The fragment is never sent.
  if (url !== null) url.hash = '';
  return url?.href ?? location;
}

function reasonOf(error: unknown): RequestFailure {
  if (error instanceof Refusal) return error.reason;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTFOUND' ? 'no_such_host' : 'unreachable';
}

/** Sends one request and reads its answer. Throws every error of the network. */
async function exchange(
  { url, request, signal }: Hop,
  { userAgent, testNetwork }: { userAgent: string; testNetwork: TestNetwork | undefined },
): Promise<Answer> {
  const addresses = await addressesOf(url, { signal, testNetwork });
  const port = testNetwork?.ports.get(addresses[0] ?? '');
  const options: RequestOptions = {
    method: request.method ?? 'GET',
    // No agent: no connection or TLS session outlives the request.
    agent: false,
    lookup: pinnedLookup(addresses),
    signal,
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: headersFor(url, request, userAgent),
    ...(port === undefined ? {} : { port }),
  };
  const response = await send(url, { ...options, body: request.content?.body }, testNetwork?.ca);
  try {
    return await readAnswer(response, request);
  } finally {
    response.destroy();
  }
}

function headersFor(url: URL, { url: first, headers, content, mediaTypes }: OutgoingRequest, userAgent: string) {
  return {
    // They may hold a token, so they go to the origin for which they were made, and to no target of a redirect elsewhere.
    ...(url.origin === URL.parse(first)?.origin ? headers : {}),
    'user-agent': userAgent,
    accept: mediaTypes?.join(', ') ?? '*/*',
    'accept-encoding': 'identity',
    ...(content && { 'content-type': content.mediaType, 'content-length': content.body.length }),
  };
}

/** @throws Refusal where one of them is not public; Error with a code where the name cannot be resolved */
async function addressesOf(
  url: URL,
  { signal, testNetwork }: { signal: AbortSignal; testNetwork: TestNetwork | undefined },
): Promise<string[]> {
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  // Neither this function nor Node looks up an address that stands in the place of a name.
  const addresses = isIP(hostname) === 0 ? await lookUpAddresses(hostname, signal, testNetwork?.resolve) : [hostname];
  const isAdmitted = (address: string): boolean =>
    isPublicAddress(address) || (testNetwork?.ports.has(address) ?? false);
  if (addresses.length === 0 || !addresses.every(isAdmitted)) throw new Refusal('address_refused');
  return addresses;
}

async function send(
  url: URL,
  { body, ...options }: RequestOptions & { body: Uint8Array | undefined },
  ca: string | undefined,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request =
    url.protocol === 'http:'
      ? http.request(url, options, resolve)
      : https.request(url, ca === undefined ? options : { ...options, ca }, resolve);
  // The listener stays: an error after the answer has begun also reaches the reader of the body.
  request.on('error', reject);
  // An answer that switches protocols closes the connection without an error.
  request.on('close', () => reject(new Error('the connection ended without an answer')));
  request.end(body);
  return promise;
}

/** @throws Refusal */
async function readAnswer(response: IncomingMessage, request: OutgoingRequest): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  if (REDIRECTS.has(status) && headers.location !== undefined) return { redirectsTo: headers.location };
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const isWanted = status >= 200 && status < 300;
  if (isWanted && request.mediaTypes !== undefined && !request.mediaTypes.includes(mediaType))
    throw new Refusal('media_type_refused');
  if (!isWanted || request.method === 'HEAD') return { status, mediaType, body: NO_BODY };
  if (!['', 'identity'].includes(headers['content-encoding'] ?? '')) throw new Refusal('encoding_refused');
  return { status, mediaType, body: await readBody(response, request) };
}

/** @throws Refusal */
async function readBody(response: IncomingMessage, { maxBytes, whenLonger }: OutgoingRequest): Promise<Buffer> {
  const isCut = whenLonger === 'cut';
  if (!isCut && Number(response.headers['content-length'] ?? 0) > maxBytes) throw new Refusal('too_large');
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (length > maxBytes) {
      if (!isCut) throw new Refusal('too_large');
      break;
    }
  }
  return Buffer.concat(pieces).subarray(0, maxBytes);
}
