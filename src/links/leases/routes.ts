import { z } from 'zod';
import { SLOT_KINDS } from '../../core/vocabulary.ts';
import { brandScope } from '../../access/principal.ts';
import { dayOrInstant, instant, prefixedId, problemResponses, text } from '../../http/fields.ts';
import { pageOf, readIdCursor, sendPage } from '../../http/list.ts';
import { jsonOrCsv, listOf, pageQuery } from '../../http/list.ts';
import type { CsvColumn } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { endCouponLease, endSlotLease, leaseSlot, registerCoupon } from './lease.ts';
import type { LeaseOutcome } from './lease.ts';
import { listCoupons, listSlots } from './queries.ts';
import type { CouponRow, SlotRow } from './queries.ts';

export interface LeaseDeps {
  db: Db;
  now: () => Date;
}

const kind = z.enum(SLOT_KINDS);

const slotBody = z
  .strictObject({
    storeId: prefixedId('str'),
    kind,
    externalId: text(128).meta({
      description: 'as orders name it: an adzone id (or a whole PID, mm_1_2_3), a salesman sls, a relation id',
    }),
    influencerId: prefixedId('inf'),
    productId: prefixedId('prd').exactOptional().meta({ description: 'an adzone names one product' }),
    validFrom: dayOrInstant.exactOptional(),
    validTo: dayOrInstant.exactOptional(),
  })
  .meta({
    examples: [
      {
        storeId: 'str_k2m8x7q4w9z3p6n5',
        kind: 'adzone',
        externalId: '111222333',
        influencerId: 'inf_k2m8x7q4w9z3p6n5',
        productId: 'prd_k2m8x7q4w9z3p6n5',
      },
    ],
  });

const slotAnswer = z.object({
  id: prefixedId('slt'),
  brandId: prefixedId('brd'),
  storeId: prefixedId('str'),
  kind,
  externalId: z.string(),
  influencerId: prefixedId('inf'),
  productId: prefixedId('prd').nullable(),
  validFrom: instant,
  validTo: instant.nullable(),
  createdAt: instant,
});

const slotColumns: CsvColumn<SlotRow>[] = [
  { name: 'id', value: (slot) => slot.id },
  { name: 'storeId', value: (slot) => slot.storeId },
  { name: 'kind', value: (slot) => slot.kind },
  { name: 'externalId', value: (slot) => slot.externalId },
  { name: 'influencerId', value: (slot) => slot.influencerId },
  { name: 'productId', value: (slot) => slot.productId },
  { name: 'validFrom', value: (slot) => slot.validFrom },
  { name: 'validTo', value: (slot) => slot.validTo },
];

const couponBody = z
  .strictObject({
    storeId: prefixedId('str'),
    code: z.string().max(200).meta({ description: 'case, full-width forms and blanks around it make no difference' }),
    influencerId: prefixedId('inf'),
    validFrom: dayOrInstant.exactOptional(),
    validTo: dayOrInstant.exactOptional(),
  })
  .meta({ examples: [{ storeId: 'str_k2m8x7q4w9z3p6n5', code: 'XIAOMEI20', influencerId: 'inf_k2m8x7q4w9z3p6n5' }] });

const couponAnswer = z.object({
  id: prefixedId('cpn'),
  brandId: prefixedId('brd'),
  storeId: prefixedId('str'),
  code: z.string(),
  influencerId: prefixedId('inf'),
  validFrom: instant,
  validTo: instant.nullable(),
  createdAt: instant,
});

const couponColumns: CsvColumn<CouponRow>[] = [
  { name: 'id', value: (coupon) => coupon.id },
  { name: 'storeId', value: (coupon) => coupon.storeId },
  { name: 'code', value: (coupon) => coupon.code },
  { name: 'influencerId', value: (coupon) => coupon.influencerId },
  { name: 'validFrom', value: (coupon) => coupon.validFrom },
  { name: 'validTo', value: (coupon) => coupon.validTo },
];

const tags = ['Links'];

/** `/v1/tracking-slots` and `/v1/coupons`. */
export async function leaseRoutes(app: Server, deps: LeaseDeps): Promise<void> {
  trackingSlotRoutes(app, deps);
  couponRoutes(app, deps);
}

