import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';

import { isDependencyDown } from '../infra/failures.ts';
import { loggableError } from './loggable-error.ts';
import { Problem, problems, renderProblem } from './problem.ts';
import { fieldErrorsOf } from './validation-errors.ts';
import { plainVisitorPages } from './visitor-pages.ts';
import type { VisitorPages } from './visitor-pages.ts';

export interface ErrorRendering {
  publicUrl: () => string;
  visitorPages?: VisitorPages;
}

/** Addresses that programs call: their errors are problem details. Everything else is a visitor's, who gets a page and never JSON. */
const PROGRAM_ADDRESS = /^\/(v1|hooks|metrics|healthz|readyz|openapi\.json)(?![^/?#])/;

export function isProgramAddress(url: string): boolean {
  return PROGRAM_ADDRESS.test(url);
}

/**
 * What an error means to the caller: its own Problem, a faulty request (400, 413, 415), a path that names nothing (404), a dependency that
 * is away (503), or our bug (500, without any detail).
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isDependencyDown(error)) return problems.unavailable();
  if (!(error instanceof Error)) return problems.internal();
  const fastifyError = error as FastifyError;
  if (hasZodFastifySchemaValidationErrors(error)) {
    // A path parameter that cannot be an id names no object; telling "malformed" from "unknown" would only help who guesses.
    if (fastifyError.validationContext === 'params') return problems.notFound();
    return problems.validationFailed(fieldErrorsOf(fastifyError));
  }
  if (fastifyError.code === 'FST_ERR_MAX_PARAM_LENGTH') return problems.notFound();
  const status = fastifyError.statusCode ?? 500;
  if (status === 413) return problems.payloadTooLarge();
  if (status === 415) return problems.unsupportedMediaType();
  if (fastifyError.code === 'FST_ERR_CTP_INVALID_JSON_BODY')
    return problems.validationFailed('The body is not valid JSON.');
  // Fastify's own refusals (FST_ERR_…): a lying Content-Length, a bad URL. Their texts name what is wrong, not values.
  if (status >= 400 && status < 500 && typeof fastifyError.code === 'string') return problems.validationFailed(REFUSED);
  return problems.internal();
}

const REFUSED = 'The request cannot be read: its URL or its Content-Length is malformed.';

/** Answers an error in the form its caller understands, and logs what somebody must look at: 500 as error, 503 as warning. */
export function createErrorHandler(rendering: ErrorRendering) {
  const pages = rendering.visitorPages ?? plainVisitorPages;
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const problem = problemOf(error);
    // The pattern of the route, never the URL: codes, keys and personal data stand in URLs.
    const route = `${request.method} ${request.routeOptions.url ?? '(no route)'}`;
    if (problem.status === 503) request.log.warn({ error: loggableError(error), route }, 'a dependency did not answer');
    else if (problem.status >= 500) request.log.error({ error: loggableError(error), route }, 'a request failed');
    if (isProgramAddress(request.url)) sendProblem(reply, problem, rendering.publicUrl());
    else await pages.failed(request, reply.headers(problem.headers), problem.status);
    // An async handler that returns nothing would be taken to answer nothing while an onSend hook is still at work.
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
