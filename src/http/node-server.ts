/** Node's HTTP server below Fastify: its limits, its answers to malformed requests, and the address of a visitor. */
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import type { EarlyRoute } from './server.ts';
import { isAnswerBegun } from './undocumented-members.ts';
import { plainPage } from './visitor-page.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const CONNECTIONS_CHECK_MS = 1_000;
/** Load balancers usually keep idle connections for 60 s. Longer than that, so that the balancer closes them and never meets a closed one. */
const KEEP_ALIVE_MS = 72_000;

/** Node's server with our limits; `early` runs before Fastify. */
export function createHttpServer(
  route: (request: IncomingMessage, response: ServerResponse) => void,
  { early, requestTimeoutMs }: { early: EarlyRoute | undefined; requestTimeoutMs: number },
): http.Server {
  const limits = {
    // All three are needed, or slow bodies stay open: Node swaps the two timeouts where that of the headers is the longer one, and by default
    // checks connections only every 30 s.
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs / 2,
    connectionsCheckingInterval: Math.min(CONNECTIONS_CHECK_MS, requestTimeoutMs / 2),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Saves a tenth of the cost of a request without a body, as every visit is.
    optimizeEmptyRequests: true,
  };
  if (early === undefined) return http.createServer(limits, route);
  return http.createServer(limits, (request, response) => {
    if (!early(request, response)) route(request, response);
  });
}

/** Malformed HTTP never becomes a request: the answer is a status line and a word or a page, and the connection ends. */
const ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** An error of Node's parser. */
interface ClientError extends Error {
  code?: string;
  /** A Buffer: the piece of the connection that could not be read. */
  rawPacket?: unknown;
}

/** A visitor's own address stands in the first line, each byte as one character. */
const FIRST_LINE = /^(?:GET|HEAD) (\/[^\s]{0,1000}) HTTP\/1\.[01]\r?\n/;
const PAGE = plainPage('无法打开', '请求有误，请核对链接后再试。');

/**
 * Returns the handler of bytes that HTTP's parser refuses.
 *
 * @param mendAddress  returns the path that a visitor's address with bare bytes in it (`/k7q2m8x。`) was meant to be, if that is clear; old web
 *   views send such addresses
 */
export function createClientErrorAnswer(mendAddress: (address: string) => string | undefined) {
  const mended = ({ code, rawPacket }: ClientError): string | undefined => {
    if (code !== 'HPE_INVALID_URL' || !Buffer.isBuffer(rawPacket)) return undefined;
    const address = FIRST_LINE.exec(rawPacket.toString('latin1', 0, 1_100))?.[1];
    return address === undefined ? undefined : mendAddress(address);
  };
  return (error: ClientError, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const location = mended(error);
    const status = location === undefined ? (ANSWERS[error.code ?? ''] ?? '400 Bad Request') : '302 Found';
    const isPage = error.code === 'HPE_INVALID_URL';
    const body = isPage ? PAGE : `${status.slice(4)}\n`;
    const type = isPage ? 'text/html; charset=utf-8' : 'text/plain';
    const where = location === undefined ? '' : `Location: ${location}\r\nCache-Control: no-store\r\n`;
    const head = `HTTP/1.1 ${status}\r\n${where}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
    if (socket.writable && !isAnswerBegun(socket)) socket.write(head + body);
    socket.destroy();
  };
}

/**
 * Returns the function that finds a visitor's address: that of the connection, or the one that trusted proxies name in X-Forwarded-For.
 * Fastify's `request.ip` uses the same library, so both always agree.
 *
 * @param trustProxy  CIDRs of the proxies whose X-Forwarded-For is trusted
 */
export function createClientAddress(trustProxy: readonly string[]): (request: IncomingMessage) => string {
  if (trustProxy.length === 0) return (request) => request.socket.remoteAddress ?? '';
  const isTrusted = proxyAddr.compile([...trustProxy]);
  return (request) => proxyAddr(request, isTrusted);
}
