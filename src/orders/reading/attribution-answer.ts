import { z } from 'zod';
import { ATTRIBUTION_STATES, DECISION_KINDS } from '../../core/vocabulary.ts';
import { instant } from '../../http/fields.ts';

/** What stands for a line, flat: an earner, or the reason why there is none. */
export const attributionAnswer = z.object({
  state: z.enum(ATTRIBUTION_STATES),
  method: z.string().nullable(),
  confidence: z.string().nullable(),
  linkCode: z.string().nullable(),
  influencerId: z.string().nullable(),
  clickId: z.string().nullable(),
  clickedAt: instant.nullable(),
  tag: z.string().nullable(),
  reason: z.string().nullable(),
});
export type AttributionAnswer = z.output<typeof attributionAnswer>;

/** A decision of a person; undone ones are history. */
export const decisionAnswer = z.object({
  kind: z.enum(DECISION_KINDS),
  linkCode: z.string().nullable(),
  note: z.string(),
  decidedBy: z.string(),
  decidedAt: instant,
  undoneBy: z.string().nullable(),
  undoneAt: instant.nullable(),
});
export type DecisionAnswer = z.output<typeof decisionAnswer>;
