import { z } from 'zod';
import { STAGES } from '../core/vocabulary.ts';
import { fen } from '../http/fields.ts';

/** The sums every row and total of commissions shows, fen. Always: commission = pending + payable + inPayout + paidOut − debt. */
export const balanceFields = {
  commissionFen: fen,
  pendingFen: fen,
  payableFen: fen,
  inPayoutFen: fen,
  paidOutFen: fen,
  debtFen: fen,
  reversedFen: fen,
};

/** The buyers' money behind them, fen: paidFen before refunds. */
export const buyerFields = { paidFen: fen, refundedFen: fen };

export const stage = z.enum(STAGES);

export const BALANCE_COLUMNS = [
  'commissionFen',
  'pendingFen',
  'payableFen',
  'inPayoutFen',
  'paidOutFen',
  'debtFen',
  'reversedFen',
] as const;
