/**
 * The members of Node and of packages that this program reads although their authors do not document them. Each names the version against
 * which it was checked; `test/http/undocumented-members.test.ts` fails when a version or a member changes, and says what to check then.
 */
import type { Socket } from 'node:net';
import type { FastifyError, FastifySchemaValidationError } from 'fastify';

/** The versions against which the members below were checked. */
export const CHECKED_VERSIONS = {
  /** The major version: Node's HTTP server reads `_httpMessage` in its own answer to malformed requests. */
  node: '26',
  'fastify-type-provider-zod': '7.0.0',
} as const;

/** `_httpMessage`: the answer that Node is writing on a socket, if any. */
interface AnsweringSocket extends Socket {
  _httpMessage?: { headersSent: boolean } | null;
}

/** Whether the status line of an answer was written on the socket, so that a second one would become part of its body. */
export function isAnswerBegun(socket: Socket): boolean {
  return (socket as AnsweringSocket)._httpMessage?.headersSent === true;
}

/**
 * The zod issues of a request that its schema refused. The type is Fastify's own; undocumented is how the compiler of fastify-type-provider-zod
 * fills it: `keyword` is the code of the issue, `instancePath` its path with slashes (`/rating/score`), and `params` holds the other members of
 * the issue (`keys` of unrecognized_keys, `errors` of invalid_union).
 */
export function validationEntriesOf(error: FastifyError): FastifySchemaValidationError[] {
  return error.validation ?? [];
}
