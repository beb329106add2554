import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { instant } from '../../src/http/fields.ts';
import {
  cursorBigint,
  cursorTime,
  decodeCursor,
  encodeCursor,
  jsonOrCsv,
  listOf,
  sendCsv,
  wantsCsv,
} from '../../src/http/list.ts';
import { createDb } from '../../src/infra/db.ts';
import { asAdmin, createTestServer } from './test-server.ts';
import type { TestServer } from './test-server.ts';

const encoded = (json: string): string => Buffer.from(json).toString('base64url');

describe('cursor', () => {
  const shape = z.tuple([instant, cursorBigint, z.string()]);

  it('gives back what went in', () => {
    const values = [new Date('2026-11-22T03:04:05.678Z'), 2n ** 63n - 1n, '带货/+='] as const;
    const cursor = encodeCursor(values);
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(decodeCursor(cursor, shape)).toEqual(values);
  });

  it('keeps the microseconds of a time', () => {
    const time = '2026-11-22T03:04:05.678901Z';
    expect(decodeCursor(encodeCursor([time]), z.tuple([cursorTime]))).toEqual([time]);
  });

  it.each([
    ['', '%%%', 'null', encoded('null'), encoded('{}'), encoded('[]'), encoded('["2026-11-22T03:04:05Z", "1"]')],
    [encoded('["2026-11-22T03:04:05Z", "1", "a", "b"]'), encoded('["2026-02-30T03:04:05Z", "1", "a"]')],
    [encoded('["2026-11-22T03:04:05Z", "9223372036854775808", "a"]'), encoded('["2026-11-22T03:04:05Z", 1, "a"]')],
    [
      encoded(String.raw`["2026-11-22T03:04:05Z", "1", "a\u0000"]`),
      encoded(String.raw`["2026-11-22T03:04:05Z", "1", "\ud800"]`),
    ],
  ])('a forged one is the fault of the caller %#', (...forged) => {
    for (const cursor of forged) expect(() => decodeCursor(cursor, shape)).toThrow('validation_failed');
  });
});

it.each([
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['text/csv', true],
  ['Text/CSV; charset=utf-8', true],
  ['text/csv;q=0', false],
  ['application/json, text/csv;q=0.5', false],
  ['text/csv, application/json;q=0.9', true],
  ['text/csvx', false],
])('Accept %s asks for CSV: %s', (accept, expected) => {
  expect(wantsCsv({ headers: accept === undefined ? {} : { accept } })).toBe(expected);
});

interface Row {
  title: string;
  paidFen: bigint;
}

async function* failingRows(): AsyncGenerator<Row> {
  yield { title: 'a', paidFen: 1n };
  throw new Error('the database went away');
}

describe('CSV', () => {
  const db = createDb({ url: 'postgres://127.0.0.1:1/none', applicationName: 'test', onError: () => {} });
  let server: TestServer;
  let rows: Iterable<Row> | AsyncIterable<Row> = [];

  beforeAll(async () => {
    server = await createTestServer(db, (app) => {
      app.route({
        method: 'GET',
        url: '/v1/rows',
        config: { roles: ['admin'] },
        schema: { response: { 200: jsonOrCsv(listOf(z.object({ title: z.string() }))) } },
        handler: async (request, reply) => {
          if (!wantsCsv(request)) return { data: [{ title: 'a' }], nextCursor: null };
          return sendCsv(reply, rows, [
            { name: 'title', value: (row) => row.title },
            { name: 'paidFen', value: (row) => row.paidFen },
            { name: 'at', value: () => new Date('2026-11-22T00:00:00Z') },
            { name: 'nothing', value: () => null },
          ]);
        },
      });
    });
  });
  afterAll(async () => {
    await server.app.close();
    await db.end();
  });
  const get = async (accept: string) => server.app.inject({ url: '/v1/rows', headers: { ...asAdmin, accept } });

  it('opens in a spreadsheet: BOM, CRLF, quotes, negative amounts as numbers', async () => {
    rows = [
      { title: '口红 "一号", 新\n款', paidFen: 19_900n },
      { title: '退款', paidFen: -5000n },
    ];
    const answer = await get('text/csv');
    expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(answer.rawPayload.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
    expect(answer.body.replace('\uFEFF', '')).toBe(
      'title,paidFen,at,nothing\r\n"口红 ""一号"", 新\n款",19900,2026-11-22T00:00:00.000Z,\r\n退款,-5000,2026-11-22T00:00:00.000Z,\r\n',
    );
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =1', '＝1', '＋1', '－1', '＠x', '\u00a0=1'])(
    'the text %j is never a formula',
    async (title) => {
      rows = [{ title, paidFen: 0n }];
      const cell = (await get('text/csv')).body.split('\r\n')[1];
      expect(cell?.replace(/^"/, '').startsWith("'")).toBe(true);
    },
  );

  it('is JSON for everybody else', async () => {
    expect((await get('*/*')).json()).toEqual({ data: [{ title: 'a' }], nextCursor: null });
  });

  it('rows that fail half-way break the transfer instead of looking complete', async () => {
    rows = failingRows();
    const address = await server.app.listen({ port: 0, host: '127.0.0.1' });
    const transfer = async (): Promise<string> => {
      const response = await fetch(`${address}/v1/rows`, { headers: { ...asAdmin, accept: 'text/csv' } });
      return response.ok ? response.text() : Promise.reject(new Error(`status ${response.status}`));
    };
    await expect(transfer()).rejects.toThrow(/terminated|failed|status 500/);
  });
});
