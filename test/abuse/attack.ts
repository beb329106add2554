/** Sends a request and looks at everything that must hold of its answer, and of the database behind it. */
import { problemCatalogue } from '../../src/http/problem-catalogue.ts';
import { PUBLIC_URL } from '../http/test-server.ts';
import type { AbuseApp } from './abuse-app.ts';
import { type Answer, contentTypeOf, send, type Wire } from './client.ts';
import { countWrites, fingerprint, watchWrites } from './fingerprint.ts';

/** Answers the status. @throws Error that shows the request, where something does not hold */
export type Attack = (wire: Wire) => Promise<number>;

const PROGRAM_ADDRESS = /^\/(v1|hooks)(\/|$)/;
const OPERATOR_ADDRESS = /^\/(metrics|healthz|readyz|openapi\.json)(\/|$)/;
/** Nothing of our inside belongs into an answer. */
const INSIDE = /node_modules|\/src\/|\bpg_|syntax error|violates|constraint|ECONN|at [A-Za-z.]+ \(/;

function faultOf(wire: Wire, answer: Answer): string | undefined {
  const { statusCode, body } = answer;
  const contentType = contentTypeOf(answer);
  if (statusCode >= 500) return 'a fault of ours';
  // Dots are resolved before it is sent, as every client does.
  const { pathname } = new URL(`${PUBLIC_URL}${wire.url}`);
  if (!PROGRAM_ADDRESS.test(pathname)) {
    const isProblem = statusCode >= 400 && contentType.includes('json');
    return isProblem && !OPERATOR_ADDRESS.test(pathname) ? 'JSON for a visitor' : undefined;
  }
  if (statusCode < 400 || wire.method === 'HEAD') return undefined;
  if (contentType !== 'application/problem+json') return `a refusal as ${contentType}`;
  if (INSIDE.test(body)) return 'a look inside';
  const problem = JSON.parse(body) as { code: string; status: number; title: string };
  if (!Object.hasOwn(problemCatalogue, problem.code)) return 'an unknown code';
  return problem.status === statusCode ? undefined : 'two statuses';
}

function shown(wire: Wire, answer: Answer): string {
  const payload = String(wire.payload ?? '').slice(0, 600);
  const headers = Object.entries(wire.headers).filter(([name]) => name !== 'authorization');
  return `${wire.method} ${wire.url.slice(0, 600)} ${JSON.stringify(headers)} ${payload} -> ${answer.statusCode} ${answer.body.slice(0, 400)}`;
}

/** Watches the tables from now on: only requests sent through the returned function may change them. */
export async function prepareAttack(abuse: AbuseApp): Promise<Attack> {
  await watchWrites(abuse.db);
  const look = async (): Promise<{ writes: number; tables: Record<string, string> }> => ({
    writes: await countWrites(abuse.db),
    tables: await fingerprint(abuse.db),
  });
  let seen = await look();
  return async (wire) => {
    const answer = await send(abuse, wire);
    const fault = faultOf(wire, answer);
    if (fault !== undefined) throw new Error(`${fault}: ${shown(wire, answer)}`);
    // Nothing has been written at all: there is nothing to compare.
    if ((await countWrites(abuse.db)) === seen.writes) return answer.statusCode;
    const before = seen.tables;
    seen = await look();
    if (answer.statusCode < 400) return answer.statusCode;
    // A refusal is kept for its Idempotency-Key, to be repeated.
    const mayChange = wire.headers['idempotency-key'] === undefined ? '' : 'idempotency_keys';
    const changed = Object.keys(before).filter((table) => table !== mayChange && seen.tables[table] !== before[table]);
    if (changed.length > 0) throw new Error(`${changed.join(', ')} changed: ${shown(wire, answer)}`);
    return answer.statusCode;
  };
}
