import { addDays } from '../calendar.ts';

/** A receipt that reaches us later than this after it happened has arrived late. */
const LATE_AFTER_DAYS = 1;
/** How long a late receipt waits from the moment it reached us, so that refunds that come in the same delivery find the money still here. */
const LATE_WAIT_DAYS = 1;

/**
 * From when on a line may be paid: its receipt plus the hold; where the receipt reached us more than a day after it happened, not before a
 * day after it reached us. A receipt on time under `holdDays` 0 is payable at once.
 *
 * @param receivedSeenAt  when the receipt first reached us; absent: when it happened
 */
export function payableAt(line: { receivedAt: Date; receivedSeenAt?: Date | undefined; holdDays: number }): Date {
  const holdOverAt = addDays(line.receivedAt, line.holdDays);
  const seenAt = line.receivedSeenAt ?? line.receivedAt;
  if (seenAt <= addDays(line.receivedAt, LATE_AFTER_DAYS)) return holdOverAt;
  const waitedAt = addDays(seenAt, LATE_WAIT_DAYS);
  return waitedAt > holdOverAt ? waitedAt : holdOverAt;
}
