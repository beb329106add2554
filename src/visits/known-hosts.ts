import { isProgramAddress } from '../http/error-handler.ts';
import type { EarlyRoute } from '../http/server.ts';
import { plainPage } from '../http/visitor-page.ts';

const PAGE = plainPage('无法打开', '这个网址不是短链的网址，请对照视频或简介核对后再试。');
const HEADERS = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Content-Length',
  String(Buffer.byteLength(PAGE)),
  'Cache-Control',
  'no-store',
  'Content-Security-Policy',
  "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options',
  'nosniff',
];

/**
 * Refuses visitors who come under a host that is not ours (421), in front of everything else. Programs are let through under any host:
 * probes come by address, and keys and signatures prove the rest.
 */
export function onKnownHosts(isKnown: (host: string | undefined) => boolean, next: EarlyRoute): EarlyRoute {
  return (request, response) => {
    if (isKnown(request.headers.host) || isProgramAddress(request.url ?? '')) return next(request, response);
    response.writeHead(421, HEADERS);
    response.end(request.method === 'HEAD' ? undefined : PAGE);
    return true;
  };
}
