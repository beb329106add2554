import { problemCatalogue } from './problem-catalogue.ts';
import type { ProblemCode } from './problem-catalogue.ts';

/** One fault of a request: `path` in dots as the caller wrote the field (`rating.score`), empty for the whole. */
export interface FieldError {
  path: string;
  message: string;
}

/** A fault of the caller or of a dependency, which the error handler renders as application/problem+json. Routes throw it; features never catch it. */
export class Problem extends Error {
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** Headers that the status requires: `Retry-After`, `Allow`, `WWW-Authenticate`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(problem: {
    code: ProblemCode;
    detail: string;
    status?: number;
    errors?: readonly FieldError[];
    headers?: Record<string, string>;
  }) {
    super(`${problem.code}: ${problem.detail}`);
    this.name = 'Problem';
    this.code = problem.code;
    this.status = problem.status ?? problemCatalogue[problem.code].status;
    this.detail = problem.detail;
    if (problem.errors !== undefined) this.errors = problem.errors;
    this.headers = problem.headers ?? {};
  }
}

/** One text for every bad key, so that an answer never distinguishes unknown keys from revoked or expired ones. */
const NO_VALID_KEY = 'Send a valid API key as "Authorization: Bearer <key>", and never in the URL.';
const RETRY_AFTER_SECONDS = '2';

/** Every problem that this API answers. Each function returns the Problem; the caller throws it. */
export const problems = {
  validationFailed(errors: readonly FieldError[] | string): Problem {
    if (typeof errors === 'string') return new Problem({ code: 'validation_failed', detail: errors });
    const detail =
      errors.length === 1
        ? 'One value of the request is not valid.'
        : `${errors.length} values of the request are not valid.`;
    return new Problem({ code: 'validation_failed', detail, errors });
  },
  payloadTooLarge: () =>
    new Problem({ code: 'validation_failed', status: 413, detail: 'The body of the request is too large.' }),
  unsupportedMediaType: () =>
    new Problem({
      code: 'validation_failed',
      status: 415,
      detail: 'The Content-Type of the request is not one this address reads; send application/json.',
    }),
  unauthorized: (detail: string = NO_VALID_KEY) =>
    new Problem({ code: 'unauthorized', detail, headers: { 'www-authenticate': 'Bearer realm="daihuo"' } }),
  forbidden: (detail = 'The role of this API key may not do this.') => new Problem({ code: 'forbidden', detail }),
  notFound: () => new Problem({ code: 'not_found', detail: 'There is no such object.' }),
  methodNotAllowed: (allow: readonly string[]) =>
    new Problem({
      code: 'method_not_allowed',
      detail: `This address answers to ${allow.join(', ')}.`,
      headers: { allow: allow.join(', ') },
    }),
  rateLimited: (retryAfterSeconds = 60) =>
    new Problem({
      code: 'rate_limited',
      detail: 'Too many requests; wait and try again.',
      headers: { 'retry-after': String(retryAfterSeconds) },
    }),
  unavailable: (detail = 'A service this request needs does not answer; try again shortly.') =>
    new Problem({ code: 'unavailable', detail, headers: { 'retry-after': RETRY_AFTER_SECONDS } }),
  internal: () =>
    new Problem({
      code: 'internal_error',
      detail: 'Something went wrong on our side; the instance names the log entry.',
    }),
  aliasTaken: (alias: string) => new Problem({ code: 'alias_taken', detail: `The alias "${alias}" is taken.` }),
  storeAlreadyRegistered: () =>
    new Problem({ code: 'store_already_registered', detail: 'An active store with this platform and shop id exists.' }),
  idempotencyInProgress: () =>
    new Problem({
      code: 'idempotency_in_progress',
      detail: 'A request with this Idempotency-Key is still under way; try again shortly.',
      headers: { 'retry-after': RETRY_AFTER_SECONDS },
    }),
  conflict: (detail: string) => new Problem({ code: 'conflict', detail }),
  platformNotSupported: (detail: string) => new Problem({ code: 'platform_not_supported', detail }),
  destinationNotAllowed: (detail: string) => new Problem({ code: 'destination_not_allowed', detail }),
  /** As the rules of destinations refuse a URL. */
  destinationRefused: ({
    code,
    detail,
  }: {
    code: 'platform_not_supported' | 'destination_not_allowed';
    detail: string;
  }) => new Problem({ code, detail }),
  storeNotEligible: (reasons: readonly { code: string; detail: string }[]) =>
    new Problem({
      code: 'store_not_eligible',
      detail: 'The product cannot get a new link now; errors lists the reasons.',
      errors: reasons.map((reason) => ({ path: reason.code, message: reason.detail })),
    }),
  aliasReserved: (alias: string) =>
    new Problem({ code: 'alias_reserved', detail: `The alias "${alias}" is reserved.` }),
  eventIdReused: () =>
    new Problem({ code: 'event_id_reused', detail: 'This event id was received before with another body.' }),
  idempotencyKeyReused: () =>
    new Problem({ code: 'idempotency_key_reused', detail: 'This Idempotency-Key was used before with another body.' }),
  asOfNotSealed: (detail: string) => new Problem({ code: 'as_of_not_sealed', detail }),
};

/** The wire form of a problem (RFC 9457), members in a fixed order so that equal problems are equal bytes but for `instance`. */
export function renderProblem(
  problem: Problem,
  request: { publicUrl: string; requestId: string },
): { body: string; contentType: string } {
  const body = JSON.stringify({
    type: problemTypeUrl(request.publicUrl, problem.code),
    title: problemCatalogue[problem.code].title,
    status: problem.status,
    detail: problem.detail,
    instance: `urn:daihuo:request:${request.requestId}`,
    code: problem.code,
    errors: problem.errors,
  });
  return { body, contentType: 'application/problem+json; charset=utf-8' };
}

/** The address of the page that explains a problem type: `<public url>/problems/alias-taken`. */
export function problemTypeUrl(publicUrl: string, code: ProblemCode): string {
  return `${publicUrl.replace(/\/+$/, '')}/problems/${code.replaceAll('_', '-')}`;
}
