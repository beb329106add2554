import type { Server } from './server.ts';

/** The meaning of an error code: the one source of status and title of an answer, and of the page behind its `type`. */
export interface ProblemKind {
  status: number;
  title: string;
  /** For a person who followed the `type` link: when it happens and what to do. */
  meaning: string;
}

export const problemCatalogue = {
  validation_failed: {
    status: 400,
    title: 'The request is not valid',
    meaning:
      'A value is missing, malformed, out of range or unknown, or the body is not the JSON it claims to be. "errors" names each field. Too large a body answers 413, an unreadable Content-Type 415. Nothing was changed.',
  },
  unauthorized: {
    status: 401,
    title: 'No valid credentials',
    meaning:
      'The API key is missing, unknown, expired or revoked, or it stood in the URL; on a webhook the signature or its time is not valid. The answer never says which.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed for this role',
    meaning: 'The key is valid but its role may not call this address or make this change.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    meaning: 'There is no such object, or it belongs to another tenant: both answer alike.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The address exists but not for this method; the Allow header lists those it answers.',
  },
  alias_taken: {
    status: 409,
    title: 'The alias is taken',
    meaning: 'Another link has this alias. Aliases are never reused; choose another one.',
  },
  store_already_registered: {
    status: 409,
    title: 'The store is already registered',
    meaning: 'An active store has the same platform and shop id.',
  },
  idempotency_in_progress: {
    status: 409,
    title: 'The same request is under way',
    meaning: 'A request with this Idempotency-Key has not been answered yet. Repeat it a little later.',
  },
  conflict: {
    status: 409,
    title: 'Conflict with what exists',
    meaning: 'The change contradicts something that exists; "detail" names it.',
  },
  platform_not_supported: {
    status: 422,
    title: 'The platform is not supported',
    meaning: 'Stores and products of Taobao, Tmall and Youzan can be promoted; JD and WeChat shops cannot.',
  },
  destination_not_allowed: {
    status: 422,
    title: 'The destination is not allowed',
    meaning: 'The URL does not belong to the platform of the store, or is not a plain https address.',
  },
  store_not_eligible: {
    status: 422,
    title: 'No new link for now',
    meaning:
      'The score of the store is too low or it has not been open long enough, the store is closed, or the product or the influencer is paused. "errors" lists the reasons. Existing links go on.',
  },
  alias_reserved: {
    status: 422,
    title: 'The alias is reserved',
    meaning: 'The word is used by an address of this service; choose another one.',
  },
  event_id_reused: {
    status: 422,
    title: 'The event id was used for another event',
    meaning: 'A webhook repeated an event id with a different body. Nothing was changed; give every event its own id.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    meaning: 'The key came before with a different body. Nothing was changed; give every request its own key.',
  },
  as_of_not_sealed: {
    status: 422,
    title: 'That instant is not sealed yet',
    meaning: 'Totals "as of" an instant are given once the journal is sealed past it; ask for an earlier one or wait.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    meaning: 'Wait as long as Retry-After says.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    meaning:
      'A fault of ours. It is logged under the request id in "instance"; repeating the request is safe with an Idempotency-Key.',
  },
  unavailable: {
    status: 503,
    title: 'Temporarily unavailable',
    meaning: 'The database or another service did not answer in time. Repeat the request after Retry-After seconds.',
  },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemCatalogue;

/** The code behind a page address: `alias-taken` → `alias_taken`; undefined when there is none. */
export function problemCodeOf(slug: string): ProblemCode | undefined {
  const code = slug.replaceAll('-', '_');
  return Object.hasOwn(problemCatalogue, code) ? (code as ProblemCode) : undefined;
}

/** `GET /problems/:slug`: the page behind the `type` of an error. English, as the API is. */
export async function problemPages(app: Server): Promise<void> {
  app.route({
    method: 'GET',
    url: '/problems/:slug',
    schema: { hide: true },
    handler: async (request, reply) => {
      const { slug } = request.params as { slug: string };
      const code = problemCodeOf(slug);
      if (code === undefined) return reply.callNotFound();
      const { status, title, meaning } = problemCatalogue[code];
      return reply.type('text/html; charset=utf-8').header('cache-control', 'public, max-age=3600')
        .send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body><h1>${title}</h1><p><code>${code}</code>, HTTP status ${status}</p><p>${meaning}</p></body></html>
`);
    },
  });
}
