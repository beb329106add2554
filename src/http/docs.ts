import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import { z } from 'zod';

import type { Server } from './server.ts';

/** The page runs only its own scripts and calls only this server. The UI sets style attributes, which need 'unsafe-inline' for styles. */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const DESCRIPTION = `Affiliate links for influencers: short links, a log of every click, orders matched to clicks, and a balanced journal of commissions.

Money is in integer fen (1/100 yuan), rates in basis points, times in UTC; days and months are those of Asia/Shanghai.
Errors are RFC 9457 problem details. A POST may carry an Idempotency-Key.`;

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" width="180" height="40"><text x="0" y="28" fill="#fff" font-family="sans-serif" font-size="22">带货 daihuo</text></svg>`;

/** In the order in which an integration needs them. */
const SECTIONS = [
  ['Catalogue', 'brands, stores, products, influencers and their agencies'],
  ['Links', 'short links, tracking slots, coupons, statistics'],
  ['Visitors', 'addresses that visitors and phones open'],
  ['Orders in', 'signed messages of platforms and shops'],
  ['Orders', 'orders, attribution, explanations, decisions'],
  ['Commissions', 'terms, commissions, totals, journal, balances'],
  ['Access', 'API keys'],
  ['Audit', 'the record of changes made by hand'],
] as const;

/** Every POST with an API key accepts it (`guardApi`), so it is described once, here. */
const IDEMPOTENCY_HEADER = {
  type: 'object',
  properties: {
    'Idempotency-Key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description:
        'For 7 days, a repeated request with the same key and body gets the first answer and is not executed again.',
    },
  },
};

/** The JSON side of values that JSON does not have: amounts and counts (bigint) are integers, instants (Date) are texts. */
const toJson = createJsonSchemaTransform({
  zodToJsonConfig: {
    override: ({ zodSchema, jsonSchema }) => {
      const { type } = zodSchema._zod.def;
      if (type === 'bigint') jsonSchema.type = 'integer';
      if (type === 'date') {
        jsonSchema.type = 'string';
        jsonSchema.format = 'date-time';
      }
      if (type === 'undefined') jsonSchema.type = 'null';
      // zod drops the examples of a schema that holds a codec, because they could be of either side; ours are of the JSON side.
      const examples = z.globalRegistry.get(zodSchema)?.['examples'];
      if (Array.isArray(examples)) jsonSchema.examples = examples;
    },
  },
});

/**
 * `/openapi.json` (3.1, from the zod schemas of the routes) and `/docs`, an interactive page.
 *
 * Call it before the routes are registered, because it sees only later ones. Routes without tags are left out.
 */
export async function docsRoutes(app: Server, deps: { version: string }): Promise<void> {
  await app.register(swagger, {
    hideUntagged: true,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'daihuo', version: deps.version, description: DESCRIPTION },
      servers: [{ url: '/' }],
      tags: SECTIONS.map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'dh_<role>_<43 characters>' },
        },
      },
    },
    transform: (route) => {
      const { schema, url } = toJson(route);
      const roles = route.route.config?.roles;
      if (roles === undefined) return { schema: { ...schema, security: [] }, url };
      const callers = `Callers: ${roles.join(', ')}.`;
      const description = schema.description === undefined ? callers : `${schema.description}\n\n${callers}`;
      const headers = [route.route.method].flat().includes('POST') ? { headers: IDEMPOTENCY_HEADER } : {};
      return { schema: { ...schema, ...headers, description, security: [{ apiKey: [] }] }, url };
    },
  });
  app.route({
    method: 'GET',
    url: '/openapi.json',
    schema: { hide: true },
    handler: async (_request, reply) =>
      // The contract is public, so pages on other hosts may read it.
      reply
        .header('access-control-allow-origin', '*')
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(app.swagger())),
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    uiConfig: { deepLinking: true, docExpansion: 'list', persistAuthorization: false, tryItOutEnabled: true },
    theme: { title: 'daihuo API' },
    logo: { type: 'image/svg+xml', content: LOGO, href: '/docs' },
  });
}
