import { Writable } from 'node:stream';
import { pino } from 'pino';

import { accessRoutes } from '../../src/access/routes.ts';
import { guardApi } from '../../src/access/guard-api.ts';
import type { GuardOptions } from '../../src/access/guard-api.ts';
import { createServer } from '../../src/http/create-server.ts';
import type { ServerOptions } from '../../src/http/create-server.ts';
import type { Server } from '../../src/http/server.ts';
import type { Db } from '../../src/infra/db.ts';

export const ADMIN_KEY = `dh_admin_${'T'.repeat(43)}`;
export const PUBLIC_URL = 'http://daihuo.test';

export function bearer(key: string): { authorization: string } {
  return { authorization: `Bearer ${key}` };
}

export const asAdmin = bearer(ADMIN_KEY);

export interface TestServer {
  app: Server;
  /** Every log line so far, all levels. */
  logText: () => string;
}

/** A server with the access routes, and whatever `register` adds. Close it with `app.close()`. */
export async function createTestServer(
  db: Db,
  register: (app: Server) => Promise<void> | void = () => {},
  options: Partial<ServerOptions & GuardOptions> = {},
): Promise<TestServer> {
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString('utf8'));
      done();
    },
  });
  const app = await createServer({
    log: pino({ level: 'trace' }, stream),
    publicUrl: () => PUBLIC_URL,
    guard: (guarded) => guardApi(guarded, { db, adminKey: ADMIN_KEY, ...options }),
    ...options,
  });
  await accessRoutes(app, { db, now: () => new Date() });
  await register(app);
  await app.ready();
  return { app, logText: () => lines.join('') };
}

/** An answer without what must differ between equal ones: the request id and the date. */
export function comparable(answer: { statusCode: number; headers: object; body: string }): unknown {
  const headers: Record<string, unknown> = { ...answer.headers };
  delete headers['date'];
  return {
    status: answer.statusCode,
    headers,
    body: answer.body.replace(/urn:daihuo:request:[0-9a-f-]{36}/, 'urn:daihuo:request:(id)'),
  };
}
