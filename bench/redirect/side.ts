/** The sides of the comparison: each a process of its own on the server's core, started anew for every round. */
import path from 'node:path';
import { BenchFault } from '../subject.ts';
import { startDaihuo } from '../support/daihuo.ts';
import { NODE, startProgram } from '../support/program.ts';
import type { AppendFsync, BenchServices } from '../support/services.ts';
import { readStoredClicks } from '../support/stored-clicks.ts';

/** What was answered, and what of it was stored. */
export interface ClickCheck {
  answered: number;
  /** Redirects without a click id, which need no stored click. */
  untracked: number;
  /** Distinct. */
  stored: number;
}

export interface RunningSide {
  origin: string;
  pid: number;
  /** Compares answers with stored clicks. Only where clicks are stored. */
  check?(load: { answered: number; connections: number }): Promise<ClickCheck>;
  stop(): Promise<void>;
}

export interface Side {
  name: string;
  appendFsync: AppendFsync;
  /** Connections to measure with. */
  levels: readonly number[];
  start(): Promise<RunningSide>;
}

const SIDES = path.join(import.meta.dirname, 'sides');

/** One of the programs in `sides/`. */
export function programSide(side: {
  name: string;
  file: string;
  levels: readonly number[];
  env?: Record<string, string>;
}): Side {
  return {
    name: side.name,
    appendFsync: 'everysec',
    levels: side.levels,
    start: async () => {
      const program = startProgram([NODE, path.join(SIDES, side.file)], { core: 'server', env: side.env ?? {} });
      const ready = await program.line(/^ready on /);
      return { origin: ready.split(' ').at(-1) ?? '', pid: program.pid, stop: async () => program.stop() };
    },
  };
}

/**
 * No click that was handed out may be missing. More may be stored than were answered: what the server had answered when the load stopped
 * reading, at most one a connection.
 */
async function checkClicks(
  { redis }: BenchServices,
  load: { answered: number; connections: number },
  untracked: number,
): Promise<ClickCheck> {
  const { clickIds } = await readStoredClicks(redis);
  const check = { answered: load.answered, untracked, stored: clickIds.size };
  const least = load.answered - untracked;
  if (check.stored < least || check.stored > least + untracked + load.connections)
    throw new BenchFault(`clicks and answers do not agree: ${JSON.stringify(check)}, ${load.connections} connections`);
  return check;
}

/** The id that a visitor is sent on with is one of those stored: wrk counts answers and does not read them. */
async function checkOneVisit({ redis }: BenchServices, origin: string, code: string): Promise<void> {
  const answer = await fetch(`${origin}/${code}/v1`, {
    redirect: 'manual',
    headers: { 'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148 aweme_30.4.0' },
  });
  const id = URL.parse(answer.headers.get('location') ?? '')?.searchParams.get('dh_click') ?? '';
  const { clickIds } = await readStoredClicks(redis);
  if (answer.status !== 302 || !clickIds.has(id))
    throw new BenchFault(`a visit was answered ${answer.status} with the click id '${id}', which is not stored`);
}

/** `./daihuo serve` with everything on. */
export function daihuoSide(side: {
  name: string;
  appendFsync: AppendFsync;
  levels: readonly number[];
  services: BenchServices;
  code: string;
  checkout?: string;
  env?: Record<string, string>;
}): Side {
  const { services } = side;
  return {
    name: side.name,
    appendFsync: side.appendFsync,
    levels: side.levels,
    start: async () => {
      const daihuo = await startDaihuo({
        command: 'serve',
        databaseUrl: services.databaseUrl,
        redisUrl: services.redisUrl,
        core: 'server',
        ...(side.checkout === undefined ? {} : { checkout: side.checkout }),
        ...(side.env === undefined ? {} : { env: side.env }),
      });
      await checkOneVisit(services, daihuo.origin, side.code);
      await services.emptyRedis();
      return {
        origin: daihuo.origin,
        pid: daihuo.pid,
        check: async (load) =>
          checkClicks(services, load, await daihuo.metric('redirects_total', { outcome: 'untracked' })),
        stop: async () => daihuo.stop(),
      };
    },
  };
}
