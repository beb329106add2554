/**
 * Every closed list of the product, once. The request and response schemas (`z.enum(PLATFORMS)`), the types of the rules and the check
 * constraints of the tables use these values; `test/schema/vocabulary.test.ts` compares the constraints with the lists.
 *
 * A list grows carefully: callers store these words, and platforms, brands and finance read them. The rules about a list stand in the core
 * file that owns them.
 */

// ---- Marketplaces and catalogue ----

/** The marketplaces a link can lead to. */
export const PLATFORMS = ['taobao', 'tmall', 'youzan'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** The source whose messages make a store's money facts: Youzan's pushes, the brand's own shop system, or rows of Taobao's affiliate API. */
export const ORDER_SOURCES = ['youzan', 'shop', 'tbk'] as const;
export type OrderSource = (typeof ORDER_SOURCES)[number];

export const STORE_STATUSES = ['active', 'closed'] as const;
export type StoreStatus = (typeof STORE_STATUSES)[number];

export const PRODUCT_STATUSES = ['active', 'paused', 'off_sale'] as const;
export type ProductStatus = (typeof PRODUCT_STATUSES)[number];

export const INFLUENCER_STATUSES = ['active', 'paused'] as const;
export type InfluencerStatus = (typeof INFLUENCER_STATUSES)[number];

/** Facts of a store that are recorded with their source and history. */
export const ASSESSMENT_KINDS = ['rating', 'opened_on'] as const;
export type AssessmentKind = (typeof ASSESSMENT_KINDS)[number];

/** The origin of a store's rating or opening day: the brand, the operator, the marketplace. A brand overwrites only its own `declared`. */
export const ASSESSMENT_SOURCES = ['declared', 'admin', 'platform'] as const;
export type AssessmentSource = (typeof ASSESSMENT_SOURCES)[number];

/** The result of one request to a product's destination. `unknown`: the answer allows no conclusion. */
export const DESTINATION_OUTCOMES = ['reachable', 'missing', 'unknown'] as const;
export type DestinationOutcome = (typeof DESTINATION_OUTCOMES)[number];

/** Proof that a destination is gone: 404, 410, the platform's own page for missing items, a host that does not exist. */
export const DESTINATION_FAILURES = ['not_found', 'gone', 'item_missing', 'no_such_host'] as const;
export type DestinationFailure = (typeof DESTINATION_FAILURES)[number];

/** Orders of the list of offers. */
export const OFFER_SORTS = ['newest', 'rate', 'commission', 'price'] as const;
export type OfferSort = (typeof OFFER_SORTS)[number];

// ---- Access and payees ----

export const ROLES = ['admin', 'brand', 'influencer', 'finance'] as const;
export type Role = (typeof ROLES)[number];

/** A payee is an influencer, an agency (MCN), or the operator of this platform. The parts of a line's commission have the same roles. */
export const PAYEE_KINDS = ['influencer', 'agency', 'operator'] as const;
export type PayeeKind = (typeof PAYEE_KINDS)[number];

// ---- Links and visits ----

export const LINK_STATUSES = ['active', 'paused'] as const;
export type LinkStatus = (typeof LINK_STATUSES)[number];

/** The status of a link for its visitors, from the link, its product, its store and its influencer together. */
export const TARGET_STATUSES = ['active', 'paused', 'gone'] as const;
export type TargetStatus = (typeof TARGET_STATUSES)[number];

/** `code`: generated; `alias`: chosen by the influencer. */
export const CODE_KINDS = ['code', 'alias'] as const;
export type CodeKind = (typeof CODE_KINDS)[number];

/** Ids that make the platform's own order name an influencer: Taobao's adzone, Youzan's salesman, Taobao's relation or special id. */
export const SLOT_KINDS = ['adzone', 'sls', 'relation'] as const;
export type SlotKind = (typeof SLOT_KINDS)[number];

/** `direct`: a redirect to the shop; `page`: the middle page (中间页) first. */
export const LANDING_MODES = ['direct', 'page'] as const;
export type LandingMode = (typeof LANDING_MODES)[number];

/** What a brand may choose for visitors of a link that leads nowhere at the moment, in the order it prefers. */
export const FALLBACKS = ['same_product', 'brand_page', 'other_products'] as const;
export type FallbackKind = (typeof FALLBACKS)[number];

/** The reachability of an entry domain in Chinese apps. */
export const DOMAIN_STATES = ['healthy', 'suspect', 'blocked'] as const;
export type DomainState = (typeof DOMAIN_STATES)[number];

// ---- Clicks ----

/**
 * Whether a click counts, and if not, why. `head`, `prefetch`, `preview`, `bot`, `scanner` are known from the request; other clicks are
 * `counted`. The worker decides `repeat` when it stores the click; the redirect decides `inactive`: a person's visit to a link that was paused
 * or gone. Clicks with any verdict are stored; only `counted` ones count.
 */
export const VERDICTS = ['counted', 'repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner', 'inactive'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** The answer to a click: the middle page; absent for a redirect. */
export const CLICK_OUTCOMES = ['page'] as const;
export type ClickOutcome = (typeof CLICK_OUTCOMES)[number];

/** What a visitor does on the middle page, as the page reports it. */
export const STEPS = ['view', 'copy', 'open', 'continue'] as const;
export type Step = (typeof STEPS)[number];

/** The counters of a middle page: `shown` is counted by the worker from the clicks, the steps come from the page. */
export const COUNTED_STEPS = ['shown', ...STEPS] as const;
export type CountedStep = (typeof COUNTED_STEPS)[number];

/** The app whose browser the visitor uses. `other`: a plain browser, or an app without a name here. */
export const APPS = [
  'alipay',
  'taobao',
  'tmall',
  'dingtalk',
  'wechat_work',
  'wechat',
  'qq',
  'douyin',
  'douyin_lite',
  'toutiao',
  'kuaishou',
  'weibo',
  'xiaohongshu',
  'bilibili',
  'lark',
  'zhihu',
  'other',
] as const;
export type App = (typeof APPS)[number];

export const OSES = ['ios', 'android', 'harmonyos', 'windows', 'macos', 'linux', 'other'] as const;
export type Os = (typeof OSES)[number];

export const DEVICES = ['phone', 'tablet', 'desktop'] as const;
export type Device = (typeof DEVICES)[number];

/** The steps of a link's statistics over time. */
export const STATS_INTERVALS = ['hour', 'day'] as const;
export type StatsInterval = (typeof STATS_INTERVALS)[number];

// ---- Orders ----

export const ORDER_STATUSES = ['created', 'paid', 'received', 'closed'] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** What an event says about an order. A source's own types are read into one of these (Youzan's RefundSuccess and SysRefund: `refunded`). */
export const ORDER_EVENT_TYPES = [
  'created',
  'paid',
  'received',
  'settled',
  'closed',
  'refunded',
  'refund_requested',
  'refund_closed',
] as const;
export type OrderEventType = (typeof ORDER_EVENT_TYPES)[number];

/** An `exchange` never takes money back. */
export const REFUND_KINDS = ['refund', 'exchange'] as const;
export type RefundKind = (typeof REFUND_KINDS)[number];

/**
 * The effect of a stored message. `supplementary`: evidence for known orders, from a source that makes no money facts. `quarantined`:
 * verified but not understood, or about orders that only another source may bring.
 */
export const MESSAGE_OUTCOMES = ['applied', 'supplementary', 'ignored', 'quarantined'] as const;
export type MessageOutcome = (typeof MESSAGE_OUTCOMES)[number];

// ---- Attribution ----

/** The ladder from its highest level to its lowest; `manual`, a person's decision, stands above it. */
export const LADDER_METHODS = [
  'click_id',
  'tracking_slot',
  'relation',
  'code',
  'click_time',
  'sole_candidate',
] as const;
export type LadderMethod = (typeof LADDER_METHODS)[number];
export const ATTRIBUTION_METHODS = ['manual', ...LADDER_METHODS] as const;
export type AttributionMethod = (typeof ATTRIBUTION_METHODS)[number];

export const CONFIDENCES = ['manual', 'exact', 'strong', 'inferred'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export const ATTRIBUTION_STATES = ['matched', 'unmatched', 'review'] as const;
export type AttributionState = (typeof ATTRIBUTION_STATES)[number];

/** Why a line is not attributed. `outside_window` covers the click window, a lease and a pause; the trace says which. */
export const UNMATCHED_REASONS = [
  'no_evidence',
  'outside_window',
  'order_before_click',
  'ambiguous',
  'other_product',
  'wrong_brand',
  'product_not_registered',
  'no_terms',
  'policy_review',
  'policy_off',
  'conflict',
  'waiting_for_clicks',
  'rejected',
] as const;
export type UnmatchedReason = (typeof UNMATCHED_REASONS)[number];

/** `rejected` of a piece of evidence: it cannot pay. `none`: the level has nothing to consider. `deferred`: the clicks are not complete. */
export const TRACE_OUTCOMES = ['won', 'none', 'rejected', 'deferred', 'review'] as const;
export type TraceOutcome = (typeof TRACE_OUTCOMES)[number];

/** A person's decision about a line. */
export const DECISION_KINDS = ['assign', 'reject'] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];

/** A brand's policy for level 6, inferred evidence: pay it, ask a person, or ignore it. */
export const INFERRED_POLICIES = ['pay', 'review', 'off'] as const;
export type InferredPolicy = (typeof INFERRED_POLICIES)[number];

/** Whether a click id pays for the link's product only, or for any product of its store. */
export const MATCHING_SCOPES = ['product', 'store'] as const;
export type MatchingScope = (typeof MATCHING_SCOPES)[number];

// ---- Money ----

/**
 * What a commission rate applies to: what the buyer paid (the brand owes the commission), or what the platform pays us for the line (the
 * platform owes it).
 */
export const COMMISSION_BASES = ['order_amount', 'platform_commission'] as const;
export type CommissionBasis = (typeof COMMISSION_BASES)[number];

/** The accounts of a line, in the order in which postings are written. `core/money/accounts.ts` has their rules. */
export const ACCOUNT_KINDS = [
  'brand_owes',
  'platform_owes',
  'pending',
  'payable',
  'fee_pending',
  'fee_earned',
  'in_payout',
  'cash',
  'debt',
  'written_off',
] as const;
export type AccountKind = (typeof ACCOUNT_KINDS)[number];

/** What a journal entry books. */
export const ENTRY_KINDS = [
  'booking',
  'release',
  'payout_lock',
  'payout_paid',
  'payout_fail',
  'receipt',
  'write_off',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** The stage of a line's commission; `none`: nothing is earned or on its way. */
export const STAGES = ['pending', 'payable', 'in_payout', 'paid', 'none'] as const;
export type Stage = (typeof STAGES)[number];

/** The time by which totals select and group: the payment of the order, or the seal of the journal entry. */
export const TIME_BASES = ['paid', 'posted'] as const;
export type TimeBasis = (typeof TIME_BASES)[number];
