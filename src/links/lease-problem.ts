import { violatedConstraint } from '../infra/failures.ts';
import { problems } from '../http/problem.ts';

/**
 * What the caller is told when a constraint refused a lease of a tracking slot or a coupon; any other error comes back as it is.
 *
 * @param what names the thing leased in a sentence: `tracking slot`, `coupon`
 */
export function leaseProblem(error: unknown, what: string): unknown {
  switch (violatedConstraint(error)) {
    case 'tracking_slots_owner_fkey':
    case 'coupons_owner_fkey':
      return problems.conflict(
        `The ${what} belongs to another influencer for ever: its evidence would credit the wrong one.`,
      );
    case 'tracking_slots_no_overlap':
    case 'coupons_no_overlap':
      return problems.conflict(`The ${what} is leased for a part of that time already.`);
    case 'tracking_slots_range_check':
    case 'coupons_range_check':
      return problems.validationFailed([
        { path: 'validTo', message: 'must be after validFrom (which is now, where absent)' },
      ]);
    default:
      return error;
  }
}
