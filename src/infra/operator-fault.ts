/**
 * Something the person who runs daihuo can put right: a setting, a port, a missing program.
 *
 * The command line prints `message` (plain sentences, no secrets) and ends with exit code 1, without a stack.
 */
export class OperatorFault extends Error {
  override readonly name = 'OperatorFault';
}
