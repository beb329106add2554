import { createWriteStream } from 'node:fs';

export interface EventLog {
  /** One line of JSON with the time since the log began. */
  write(event: string, fields?: Record<string, unknown>): void;
  close(): Promise<void>;
}

/** What was done to whom and when, as NDJSON: with the seed, enough to see a failure again. */
export function openEventLog(file: string): EventLog {
  const stream = createWriteStream(file, { flags: 'a' });
  const startedAtMs = performance.now();
  return {
    write: (event, fields = {}) => {
      stream.write(`${JSON.stringify({ atMs: Math.round(performance.now() - startedAtMs), event, ...fields })}\n`);
    },
    close: async () => {
      await new Promise<void>((resolve) => {
        stream.end(resolve);
      });
    },
  };
}
