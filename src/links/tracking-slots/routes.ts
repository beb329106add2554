import { z } from 'zod';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { pageOf, readIdCursor, sendPage, jsonOrCsv, listOf, pageQuery } from '../../http/list.ts';
import { dayOrInstant, instant, prefixedId, problemResponses, text } from '../../http/fields.ts';
import type { CsvColumn } from '../../http/list.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { leaseProblem } from '../lease-problem.ts';
import { endSlot, findLeasePlace, insertSlot, listSlots } from './queries.ts';
import type { SlotRow } from './queries.ts';

export interface TrackingSlotDeps {
  db: Db;
  now: () => Date;
}

const kind = z.enum(['adzone', 'sls', 'relation']);

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
type SlotInput = z.output<typeof slotBody>;

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

const columns: CsvColumn<SlotRow>[] = [
  { name: 'id', value: (slot) => slot.id },
  { name: 'storeId', value: (slot) => slot.storeId },
  { name: 'kind', value: (slot) => slot.kind },
  { name: 'externalId', value: (slot) => slot.externalId },
  { name: 'influencerId', value: (slot) => slot.influencerId },
  { name: 'productId', value: (slot) => slot.productId },
  { name: 'validFrom', value: (slot) => slot.validFrom },
  { name: 'validTo', value: (slot) => slot.validTo },
];

const tags = ['Links'];

/** `/v1/tracking-slots`: leases that make the platform's own order name us (levels 2 and 3 of attribution). */
export async function trackingSlotRoutes(app: Server, { db, now }: TrackingSlotDeps): Promise<void> {
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
    async (request, reply) => reply.code(201).send(await leaseSlot(db, request.principal, request.body)),
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
      return sendPage(request, reply, { page, columns });
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
      const { validTo } = request.body;
      if (validTo < now()) throw problems.validationFailed([{ path: 'validTo', message: 'must not be in the past' }]);
      const slot = await catchLease(moveEnd(db, request.principal, { slotId: request.params.id, validTo }));
      if (slot === undefined) throw problems.notFound();
      return slot;
    },
  );
}

/** @throws Problem not_found, validation_failed, conflict (another influencer's slot, or leased for a part of that time) */
async function leaseSlot(db: Db, principal: Principal, input: SlotInput): Promise<SlotRow> {
  const { storeId, kind, influencerId, productId, validFrom, validTo } = input;
  if (kind === 'adzone' && productId === undefined) {
    throw problems.validationFailed([{ path: 'productId', message: 'an adzone is leased for one product' }]);
  }
  const lease = inTransaction(db, async (tx) => {
    const place = await findLeasePlace(tx, { storeId, scope: brandScope(principal), influencerId, productId });
    if (place === undefined) throw problems.notFound();
    if ((kind === 'sls') !== (place.platform === 'youzan')) {
      const message = 'sls is for Youzan stores, adzone and relation for Taobao and Tmall stores';
      throw problems.validationFailed([{ path: 'kind', message }]);
    }
    const externalId = kind === 'adzone' ? adzoneOf(input.externalId) : input.externalId;
    const slot = { id: newId('slt'), brandId: place.brandId, storeId, kind, externalId, influencerId, productId };
    const leased = await insertSlot(tx, { ...slot, validFrom, validTo });
    if (leased === undefined) return undefined;
    await recordAudit(tx, {
      actor: actorOf(principal),
      action: 'tracking_slot.leased',
      brandId: place.brandId,
      objectId: leased.id,
      detail: {
        storeId,
        influencerId,
        kind,
        externalId,
        productId: productId ?? null,
        validFrom: leased.validFrom,
        validTo: leased.validTo,
      },
    });
    return leased;
  });
  const slot = await catchLease(lease);
  if (slot === undefined) throw problems.notFound();
  return slot;
}

/** Orders name the adzone alone, the last number of a PID. */
function adzoneOf(externalId: string): string {
  return /^mm_\d+_\d+_(\d+)$/.exec(externalId)?.[1] ?? externalId;
}

async function moveEnd(
  db: Db,
  principal: Principal,
  change: { slotId: string; validTo: Date },
): Promise<SlotRow | undefined> {
  return await inTransaction(db, async (tx) => {
    const moved = await endSlot(tx, { ...change, scope: brandScope(principal) });
    if (moved === undefined) return undefined;
    const entry = { actor: actorOf(principal), brandId: moved.brandId, objectId: moved.id };
    await recordAudit(tx, { ...entry, action: 'tracking_slot.end_moved', detail: { validTo: change.validTo } });
    return moved;
  });
}

async function catchLease<T>(lease: Promise<T>): Promise<T> {
  try {
    return await lease;
  } catch (error) {
    throw leaseProblem(error, 'tracking slot');
  }
}
