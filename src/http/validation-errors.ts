import type { FastifyError } from 'fastify';

import type { FieldError } from './problem.ts';

/** What the zod compiler leaves in `error.validation`, one entry an issue. */
interface Entry {
  keyword: string;
  instancePath: string;
  message?: string | undefined;
  params: Record<string, unknown>;
}

/** A zod issue inside a union that did not match. */
interface Issue {
  code?: string;
  path?: readonly PropertyKey[];
  message?: string;
  keys?: readonly string[];
  errors?: readonly (readonly Issue[])[];
}

/** More are noise, and the list would grow with the size of a hostile body. */
const MAX_ERRORS = 50;

/** The faults a caller can act on: one entry a field, its path in dots (`rating.score`); unknown fields are named one by one. */
export function fieldErrorsOf(error: FastifyError): FieldError[] {
  const entries = (error.validation ?? []) as unknown as Entry[];
  const found = entries.flatMap((entry) =>
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
  // "Invalid input" of a union helps nobody: show the faults of the variant that came closest.
  const variants = issue.code === 'invalid_union' ? (issue.errors ?? []) : [];
  const closest = variants.toSorted((one, other) => one.length - other.length)[0];
  if (closest !== undefined && closest.length > 0) return closest.flatMap((inner) => fieldErrors(path, inner));
  return [{ path: dotted(path), message: issue.message ?? 'is not valid' }];
}

/** A path of at most 200 characters: its parts may be keys the caller made up. */
function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.').slice(0, 200);
}
