/** The refund in a `trade_refund_…` or `youzan_trade_Refund…` message. */
import type { RefundFact } from '../../core/orders/order-event.ts';
import { fieldOf, type JsonObject } from '../json-text.ts';
import { integerAt, isAbsent, nameAt, textAt, versionMs, yuanAt } from './fields.ts';

type ReadRefund =
  | {
      ok: true;
      refund: RefundFact;
      /** Milliseconds. */
      version: bigint;
      goodsComeBack: boolean;
    }
  | { ok: false; reason: 'refund_unreadable' | 'refund_amount_unreadable' | 'refund_type_unknown' };

const KINDS: ReadonlyMap<string, RefundFact['kind']> = new Map([
  ['REFUND_ONLY', 'refund'],
  ['REFUND_AND_RETURN', 'refund'],
  ['EXCHANGE_GOODS_FLOW', 'exchange'],
]);
const LINE_ID = /^[\x21-\x7e]{1,64}$/;
const MAX_LINES = 1000;

/**
 * Reads the refund.
 *
 * `oids` names the lines (none: the whole order) and `refunded_fee` one amount for all of them. The inner `version` counts
 * milliseconds while the envelope's counts seconds; where the inner one is missing the outer is brought to milliseconds, since all
 * messages of one refund are compared with each other.
 *
 * @param mustHaveAmount for a refund that has been paid out: without its amount the books cannot follow
 */
export function readRefund(message: JsonObject, outerVersion: bigint, mustHaveAmount: boolean): ReadRefund {
  const refundId = nameAt(message, 'refund_id');
  const inner = integerAt(message, 'version');
  const lineIds = readLineIds(message);
  if (refundId.state !== 'present' || inner.state === 'unreadable' || lineIds === undefined) {
    return { ok: false, reason: 'refund_unreadable' };
  }
  const refundType = textAt(message, 'refund_type');
  const kind = refundType === undefined ? 'refund' : KINDS.get(refundType);
  if (kind === undefined) return { ok: false, reason: 'refund_type_unknown' };
  const amount = yuanAt(message, 'refunded_fee');
  const lacksAmount = amount.state === 'absent' && mustHaveAmount && kind === 'refund';
  if (amount.state === 'unreadable' || lacksAmount) return { ok: false, reason: 'refund_amount_unreadable' };
  const refundedFen = amount.state === 'present' ? amount.value : 0n;
  return {
    ok: true,
    refund: { refundId: refundId.value, kind, portions: [{ lineIds, refundedFen }] },
    version: versionMs(inner.state === 'present' ? inner.value : outerVersion),
    goodsComeBack: refundType === 'REFUND_AND_RETURN',
  };
}

/** "2893…31,2893…32" → its ids, each once; undefined when a part is no id. */
function readLineIds(message: JsonObject): string[] | undefined {
  if (isAbsent(fieldOf(message, 'oids'))) return [];
  const ids = new Set(
    textAt(message, 'oids')
      ?.split(',')
      .map((id) => id.trim())
      .filter((id) => id !== ''),
  );
  const readable = ids.size > 0 && ids.size <= MAX_LINES && [...ids].every((id) => LINE_ID.test(id));
  return readable ? [...ids] : undefined;
}
