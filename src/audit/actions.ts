import { z } from 'zod';

/**
 * The closed list of what the audit log records. An action is named `<kind of object>.<deed in the past tense>`, one name for one deed.
 *
 * Each schema is strict: a detail with a field that is not listed here is refused when it is written, so a change that spreads a request body
 * into a detail fails in its first test and cannot carry a secret into the log.
 */

/** A change of some fields: the values before and after, of the fields that differ. */
function changeOf<Shape extends z.ZodRawShape>(shape: Shape) {
  const values = z.strictObject(shape).partial();
  return z.strictObject({ before: values, after: values });
}

const nothing = z.strictObject({});
const note = z.string();
const agencyShare = z.strictObject({ payeeId: z.string(), shareBp: z.int() }).nullable();
const entryDomains = z.array(z.strictObject({ host: z.string(), state: z.string(), note: z.string() }));
const landingModes = z.record(z.string(), z.string());
const policy = { inferred: z.string(), scope: z.string(), platformFeeBp: z.int() };
const visitorSettings = { fallbacks: z.array(z.string()), pageUrl: z.string().nullable() };
const decision = z.strictObject({ kind: z.string(), linkId: z.string().nullable(), note });
const rating = { score: z.string(), scale: z.string(), source: z.string() };
const opening = { openedOn: z.string(), source: z.string() };
const lease = {
  storeId: z.string(),
  influencerId: z.string(),
  validFrom: z.date(),
  validTo: z.date().nullable(),
};
const termsVersion = z.strictObject({
  scope: z.strictObject({
    productId: z.string().optional(),
    storeId: z.string().optional(),
    influencerId: z.string().optional(),
  }),
  basis: z.string(),
  rateBp: z.int().nullable(),
  flatFen: z.bigint().nullable(),
  windowDays: z.int(),
  holdDays: z.int(),
  validFrom: z.date(),
  validTo: z.date().nullable(),
});
const productTerms = {
  rateBp: z.int().nullable(),
  flatFen: z.bigint().nullable(),
  windowDays: z.int().nullable(),
  holdDays: z.int().nullable(),
};
const productFacts = {
  title: z.string(),
  url: z.string(),
  priceFen: z.bigint(),
  externalItemId: z.string().nullable(),
  affiliateItemId: z.string().nullable(),
  imageUrl: z.string().nullable(),
  taoCode: z.string().nullable(),
  alternateProductId: z.string().nullable(),
  status: z.string(),
};

export const AUDIT_ACTIONS = {
  'key.created': z.strictObject({
    role: z.string(),
    label: z.string(),
    influencerId: z.string().optional(),
    /** The 8 characters that tell keys apart; never more of the key. */
    prefix: z.string().length(8),
    expiresAt: z.date().optional(),
  }),
  'key.revoked': nothing,

  'brand.created': z.strictObject({ name: z.string(), ...policy, ...visitorSettings }),
  'brand.changed': changeOf({ name: z.string(), ...visitorSettings }),
  'brand.policy_changed': changeOf(policy),

  'payee.registered': z.strictObject({ kind: z.string(), name: z.string() }),

  'influencer.registered': z.strictObject({
    name: z.string(),
    douyinId: z.string().nullable(),
    tier: z.string().nullable(),
    payeeId: z.string(),
  }),
  'influencer.changed': changeOf({
    name: z.string(),
    status: z.string(),
    douyinId: z.string().nullable(),
    tier: z.string().nullable(),
  }),
  'influencer.agency_changed': z.strictObject({ before: agencyShare, after: agencyShare }),

  'store.registered': z.strictObject({
    platform: z.string(),
    externalShopId: z.string(),
    name: z.string(),
    orderSource: z.string(),
    youzanClientId: z.string().nullable(),
    ...rating,
    openedOn: z.string(),
  }),
  'store.changed': changeOf({ name: z.string(), status: z.string() }),
  'store.credentials_replaced': z.strictObject({ youzanClientId: z.string() }),
  'store.webhook_secret_rotated': nothing,
  'store.rating_recorded': z.strictObject(rating),
  'store.opening_recorded': z.strictObject(opening),

  'product.registered': z.strictObject({ storeId: z.string(), ...productFacts, ...productTerms }),
  'product.changed': changeOf({ ...productFacts, ...productTerms }),

  'terms.added': termsVersion,
  'terms.backdated': termsVersion,

  'link.paused': nothing,
  'link.resumed': nothing,
  'link.page_changed': z.strictObject({
    landingMode: z.string().nullable().optional(),
    taoCode: z.string().nullable().optional(),
  }),
  'entry_domains.replaced': z.strictObject({ before: entryDomains, after: entryDomains }),
  'landing_modes.replaced': z.strictObject({ before: landingModes, after: landingModes }),
  'tracking_slot.leased': z.strictObject({
    ...lease,
    kind: z.string(),
    externalId: z.string(),
    productId: z.string().nullable(),
  }),
  'tracking_slot.end_moved': z.strictObject({ validTo: z.date() }),
  'coupon.registered': z.strictObject({ ...lease, code: z.string() }),
  'coupon.end_moved': z.strictObject({ validTo: z.date() }),

  'line.assigned': z.strictObject({ note, linkId: z.string(), replaced: decision.optional() }),
  'line.assignment_undone': z.strictObject({ undone: decision }),
  'line.rejected': z.strictObject({ note, replaced: decision.optional() }),
  'line.rejection_undone': z.strictObject({ undone: decision }),
  'line.held': z.strictObject({ note }),
  'line.released': nothing,
  'line.repriced': z.strictObject({ note, previousTermsId: z.string(), termsId: z.string() }),
} as const satisfies Record<`${string}.${string}`, z.ZodObject>;

export type AuditAction = keyof typeof AUDIT_ACTIONS;
export type AuditDetail<Action extends AuditAction> = z.input<(typeof AUDIT_ACTIONS)[Action]>;

export const AUDIT_ACTION_NAMES = Object.keys(AUDIT_ACTIONS) as [AuditAction, ...AuditAction[]];

/** The kind of object an action is about: `store` of `store.rating_recorded`. Also of an action that a newer version wrote. */
export function objectKindOf(action: string): string {
  return action.split('.', 1)[0] ?? action;
}
