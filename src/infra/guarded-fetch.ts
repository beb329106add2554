import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.ts';

/**
 * The one way daihuo itself asks other servers for anything. What it asks for was named by strangers, so nothing named can make it reach into
 * the network it runs in, wait for long, or take in much.
 */
export type GuardedFetch = (request: FetchRequest) => Promise<FetchOutcome>;

export interface FetchRequest {
  url: string;
  /** `GET` by default. */
  method?: 'GET' | 'HEAD';
  /** Also http on port 80, for the address and where it redirects to. False by default: https on port 443 only. */
  allowsHttp?: boolean;
  /** Media types a 2xx answer may have, such as `image/png`; any where absent. Also sent as `Accept`. */
  mediaTypes?: readonly string[];
  /** Most bytes taken of the body. */
  maxBytes: number;
  /** What a longer body means: `refuse` it all (default), or `cut` it there. */
  whenLonger?: 'refuse' | 'cut';
  /** For everything together: names, connections, redirects, body. */
  timeoutMs: number;
  /** Ends it early, as `stopped`. */
  signal?: AbortSignal;
}

/**
 * Why there is no answer.
 *
 * - `address_refused`: the address, or one it redirects to, is not plain https (or http, where allowed) on the default port, or its name leads
 *   to something that is not a public address
 * - `no_such_host`: the name of the last address does not exist
 * - `unreachable`: no connection, no TLS, or not HTTP; the name cannot be looked up at the moment
 * - `timeout`, `stopped`
 * - `too_many_redirects`: more than three
 * - `too_large`: the body is longer than `maxBytes`
 * - `media_type_refused`: a 2xx answer of another type
 * - `encoding_refused`: a 2xx answer was compressed although that was not asked for; nothing is ever inflated here
 */
export type FetchFailure =
  | 'address_refused'
  | 'no_such_host'
  | 'unreachable'
  | 'timeout'
  | 'stopped'
  | 'too_many_redirects'
  | 'too_large'
  | 'media_type_refused'
  | 'encoding_refused';

export type FetchOutcome = {
  /** Every address of the way, the one asked for first; with `address_refused` the last is the refused one. */
  visited: string[];
} & (
  | {
      ok: true;
      /** Of the last answer: anything but a redirect with a place to go. */
      status: number;
      /** Lower case, without parameters; empty where not said. */
      mediaType: string;
      /** Of a 2xx answer to GET; else empty. */
      body: Buffer;
    }
  | { ok: false; reason: FetchFailure }
);

/** Takes the place of the internet in tests. The program never passes one (test/architecture.test.ts). */
export interface TestNetwork {
  /** Addresses of a name. */
  resolve: (hostname: string) => Promise<string[]>;
  /** Addresses that count as public, each with the port that stands for the default one. */
  ports: ReadonlyMap<string, number>;
  /** Certificate authority, PEM. */
  ca?: string;
}

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** More than any address that a person registered, and than what shops redirect to. */
const MAX_URL_LENGTH = 4_000;
const MAX_HEADER_BYTES = 32 * 1024;
const NO_BODY = Buffer.alloc(0);

/** Ends a fetch with a reason; never leaves this file. */
class Refusal extends Error {
  readonly reason: FetchFailure;
  constructor(reason: FetchFailure) {
    super(reason);
    this.reason = reason;
  }
}

interface Hop {
  url: URL;
  request: FetchRequest;
  signal: AbortSignal;
}

type Answer = { redirectsTo: string } | { status: number; mediaType: string; body: Buffer };

/**
 * Makes the fetcher.
 *
 * - Only https (http where a request allows it), default ports, no user name in the address.
 * - Names are resolved here; all their addresses must be public, and the connection is made to those very addresses: no second look-up that
 *   could answer otherwise (DNS rebinding).
 * - At most three redirects, each checked in the same way.
 * - No cookies, no credentials, no proxy of the environment, nothing kept between requests, nothing inflated.
 *
 * The fetcher never throws for what other servers do.
 *
 * @param userAgent    says who asks; sent with every request
 */
