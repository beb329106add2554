import { z } from 'zod';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { pageOf, readIdCursor, sendPage, jsonOrCsv, listOf, pageQuery } from '../../http/list.ts';
import { canonicalCoupon } from '../../core/attribution/coupon.ts';
import { dayOrInstant, instant, prefixedId, problemResponses } from '../../http/fields.ts';
import type { CsvColumn } from '../../http/list.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { leaseProblem } from '../lease-problem.ts';
import { findLeasePlace } from '../tracking-slots/queries.ts';
import { endCoupon, insertCoupon, listCoupons } from './queries.ts';
import type { CouponRow } from './queries.ts';

export interface CouponDeps {
  db: Db;
  now: () => Date;
}

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

const columns: CsvColumn<CouponRow>[] = [
  { name: 'id', value: (coupon) => coupon.id },
  { name: 'storeId', value: (coupon) => coupon.storeId },
  { name: 'code', value: (coupon) => coupon.code },
  { name: 'influencerId', value: (coupon) => coupon.influencerId },
  { name: 'validFrom', value: (coupon) => coupon.validFrom },
  { name: 'validTo', value: (coupon) => coupon.validTo },
];

const tags = ['Links'];

/** `/v1/coupons`: codes whose use in an order names an influencer (level 4 of attribution). */
export async function couponRoutes(app: Server, { db, now }: CouponDeps): Promise<void> {
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
    async (request, reply) => reply.code(201).send(await registerCoupon(db, request.principal, request.body)),
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
      return sendPage(request, reply, { page, columns });
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
      const { validTo } = request.body;
      if (validTo < now()) throw problems.validationFailed([{ path: 'validTo', message: 'must not be in the past' }]);
      const coupon = await catchLease(moveEnd(db, request.principal, { couponId: request.params.id, validTo }));
      if (coupon === undefined) throw problems.notFound();
      return coupon;
    },
  );
}

/** @throws Problem not_found, validation_failed, conflict (another influencer's code, or registered for a part of that time) */
async function registerCoupon(db: Db, principal: Principal, input: z.output<typeof couponBody>): Promise<CouponRow> {
  const { storeId, influencerId, validFrom, validTo } = input;
  const code = canonicalCoupon(input.code);
  if (code === undefined) {
    const message = 'must be 1 to 64 letters, digits, - and _, beginning with a letter or digit';
    throw problems.validationFailed([{ path: 'code', message }]);
  }
  const lease = inTransaction(db, async (tx) => {
    const place = await findLeasePlace(tx, {
      storeId,
      scope: brandScope(principal),
      influencerId,
      productId: undefined,
    });
    if (place === undefined) throw problems.notFound();
    const coupon = { id: newId('cpn'), brandId: place.brandId, storeId, code, influencerId };
    const leased = await insertCoupon(tx, { ...coupon, validFrom, validTo });
    if (leased === undefined) return undefined;
    await recordAudit(tx, {
      actor: actorOf(principal),
      action: 'coupon.registered',
      brandId: place.brandId,
      objectId: leased.id,
      detail: { storeId, influencerId, code, validFrom: leased.validFrom, validTo: leased.validTo },
    });
    return leased;
  });
  const coupon = await catchLease(lease);
  if (coupon === undefined) throw problems.notFound();
  return coupon;
}

async function moveEnd(
  db: Db,
  principal: Principal,
  change: { couponId: string; validTo: Date },
): Promise<CouponRow | undefined> {
  return await inTransaction(db, async (tx) => {
    const moved = await endCoupon(tx, { ...change, scope: brandScope(principal) });
    if (moved === undefined) return undefined;
    const entry = { actor: actorOf(principal), brandId: moved.brandId, objectId: moved.id };
    await recordAudit(tx, { ...entry, action: 'coupon.end_moved', detail: { validTo: change.validTo } });
    return moved;
  });
}

async function catchLease<T>(lease: Promise<T>): Promise<T> {
  try {
    return await lease;
  } catch (error) {
    throw leaseProblem(error, 'coupon');
  }
}
