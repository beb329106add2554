import proxyAddr from '@fastify/proxy-addr';
import type { IncomingMessage } from 'node:http';

/**
 * Returns the function that tells a visitor's address: that of the connection, or the one that trusted proxies name in X-Forwarded-For. The
 * library is the one Fastify's `request.ip` is made of, so both always say the same.
 *
 * @param trustProxy CIDRs of the proxies whose X-Forwarded-For is believed
 */
export function createClientAddress(trustProxy: readonly string[]): (request: IncomingMessage) => string {
  if (trustProxy.length === 0) return (request) => request.socket.remoteAddress ?? '';
  const isTrusted = proxyAddr.compile([...trustProxy]);
  return (request) => proxyAddr(request, isTrusted);
}
