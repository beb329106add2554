import { destination, pino } from 'pino';
import type { Logger } from 'pino';
import type { LogLevel } from './config.ts';

/** Headers and fields whose values must never reach a log, at the depths where request and error objects carry them. */
const SECRET_FIELDS = ['authorization', 'cookie', 'password', 'secret', 'clientSecret', 'webhookSecret', 'apiKey'];
const REDACTED = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.headers.${field}`, `headers["${field}"]`]);

/**
 * The log: one line of JSON an event, on standard error, so that standard output holds only the result of a command.
 *
 * Lines are written synchronously: an asynchronous destination loses its tail when the process is killed. Untrusted text belongs in
 * fields, which JSON escapes, never in the message.
 */
export function createLog(options: { level: LogLevel; fd?: number }): Logger {
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...new Set(REDACTED)], censor: '[redacted]' },
    },
    destination({ fd: options.fd ?? 2, sync: true }),
  );
}
