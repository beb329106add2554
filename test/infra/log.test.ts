import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createLog } from '../../src/infra/log.ts';

async function linesOf(fields: object, message: string): Promise<string[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'daihuo-log-'));
  const file = await open(path.join(folder, 'log'), 'w');
  createLog({ level: 'info', fd: file.fd }).info(fields, message);
  const text = await readFile(path.join(folder, 'log'), 'utf8');
  await file.close();
  await rm(folder, { recursive: true });
  return text.trimEnd().split('\n');
}

test('an event is one line of JSON, whatever a visitor sent', async () => {
  const userAgent = 'a\r\n{"level":"error"}\u001B[31m\u2028\u0000';
  const lines = await linesOf({ userAgent }, 'visit');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', msg: 'visit', userAgent });
});

test('keys, passwords and secrets never reach the log', async () => {
  const canary = 'dh_admin_canary';
  const [line = ''] = await linesOf(
    {
      authorization: canary,
      req: { headers: { authorization: canary, cookie: canary } },
      headers: { authorization: canary },
      store: { clientSecret: canary, webhookSecret: canary },
      apiKey: canary,
    },
    'request',
  );
  expect(line).not.toContain(canary);
  expect(line).toContain('[redacted]');
});
