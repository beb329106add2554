import { z } from 'zod';
import { actingAs, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { shanghaiDay } from '../../core/calendar.ts';
import type { EligibilityRule } from '../../core/catalog/eligibility.ts';
import { prefixedId, problemResponses } from '../../http/fields.ts';
import { jsonOrCsv, listOf, pageQuery, pageOf, readIdCursor, sendPage } from '../../http/list.ts';
import type { CsvColumn } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Problem } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { readPlatform } from '../../platforms/platform.ts';
import { changeStore, rotateWebhookSecret } from './change-store.ts';
import { findStore, listStores } from './queries.ts';
import type { StoreRow } from './queries.ts';
import { registerStore } from './register-store.ts';
import type { StoreActing, StoreDeps, StoreRefusal } from './register-store.ts';
import { storeAnswer, storeAnswerOf, storeBody, storeChangeBody, storeWithSecretAnswer } from './store-fields.ts';
import type { StoreAnswer } from './store-fields.ts';

export interface StoreRouteDeps extends StoreDeps {
  now: () => Date;
  eligibilityRule: EligibilityRule;
}

const columns: CsvColumn<StoreAnswer>[] = [
  { name: 'id', value: (store) => store.id },
  { name: 'brandId', value: (store) => store.brandId },
  { name: 'platform', value: (store) => store.platform },
  { name: 'externalShopId', value: (store) => store.externalShopId },
  { name: 'name', value: (store) => store.name },
  { name: 'status', value: (store) => store.status },
  { name: 'orderSource', value: (store) => store.orderSource },
  { name: 'score', value: (store) => store.rating?.score },
  { name: 'scale', value: (store) => store.rating?.scale },
  { name: 'openedOn', value: (store) => store.openedOn },
  { name: 'eligible', value: (store) => store.eligibility.eligible },
  { name: 'reasons', value: (store) => store.eligibility.reasons.map((reason) => reason.code).join(' ') },
  { name: 'createdAt', value: (store) => store.createdAt },
];

const params = z.object({ id: prefixedId('str') });
const tags = ['Catalogue'];

/** Runs before the schema, so that a JD or WeChat store gets the clear answer whatever else its body holds. */
async function refuseUnsupportedPlatform({ body }: { body: unknown }): Promise<void> {
  if (typeof body !== 'object' || body === null || !('platform' in body) || typeof body.platform !== 'string') return;
  const reading = readPlatform(body.platform);
  if (!reading.ok) throw problems.platformNotSupported(reading.detail);
}

/** `/v1/stores`: the shops of a brand, each with its rating, its opening day and the eligibility that follows. */
export async function storeRoutes(app: Server, deps: StoreRouteDeps): Promise<void> {
  registeringRoutes(app, deps);
  readingRoutes(app, deps);
}

function answerWith({ eligibilityRule, now }: StoreRouteDeps): (row: StoreRow) => StoreAnswer {
  return (row) => storeAnswerOf(row, { rule: eligibilityRule, today: shanghaiDay(now()) });
}

/** The rating and the opening day count as declared where a brand gives them, as vouched for where the operator does. */
function storeActing(principal: Principal): StoreActing {
  return { ...actingAs(principal), source: principal.role === 'admin' ? 'admin' : 'declared' };
}

function brandOf(principal: Principal, named: string | undefined): string {
  if (principal.brandId === undefined) {
    if (named !== undefined) return named;
    throw problems.validationFailed([{ path: 'brandId', message: 'an admin key must name the brand' }]);
  }
  if (named === undefined) return principal.brandId;
  throw problems.validationFailed([{ path: 'brandId', message: 'only an admin key may name the brand' }]);
}

function refusalProblem(refusal: StoreRefusal): Problem {
  switch (refusal.reason) {
    case 'unknown_brand':
    case 'unknown_store':
      return problems.notFound();
    case 'already_registered':
      return problems.storeAlreadyRegistered();
    case 'invalid_field':
      return problems.validationFailed([{ path: refusal.path, message: refusal.message }]);
    default: {
      const giver = refusal.source === 'admin' ? 'operator' : 'platform';
      return problems.conflict(`The ${refusal.field} was given by the ${giver}; a brand cannot overwrite it.`);
    }
  }
}

/** Registering and changing stores. */
function registeringRoutes(app: Server, deps: StoreRouteDeps): void {
  const answerOf = answerWith(deps);

  app.post(
    '/v1/stores',
    {
      config: { roles: ['brand', 'admin'], secretFields: ['webhookSecret'] },
      preValidation: refuseUnsupportedPlatform,
      schema: {
        summary: 'Register a store; the answer says whether its products can be promoted',
        tags,
        body: storeBody,
        response: { 201: storeWithSecretAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const brandId = brandOf(request.principal, request.body.brandId);
      const registered = await registerStore(deps, storeActing(request.principal), { ...request.body, brandId });
      if (!registered.ok) throw refusalProblem(registered);
      return reply.code(201).send({ ...answerOf(registered.store), webhookSecret: registered.webhookSecret });
    },
  );

  app.patch(
    '/v1/stores/:id',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Change a store; ratings and opening days keep their history',
        tags,
        params,
        body: storeChangeBody,
        response: { 200: storeAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const changed = await changeStore(deps, storeActing(request.principal), request.params.id, request.body);
      if (!changed.ok) throw refusalProblem(changed);
      return answerOf(changed.store);
    },
  );

  app.post(
    '/v1/stores/:id/webhook-secret',
    {
      config: { roles: ['brand', 'admin'], secretFields: ['webhookSecret'] },
      schema: {
        summary: 'Replace the webhook secret; the old one ends at once',
        tags,
        params,
        response: { 201: storeWithSecretAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const rotated = await rotateWebhookSecret(deps, actingAs(request.principal), request.params.id);
      if (!rotated.ok) throw refusalProblem(rotated);
      return reply.code(201).send({ ...answerOf(rotated.store), webhookSecret: rotated.webhookSecret });
    },
  );
}

/** Reading stores. */
function readingRoutes(app: Server, deps: StoreRouteDeps): void {
  const answerOf = answerWith(deps);

  app.get(
    '/v1/stores',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'List stores with their eligibility',
        tags,
        querystring: z.strictObject({ ...pageQuery }),
        response: { 200: jsonOrCsv(listOf(storeAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const brandId = brandScope(request.principal);
      const rows = await listStores(deps.db, { brandId, afterId: readIdCursor(cursor), limit: limit + 1 });
      return sendPage(request, reply, { page: pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf }), columns });
    },
  );

  app.get(
    '/v1/stores/:id',
    {
      config: { roles: ['brand', 'admin'] },
      schema: { summary: 'Read a store', tags, params, response: { 200: storeAnswer, ...problemResponses } },
    },
    async (request) => {
      const store = await findStore(deps.db, { storeId: request.params.id, scope: brandScope(request.principal) });
      if (store === undefined) throw problems.notFound();
      return answerOf(store);
    },
  );
}
