import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import fastify from 'fastify';
import type { FastifyError } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CHECKED_VERSIONS, isAnswerBegun, validationEntriesOf } from '../../src/http/undocumented-members.ts';

/**
 * The program reads these members although nothing documents them. When this file fails after an upgrade: read the changed source, correct
 * `src/http/undocumented-members.ts` and only then write the new version there.
 */
describe('the versions that were checked', () => {
  it('are those that run', () => {
    const installed = (name: string): string =>
      (
        JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')) as {
          version: string;
        }
      ).version;
    expect({
      node: process.versions.node.split('.')[0],
      'fastify-type-provider-zod': installed('fastify-type-provider-zod'),
    }).toEqual(CHECKED_VERSIONS);
  });
});

describe('_httpMessage of a socket of Node', () => {
  it('says whether the answer on it has begun', async () => {
    const seen: boolean[] = [];
    const server = createServer((_request, response) => {
      const { socket } = response as { socket: Socket };
      seen.push(isAnswerBegun(socket));
      response.write('half');
      seen.push(isAnswerBegun(socket));
      response.end();
      response.once('finish', () => setImmediate(() => seen.push(isAnswerBegun(socket))));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(client, 'data');
    await expect.poll(() => seen.length).toBe(3);
    client.destroy();
    server.close();
    expect(seen).toEqual([false, true, false]);
  });
});

describe('error.validation of the zod compiler', () => {
  it('holds the code, the path with slashes, the text and the other members of each issue', async () => {
    const app = fastify();
    app.setValidatorCompiler(validatorCompiler);
    let caught: FastifyError | undefined;
    app.setErrorHandler(async (error: FastifyError, _request, reply) => {
      caught = error;
      return reply.code(400).send();
    });
    const body = z.strictObject({
      rating: z.strictObject({ score: z.number() }),
      rate: z.union([z.strictObject({ a: z.number() }), z.strictObject({ b: z.number() })]),
    });
    app.post('/', { schema: { body } }, async () => 'ok');
    await app.inject({ method: 'POST', url: '/', payload: { rating: { score: 'x' }, rate: { a: 'x' }, extra: 1 } });
    await app.close();
    const entries = validationEntriesOf(caught ?? ({} as FastifyError));
    expect(entries.map(({ keyword, instancePath }) => `${keyword} ${instancePath}`).toSorted()).toEqual([
      'invalid_type /rating/score',
      'invalid_union /rate',
      'unrecognized_keys /',
    ]);
    const paramsOf = (code: string) => entries.find(({ keyword }) => keyword === code)?.params;
    expect(paramsOf('unrecognized_keys')).toMatchObject({ keys: ['extra'] });
    expect(paramsOf('invalid_union')).toMatchObject({ errors: [[{ path: ['a'] }], expect.any(Array)] });
    expect(entries.every(({ message }) => typeof message === 'string')).toBe(true);
  });
});
