/** An internet for tests: real servers on this machine, reached by guarded requests under public names. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { TestNetwork } from '../../src/infra/guarded-request.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Outside {
  network: TestNetwork;
  /** What names lead to; those that are not here do not exist. */
  names: Map<string, string[]>;
  /** Each name looked up, in turn. */
  lookups: string[];
  /** `METHOD host/path` of each request that arrived, in turn. */
  requests: string[];
  /** What the server answers from now on. */
  answer(handler: Handler): void;
  close(): Promise<void>;
}

const TLS = path.resolve(import.meta.dirname, '..', 'fixtures', 'tls');
/** In the place of the public address that a shop would have. */
export const SHOP_ADDRESS = '127.0.0.1';

async function listen(server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, SHOP_ADDRESS, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/**
 * One server that stands for all shops, over http or, with `tls`, over https (for `shop.test` and its subdomains). Only 127.0.0.1 counts as
 * public in it; 127.0.0.2 and every other address stay what they are.
 */
export async function openOutside({ tls = false } = {}): Promise<Outside> {
  const lookups: string[] = [];
  const requests: string[] = [];
  const names = new Map<string, string[]>();
  let handler: Handler = (_request, response) => response.writeHead(500).end();
  const onRequest: Handler = (request, response) => {
    const host = request.headers.host?.replace(/:\d+$/, '') ?? '';
    requests.push(`${request.method} ${host}${request.url}`);
    handler(request, response);
  };
  const certificate = readFileSync(path.join(TLS, 'certificate.pem'), 'utf8');
  const server = tls
    ? https.createServer({ cert: certificate, key: readFileSync(path.join(TLS, 'key.pem')) }, onRequest)
    : http.createServer(onRequest);
  const port = await listen(server);
  return {
    names,
    lookups,
    requests,
    network: {
      ports: new Map([[SHOP_ADDRESS, port]]),
      resolve: async (hostname) => {
        lookups.push(hostname);
        const found = names.get(hostname);
        if (found === undefined) throw Object.assign(new Error(`no such name: ${hostname}`), { code: 'ENOTFOUND' });
        return found;
      },
      ca: certificate,
    },
    answer: (next) => {
      handler = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
