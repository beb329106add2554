import { z } from 'zod';
import { ACCOUNT_KINDS } from '../../core/money/accounts.ts';
import { count, fen, instant } from '../../http/fields.ts';
import { attributionAnswer, decisionAnswer } from '../reading/attribution-answer.ts';

const seenEvent = z.object({
  type: z.string(),
  source: z.string(),
  version: z.string().meta({ description: 'digits; orders the events of one type' }),
  occurredAt: instant,
  recordedAt: instant,
  makesFacts: z.boolean().meta({ description: 'false: another source’s event, read for evidence only' }),
});

const evidence = z.object({
  clickId: z.string().nullable(),
  adzoneId: z.string().nullable(),
  relationId: z.string().nullable(),
  specialId: z.string().nullable(),
  sls: z.string().nullable(),
  couponCode: z.string().nullable(),
  noteCodes: z.array(z.string()),
  clickedAt: instant.nullable(),
});

const ladderStep = z
  .object({
    method: z.string(),
    outcome: z.enum(['won', 'none', 'rejected', 'deferred', 'review']),
    detail: z.string(),
    words: z.string(),
    reason: z.string().nullable(),
    linkCode: z.string().nullable(),
    influencerId: z.string().nullable(),
    clickId: z.string().nullable(),
    clickedAt: instant.nullable(),
  })
  .meta({ description: 'one piece of evidence, strongest level first, and what became of it' });

const candidate = z.object({
  linkCode: z.string(),
  influencerId: z.string(),
  method: z.string(),
  clickId: z.string().nullable(),
  clickedAt: instant.nullable(),
});

const consideredClick = z.object({
  clickId: z.string(),
  clickedAt: instant,
  linkCode: z.string(),
  influencerId: z.string(),
  verdict: z.string(),
  tag: z.string().nullable(),
});

const pricedTerms = z.object({
  termsId: z.string(),
  basis: z.string(),
  rateBp: z.int().nullable(),
  flatFen: fen.nullable(),
  windowDays: z.int(),
  holdDays: z.int(),
  platformFeeBp: z.int().nullable(),
  agencyShareBp: z.int().nullable(),
  frozenAt: instant,
  payableAt: instant.nullable(),
  releasedAt: instant.nullable(),
});

const step = z.object({
  name: z.string(),
  words: z.string(),
  formula: z.string().meta({ description: 'in fen and basis points, whole numbers; / rounds down' }),
  amountFen: fen,
});

const journalEntry = z.object({
  journalId: z.string(),
  kind: z.string(),
  postedAt: instant,
  payeeId: z.string(),
  account: z.enum(ACCOUNT_KINDS),
  amountFen: fen.meta({ description: 'fen, debit positive' }),
  reversedDeltaFen: fen,
});

const explainedLine = z.object({
  id: z.string(),
  externalLineId: z.string(),
  productId: z.string().nullable(),
  quantity: count,
  paidFen: fen,
  refundedFen: fen,
  refundExcessFen: fen,
  closed: z.boolean(),
  refundOpen: z.boolean(),
  receivedAt: instant.nullable(),
  attribution: attributionAnswer.meta({ description: 'what stands' }),
  candidates: z.array(candidate),
  dispute: attributionAnswer
    .nullable()
    .meta({ description: 'what later evidence says against what stands; a person decides' }),
  byEvidence: attributionAnswer.nullable().meta({ description: 'what evidence alone says now' }),
  evidence: evidence.nullable(),
  window: z.object({ days: z.int(), from: instant, until: instant }).nullable(),
  ladder: z.array(ladderStep),
  clicks: z.array(consideredClick).meta({ description: 'on the product in the window, newest first, at most 50' }),
  decisions: z.array(decisionAnswer),
  terms: pricedTerms.nullable().meta({ description: 'copied onto the line at the first booking' }),
  arithmetic: z.array(step),
  commissionFen: fen,
  pendingFen: fen,
  payableFen: fen,
  inPayoutFen: fen,
  paidOutFen: fen,
  debtFen: fen,
  stage: z.enum(['pending', 'payable', 'in_payout', 'paid', 'none']),
  journal: z.array(journalEntry),
});

export const orderExplanation = z.object({
  orderId: z.string(),
  brandId: z.string(),
  storeId: z.string(),
  externalOrderId: z.string(),
  status: z.enum(['created', 'paid', 'received', 'closed']),
  createdAt: instant,
  paidAt: instant.nullable(),
  events: z.array(seenEvent),
  lines: z.array(explainedLine),
});

export type OrderExplanation = z.output<typeof orderExplanation>;
export type ExplainedLine = z.output<typeof explainedLine>;
export type LadderStep = z.output<typeof ladderStep>;
export type ArithmeticStep = z.output<typeof step>;
export type JournalEntry = z.output<typeof journalEntry>;
