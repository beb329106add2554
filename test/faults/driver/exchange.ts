import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * What a client saw of one request. `refused`: nobody listened, so nothing was sent. `cut`: the connection ended before the answer was
 * complete. `late`: no answer in time.
 */
export type Exchange =
  | { kind: 'answer'; status: number; headers: IncomingHttpHeaders; text: string; tookMs: number }
  | { kind: 'refused' | 'cut' | 'late'; tookMs: number };

export interface Question {
  port: number;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  timeoutMs: number;
  /** A new connection for this question where it is left out. */
  agent?: Agent;
}

/** Connections that are kept open between questions, as browsers and load balancers keep them. */
export function createKeptConnections(most: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: most });
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

/** Asks once; nothing is ever asked again behind the caller's back. Never rejects. */
export async function exchange(question: Question): Promise<Exchange> {
  const { port, method, path, headers, body, timeoutMs } = question;
  const startedAtMs = performance.now();
  const tookMs = (): number => performance.now() - startedAtMs;
  return new Promise((resolve) => {
    let isLate = false;
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: question.agent ?? false });
    const timer = setTimeout(() => {
      isLate = true;
      asked.destroy();
    }, timeoutMs);
    const settle = (outcome: Exchange): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    const fail = (error?: Error): void => {
      const broken = error !== undefined && codeOf(error) === 'ECONNREFUSED' ? 'refused' : 'cut';
      settle({ kind: isLate ? 'late' : broken, tookMs: tookMs() });
    };
    asked.on('error', fail);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('error', fail);
      response.on('close', () => {
        if (!response.complete) fail();
      });
      response.on('end', () => {
        settle({
          kind: 'answer',
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          tookMs: tookMs(),
        });
      });
    });
    asked.end(body);
  });
}