/** `/v1/tracking-slots`: leases through which the platform's own order names an influencer (levels 2 and 3 of attribution). */
function trackingSlotRoutes(app: Server, deps: LeaseDeps): void {
  const { db } = deps;
  app.post(
    '/v1/tracking-slots',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Lease a tracking slot to an influencer; it is that influencer’s for ever',
        tags,
        body: slotBody,
        response: { 201: slotAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const outcome = await leaseSlot(db, request.principal, request.body);
      return reply.code(201).send(leaseOf(outcome, 'tracking slot'));
    },
  );

  app.get(
    '/v1/tracking-slots',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'List tracking slots',
        tags,
        querystring: z.strictObject({
          ...pageQuery,
          storeId: prefixedId('str').exactOptional(),
          influencerId: prefixedId('inf').exactOptional(),
        }),
        response: { 200: jsonOrCsv(listOf(slotAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor, storeId, influencerId } = request.query;
      const filter = { brandId: brandScope(request.principal), storeId, influencerId };
      const rows = await listSlots(db, { ...filter, afterId: readIdCursor(cursor), limit: limit + 1 });
      const page = pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf: (row) => row });
      return sendPage(request, reply, { page, columns: slotColumns });
    },
  );

  app.patch(
    '/v1/tracking-slots/:id',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'End a lease, or move its end; never into the past',
        tags,
        params: z.object({ id: prefixedId('slt') }),
        body: z.strictObject({ validTo: dayOrInstant }).meta({ examples: [{ validTo: '2027-01-01' }] }),
        response: { 200: slotAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { validTo } = request.body;
      const outcome = await endSlotLease(deps, { id, validTo, principal: request.principal });
      return leaseOf(outcome, 'tracking slot');
    },
  );
}

/** `/v1/coupons`: codes that name an influencer when an order uses them (level 4 of attribution). */
function couponRoutes(app: Server, deps: LeaseDeps): void {
  const { db } = deps;
  app.post(
    '/v1/coupons',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Register a coupon code for an influencer; it is that influencer’s for ever',
        tags,
        body: couponBody,
        response: { 201: couponAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const outcome = await registerCoupon(db, request.principal, request.body);
      return reply.code(201).send(leaseOf(outcome, 'coupon'));
    },
  );

  app.get(
    '/v1/coupons',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'List coupon codes',
        tags,
        querystring: z.strictObject({
          ...pageQuery,
          storeId: prefixedId('str').exactOptional(),
          influencerId: prefixedId('inf').exactOptional(),
        }),
        response: { 200: jsonOrCsv(listOf(couponAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor, storeId, influencerId } = request.query;
      const filter = { brandId: brandScope(request.principal), storeId, influencerId };
      const rows = await listCoupons(db, { ...filter, afterId: readIdCursor(cursor), limit: limit + 1 });
      const page = pageOf(rows, { limit, keyOf: (row) => [row.id], answerOf: (row) => row });
      return sendPage(request, reply, { page, columns: couponColumns });
    },
  );

  app.patch(
    '/v1/coupons/:id',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'End a coupon, or move its end; never into the past',
        tags,
        params: z.object({ id: prefixedId('cpn') }),
        body: z.strictObject({ validTo: dayOrInstant }).meta({ examples: [{ validTo: '2027-01-01' }] }),
        response: { 200: couponAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { validTo } = request.body;
      const outcome = await endCouponLease(deps, { id, validTo, principal: request.principal });
      return leaseOf(outcome, 'coupon');
    },
  );
}

/**
 * The lease of an outcome.
 *
 * @param noun  names the leased thing in a sentence: `tracking slot`, `coupon`
 * @throws Problem not_found, validation_failed, conflict
 */
function leaseOf<Lease>(outcome: LeaseOutcome<Lease>, noun: string): Lease {
  if (outcome.ok) return outcome.lease;
  switch (outcome.reason) {
    case 'not_found':
      throw problems.notFound();
    case 'owned_by_another':
      throw problems.conflict(
        `The ${noun} belongs to another influencer for ever: its evidence would credit the wrong one.`,
      );
    case 'overlaps':
      throw problems.conflict(`The ${noun} is leased for a part of that time already.`);
    default:
      throw problems.validationFailed([{ path: outcome.path, message: outcome.message }]);
  }
}
