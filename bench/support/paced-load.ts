/**
 * A process that sends requests at a steady rate, whatever becomes of them: a server that stalls does not slow the visitors down, and what
 * they wait is counted from the moment each request was due.
 *
 * Arguments: one JSON object of `PacedLoad`. Writes a line per answer into `answersFile` (see `readAnswers`).
 */
import { createWriteStream, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { finished } from 'node:stream/promises';
import type { ClientRequest, OutgoingHttpHeaders } from 'node:http';
import type { PacedLoad } from './paced-answers.ts';

const TICK_MS = 1;
const REQUEST_TIMEOUT_MS = 10_000;

interface Visit {
  path: string;
  headers: OutgoingHttpHeaders;
}

function readVisits(file: string): Visit[] {
  const texts = readFileSync(file, 'latin1').split('\r\n\r\n').filter(Boolean);
  return texts.map((text) => {
    const [first = '', ...lines] = text.split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)];
    });
    return {
      path: first.split(' ')[1] ?? '/',
      headers: Object.fromEntries(headers.filter(([name]) => name !== 'Connection')),
    };
  });
}

const { origin, visitsFile, answersFile, perSecond, total, connections } = JSON.parse(
  process.argv[2] ?? '',
) as PacedLoad;
const { hostname, port } = new URL(origin);
const visits = readVisits(visitsFile);
const answers = createWriteStream(answersFile);
const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
/** Requests on their way. */
const open = new Set<ClientRequest>();

function send(dueMs: number, visit: Visit): void {
  const { path, headers } = visit;
  const sent = request({ hostname, port, agent, path, headers, timeout: REQUEST_TIMEOUT_MS });
  open.add(sent);
  /** `302 <id>`, another status, or what went wrong; the first that is known. */
  const record = (outcome: string): void => {
    if (!open.delete(sent)) return;
    const latencyMs = performance.timeOrigin + performance.now() - dueMs;
    answers.write(`${dueMs.toFixed(2)} ${latencyMs.toFixed(2)} ${outcome}\n`);
  };
  sent.on('response', (response) => {
    const id = /[?&]dh_click=([^&#]*)/.exec(response.headers.location ?? '')?.[1];
    record(id === undefined ? String(response.statusCode) : `${response.statusCode} ${id}`);
    response.resume();
  });
  sent.on('timeout', () => sent.destroy(new Error('timeout')));
  sent.on('error', (error) => record(`failed ${'code' in error ? String(error.code) : error.message}`));
  sent.end();
}

const startMs = performance.timeOrigin + performance.now();
console.log('started');
for (let sent = 0; sent < total;) {
  const due = Math.min(total, Math.floor(((performance.timeOrigin + performance.now() - startMs) / 1_000) * perSecond));
  for (; sent < due; sent += 1) {
    const visit = visits[sent % visits.length];
    if (visit !== undefined) send(startMs + (sent / perSecond) * 1_000, visit);
  }
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
agent.destroy();
answers.end();
await finished(answers);
