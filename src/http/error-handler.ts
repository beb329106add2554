import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { isDependencyDown } from '../infra/failures.ts';
import { Problem, problems, renderProblem } from './problem.ts';
import type { FieldError } from './problem.ts';
import { validationEntriesOf } from './undocumented-members.ts';
import { plainVisitorPages } from './visitor-page.ts';
import type { VisitorPages } from './visitor-page.ts';

export interface ErrorRendering {
  publicUrl: () => string;
  visitorPages?: VisitorPages;
}

/** Addresses that programs call: their errors are problem details. Every other address is a visitor's, who gets a page and never JSON. */
const PROGRAM_ADDRESS = /^\/(v1|hooks|metrics|healthz|readyz|openapi\.json)(?![^/?#])/;

export function isProgramAddress(url: string): boolean {
  return PROGRAM_ADDRESS.test(url);
}

/** Answers an error in the form that its caller understands, and logs faults that a person must look at: 500 as error, 503 as warning. */
export function createErrorHandler(rendering: ErrorRendering) {
  const pages = rendering.visitorPages ?? plainVisitorPages;
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const problem = problemOf(error);
    // The pattern of the route and never the URL, because codes, keys and personal data stand in URLs.
    const route = `${request.method} ${request.routeOptions.url ?? '(no route)'}`;
    if (problem.status === 503) request.log.warn({ error: loggableError(error), route }, 'a dependency did not answer');
    else if (problem.status >= 500) request.log.error({ error: loggableError(error), route }, 'a request failed');
    if (isProgramAddress(request.url)) sendProblem(reply, problem, rendering.publicUrl());
    else await pages.failed(request, reply.headers(problem.headers), problem.status);
    // Fastify would take an async handler that returns undefined for one that answers nothing, while an onSend hook still works.
    return reply;
  };
}

/** Sends a problem as the answer. The body is a string, so no answer schema of the route touches it. */
export function sendProblem(reply: FastifyReply, problem: Problem, publicUrl: string): void {
  const { body, contentType } = renderProblem(problem, { publicUrl, requestId: reply.request.id });
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .header('cache-control', 'no-store')
    .type(contentType)
    .send(body);
}

const REFUSED = 'The request cannot be read: its URL or its Content-Length is malformed.';

/**
 * The problem that an error is to the caller: its own Problem, a faulty request (400, 413, 415), a path that names nothing (404), a dependency
 * that is down (503), or a bug of ours (500, without any detail).
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isDependencyDown(error)) return problems.unavailable();
  if (!(error instanceof Error)) return problems.internal();
  const fastifyError = error as FastifyError;
  if (hasZodFastifySchemaValidationErrors(error)) {
    // A path parameter that cannot be an id names no object. An answer that tells malformed from unknown ids would only help a guesser.
    if (fastifyError.validationContext === 'params') return problems.notFound();
    return problems.validationFailed(fieldErrorsOf(fastifyError));
  }
  if (fastifyError.code === 'FST_ERR_MAX_PARAM_LENGTH') return problems.notFound();
  const status = fastifyError.statusCode ?? 500;
  if (status === 413) return problems.payloadTooLarge();
  if (status === 415) return problems.unsupportedMediaType();
  if (fastifyError.code === 'FST_ERR_CTP_INVALID_JSON_BODY')
    return problems.validationFailed('The body is not valid JSON.');
  // Fastify's own refusals (FST_ERR_…): a wrong Content-Length, a malformed URL. Their texts name the fault and no values.
  if (status >= 400 && status < 500 && typeof fastifyError.code === 'string') return problems.validationFailed(REFUSED);
  return problems.internal();
}

/** A zod issue inside a union that did not match. */
interface Issue {
  code?: string;
  path?: readonly PropertyKey[];
  message?: string;
  keys?: readonly string[];
  errors?: readonly (readonly Issue[])[];
}

/** Limits the answer, which would otherwise grow with the size of a hostile body. */
const MAX_ERRORS = 50;

/** The faults that a caller can correct: one entry a field, its path in dots (`rating.score`); unknown fields are named one by one. */
function fieldErrorsOf(error: FastifyError): FieldError[] {
  const found = validationEntriesOf(error).flatMap((entry) =>
    fieldErrors([], {
      ...entry.params,
      code: entry.keyword,
      path: entry.instancePath.split('/').filter((part) => part !== ''),
      message: entry.message ?? 'is not valid',
    }),
  );
  return found.slice(0, MAX_ERRORS);
}

function fieldErrors(above: readonly PropertyKey[], issue: Issue): FieldError[] {
  const path = [...above, ...(issue.path ?? [])];
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => ({
      path: dotted([...path, key]),
      message: 'is not a field of this request',
    }));
  }
  // zod says only "Invalid input" of a union: show the faults of the variant that has the fewest.
  const variants = issue.code === 'invalid_union' ? (issue.errors ?? []) : [];
  const closest = variants.toSorted((one, other) => one.length - other.length)[0];
  if (closest !== undefined && closest.length > 0) return closest.flatMap((inner) => fieldErrors(path, inner));
  return [{ path: dotted(path), message: issue.message ?? 'is not valid' }];
}

/** A path of at most 200 characters, because its parts may be keys that the caller chose. */
function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.').slice(0, 200);
}

/** The members of an error that are written to the log. */
export interface LoggableError {
  type: string;
  message: string;
  stack?: string;
  code?: string;
  constraint?: string;
  table?: string;
  cause?: LoggableError;
}

const MAX_CAUSES = 5;

/**
 * An error for the log, with the members that are known to be harmless. A logger that copies every member of an error also writes down a request
 * with its Authorization header, or the row of a database error.
 */
export function loggableError(error: unknown, depth = 0): LoggableError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'a value that is no Error was thrown' };
  const logged: LoggableError = { type: error.name, message: error.message };
  if (error.stack !== undefined) logged.stack = error.stack;
  const members = error as { code?: unknown; constraint?: unknown; table?: unknown };
  for (const name of ['code', 'constraint', 'table'] as const) {
    const value = members[name];
    if (typeof value === 'string') logged[name] = value;
  }
  if (error.cause !== undefined && depth < MAX_CAUSES) logged.cause = loggableError(error.cause, depth + 1);
  return logged;
}