export function createGuardedFetch({
  userAgent,
  testNetwork,
}: {
  userAgent: string;
  testNetwork?: TestNetwork;
}): GuardedFetch {
  return async (request) => {
    const timeout = AbortSignal.timeout(request.timeoutMs);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    const visited = [request.url];
    try {
      for (;;) {
        const url = readUrl(visited.at(-1) ?? '', request.allowsHttp === true);
        const answer = await ask({ url, request, signal }, { userAgent, testNetwork });
        if (!('redirectsTo' in answer)) return { ok: true, visited, ...answer };
        if (visited.length > MAX_REDIRECTS) return { ok: false, visited, reason: 'too_many_redirects' };
        visited.push(absoluteUrl(answer.redirectsTo, url));
      }
    } catch (error) {
      const reason = request.signal?.aborted === true ? 'stopped' : timeout.aborted ? 'timeout' : reasonOf(error);
      return { ok: false, visited, reason };
    }
  };
}

/** @throws Refusal */
function readUrl(text: string, allowsHttp: boolean): URL {
  const url = text.length > MAX_URL_LENGTH ? null : URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.port !== '')
    throw new Refusal('address_refused');
  if (url.protocol !== 'https:' && !(allowsHttp && url.protocol === 'http:')) throw new Refusal('address_refused');
  return url;
}

/** Where a redirect leads; a text that is no address stays as it is and is refused as one. */
function absoluteUrl(location: string, base: URL): string {
  const url = URL.parse(location, base);
  // The fragment is never sent.
  if (url !== null) url.hash = '';
  return url?.href ?? location;
}

function reasonOf(error: unknown): FetchFailure {
  if (error instanceof Refusal) return error.reason;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTFOUND' ? 'no_such_host' : 'unreachable';
}

/** One request and its answer. Throws whatever the network throws. */
async function ask(
  { url, request, signal }: Hop,
  { userAgent, testNetwork }: { userAgent: string; testNetwork: TestNetwork | undefined },
): Promise<Answer> {
  const addresses = await addressesOf(url, { signal, testNetwork });
  const { method = 'GET', mediaTypes } = request;
  const port = testNetwork?.ports.get(addresses[0] ?? '');
  const options: RequestOptions = {
    method,
    // Of its own: no connection, session or cookie outlives the request.
    agent: false,
    lookup: pinned(addresses),
    signal,
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: { 'user-agent': userAgent, accept: mediaTypes?.join(', ') ?? '*/*', 'accept-encoding': 'identity' },
    ...(port === undefined ? {} : { port }),
  };
  const response = await send(url, options, testNetwork?.ca);
  try {
    return await readAnswer(response, request);
  } finally {
    response.destroy();
  }
}

/** @throws Refusal where one of them is not public; Error with a code where the name cannot be resolved */
async function addressesOf(
  url: URL,
  { signal, testNetwork }: { signal: AbortSignal; testNetwork: TestNetwork | undefined },
): Promise<string[]> {
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  // An address in the place of a name is never looked up, neither here nor by Node.
  const addresses =
    isIP(hostname) === 0 ? await beforeEndOf(signal, (testNetwork?.resolve ?? resolve)(hostname)) : [hostname];
  const isAdmitted = (address: string): boolean =>
    isPublicAddress(address) || (testNetwork?.ports.has(address) ?? false);
  if (addresses.length === 0 || !addresses.every(isAdmitted)) throw new Refusal('address_refused');
  return addresses;
}

async function resolve(hostname: string): Promise<string[]> {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
}

/** A look-up by the system cannot be taken back, only no longer waited for. */
async function beforeEndOf<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new Error('ended before it was done'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What Node asks instead of the resolver: the addresses that were checked, and no others. */
function pinned(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, answer) => {
    const [first] = found;
    if (options.all === true || first === undefined) answer(null, found);
    else answer(null, first.address, first.family);
  };
}

async function send(url: URL, options: RequestOptions, ca: string | undefined): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request =
    url.protocol === 'http:'
      ? http.request(url, options, resolve)
      : https.request(url, ca === undefined ? options : { ...options, ca }, resolve);
  // Stays: an error after the answer has begun reaches the reader of the body as well.
  request.on('error', reject);
  // An answer that switches protocols closes the connection without an error.
  request.on('close', () => reject(new Error('the connection ended without an answer')));
  request.end();
  return promise;
}

/** @throws Refusal */
async function readAnswer(response: IncomingMessage, request: FetchRequest): Promise<Answer> {
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
async function readBody(response: IncomingMessage, { maxBytes, whenLonger }: FetchRequest): Promise<Buffer> {
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
