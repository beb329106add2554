import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type AbuseApp, openAbuseApp } from '../abuse/abuse-app.ts';

type Json = Record<string, unknown>;
interface Operation {
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: Json; example?: unknown }> };
}

let abuse: AbuseApp;
let bodies: { name: string; schema: Json; example: unknown }[];
let withIdempotencyKey: string[];

beforeAll(async () => {
  abuse = await openAbuseApp();
  const { paths } = (await abuse.app.inject({ url: '/openapi.json' })).json<{
    paths: Record<string, Record<string, Operation>>;
  }>();
  bodies = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) =>
      Object.values(requestBody?.content ?? {}).map(({ schema, example }) => ({
        name: `${method} ${path}`,
        schema,
        example,
      })),
    ),
  );
  withIdempotencyKey = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { parameters = [] }]) =>
        parameters.some(({ name, required }) => name === 'Idempotency-Key' && !required),
      )
      .map(([method]) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
});
afterAll(async () => {
  await abuse.close();
});

describe('the description of the interface', () => {
  it('has an example for every body, which is one: who pastes it from /docs is not refused for its form', () => {
    expect(bodies.length).toBeGreaterThan(20);
    const faulty = bodies.filter(({ schema, example }) => !z.fromJSONSchema(schema).safeParse(example).success);
    expect(faulty.map(({ name, example }) => ({ name, example }))).toEqual([]);
  });

  it('offers the Idempotency-Key on every POST under /v1 and nowhere else, optional', () => {
    const posts = abuse.routes.filter(({ name }) => name.startsWith('POST /v1/')).map(({ name }) => name);
    expect(posts.length).toBeGreaterThan(10);
    expect(withIdempotencyKey.toSorted()).toEqual(posts.toSorted());
  });
});
