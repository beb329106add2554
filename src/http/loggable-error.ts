/** What of an error goes into the log. */
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
 * An error for the log: only members known to be harmless. A logger that copies every member of an error writes down whatever somebody hung on it
 * (a request with its Authorization header, the row of a database error).
 */
export function loggableError(error: unknown, depth = 0): LoggableError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'something that is no Error was thrown' };
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
