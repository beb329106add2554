import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type AbuseApp, openAbuseApp } from './abuse-app.ts';
import { type Answer, contentTypeOf, makeRequest, send, wireOf } from './client.ts';
import { type Caller, CALLERS, makeMarket, type Market } from './market.ts';
import { type Example, examples } from './routes.ts';

/** What programs call: the routes whose answers are described in full. */
const PROGRAM_ROUTE = /^[A-Z]+ \/(v1|hooks)\//;

interface Content {
  content?: Record<string, { schema?: Record<string, unknown> }>;
}
interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: Content;
  responses: Record<string, Content>;
}

let abuse: AbuseApp;
let market: Market;
let paths: Record<string, Record<string, Operation>>;

beforeAll(async () => {
  abuse = await openAbuseApp();
  market = await makeMarket(abuse);
  const description = await send(abuse, { method: 'GET', url: '/openapi.json', headers: {} });
  paths = (JSON.parse(description.body) as { paths: typeof paths }).paths;
});
afterAll(async () => {
  await abuse.close();
});

const operationOf = (route: string): Operation | undefined => {
  const [method = '', url = ''] = route.split(' ');
  return paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
};

type Run = [name: string, caller: Caller, example: Example];

const runs: Run[] = CALLERS.flatMap((caller) =>
  examples
    .filter((example) => example.callers.includes(caller))
    .map((example): Run => [`${example.route} as ${caller}`, caller, example]),
);

describe('the examples are complete', () => {
  it('every route has one for everybody who may call it', () => {
    expect(abuse.routes.length).toBeGreaterThan(50);
    const wanted = abuse.routes.flatMap(({ name, roles }) => {
      const callers =
        roles.length === 0 ? ['anyone'] : [...roles, ...(roles.includes('finance') ? ['financeOfBrand'] : [])];
      return callers.map((caller) => `${name} as ${caller}`);
    });
    expect([...new Set(runs.map(([name]) => name))].toSorted()).toEqual(wanted.toSorted());
  });

  it('every field a route takes is in one of its examples, so none escapes the tests', () => {
    const missing = abuse.routes.flatMap(({ name }) => {
      const used = fieldsOfExamples(name);
      return documentedFields(name)
        .filter((field) => !used.has(aloneOrInList(field)))
        .map((field) => `${name} ${field}`);
    });
    expect(missing).toEqual([]);
  });
});

const ask = async ([, caller, example]: Run): Promise<Answer> =>
  send(abuse, wireOf(market, example, { caller, request: makeRequest(market, example, { caller }) }));

describe('every route answers as the interface says', () => {
  it.each(runs.filter(([name]) => PROGRAM_ROUTE.test(name)))('%s', async (...run) => {
    const answer = await ask(run);
    expect(answer).toMatchObject({ statusCode: run[2].status });
    expect(differences(run[2], answer)).toEqual([]);
  });

  it.each(runs.filter(([name]) => !PROGRAM_ROUTE.test(name)))('%s', async (...run) => {
    expect(await ask(run)).toMatchObject({ statusCode: run[2].status });
  });

  it('and the check is one: an answer without its members is none', () => {
    const described = operationOf('GET /v1/orders/:id')?.responses['200']?.content?.['application/json'];
    expect(strictly(described?.schema ?? {}).safeParse({ id: 'ord_1' }).success).toBe(false);
  });

  it('CSV where it says so, with the heading of every column', async () => {
    let lists = 0;
    for (const [name, caller, example] of runs) {
      const isCsv = operationOf(example.route)?.responses['200']?.content?.['text/csv'] !== undefined;
      if (!isCsv || example.status !== 200) continue;
      lists += 1;
      const wire = wireOf(market, example, { caller, request: makeRequest(market, example, { caller }) });
      const answer = await send(abuse, { ...wire, headers: { ...wire.headers, accept: 'text/csv' } });
      expect({ name, ...answer }).toMatchObject({ statusCode: 200 });
      expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8');
      expect(answer.body).toMatch(/^\uFEFF[A-Za-z]+(,[A-Za-z]+)+\r\n/);
    }
    expect(lists).toBeGreaterThan(20);
  });
});

/** What of an answer is not as described: its status, its content type, a member. */
function differences({ route, status }: Example, answer: Answer): unknown[] {
  const { responses = {} } = operationOf(route) ?? {};
  const described = responses[String(status)] ?? responses[`${String(status).slice(0, 1)}XX`];
  if (described === undefined) return [`${status} is not described`];
  if (status === 204) return answer.body === '' ? [] : ['a body'];
  const schema = described.content?.[contentTypeOf(answer)]?.schema;
  if (schema === undefined) return [`${contentTypeOf(answer)} is not described`];
  return strictly(schema).safeParse(JSON.parse(answer.body)).error?.issues ?? [];
}

/** The described schema as a check. */
function strictly(schema: Record<string, unknown>): z.ZodType {
  return z.fromJSONSchema(schema);
}

function fieldsOfExamples(route: string): Set<string> {
  const fields = runs
    .filter(([, , example]) => example.route === route)
    .flatMap(([, caller, example]) => {
      const { query = {}, body = {} } = makeRequest(market, example, { caller });
      return [...Object.keys(query).map((name) => `?${name}`), ...leaves(body, '')];
    });
  return new Set(fields.map(aloneOrInList));
}

/** A shop sends one event, or several in a list: the same fields. */
const aloneOrInList = (field: string): string => field.replace(/^events(\[\]\.|$)/, '');

/** The paths of all members: `scope.storeId`, `events[].lines[].lineId`. */
function leaves(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => leaves(item, `${path}[]`))];
  if (typeof value !== 'object' || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === '' ? name : `${path}.${name}`)),
  ];
}

/** The members of a described body and the query fields, but for the cursor, which has tests of its own. */
function documentedFields(route: string): string[] {
  const operation = operationOf(route);
  const query = (operation?.parameters ?? []).filter((each) => each.in === 'query' && each.name !== 'cursor');
  const body = operation?.requestBody?.content?.['application/json']?.schema;
  return [...query.map(({ name }) => `?${name}`), ...(body === undefined ? [] : members(body, ''))];
}

function members(schema: Record<string, unknown>, path: string): string[] {
  const variants = ['anyOf', 'oneOf', 'allOf'].flatMap((key) => (schema[key] ?? []) as Record<string, unknown>[]);
  const items = schema['items'] === undefined ? [] : members(schema['items'] as Record<string, unknown>, `${path}[]`);
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Record<string, unknown>>);
  const found = properties.flatMap(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [at, ...members(inner, at)];
  });
  return [...new Set([...found, ...items, ...variants.flatMap((variant) => members(variant, path))])];
}
