/** daihuo itself, as a machine in production runs it: the real program, configured by its environment. */
import path from 'node:path';
import { newApiKey } from '../../src/access/api-key.ts';
import { BenchFault } from '../subject.ts';
import type { Core } from './pin.ts';
import { CHECKOUT, startProgram } from './program.ts';
import type { Program } from './program.ts';
import { makeScratch } from './scratch.ts';

export interface DaihuoOptions {
  command: 'serve' | 'redirect' | 'worker';
  /** Arguments behind the command. */
  args?: string[];
  databaseUrl: string;
  redisUrl: string;
  core: Core;
  /** Another checkout than that of the bench. */
  checkout?: string;
  /** Beside what every run has. */
  env?: Record<string, string>;
}

export interface Daihuo {
  program: Program;
  pid: number;
  /** Empty for a worker. */
  origin: string;
  /** The sum of a metric over the label sets that hold all of `labels`; 0 where there is none. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  stop(): Promise<void>;
}

const SECRET = 'a secret of the benchmarks, and of nothing else';

/** Sums the samples of one metric in the text that Prometheus reads. */
export function sumMetric(text: string, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, found, inBraces = '', value] = /^([a-zA-Z_:]+)(?:\{(.*)\})? ([^ ]+)/.exec(line) ?? [];
    if (found === name && wanted.every((each) => inBraces.includes(each))) sum += Number(value);
  }
  return sum;
}

/** Leaves the command compiled, as an image has it and every start but the first after an update finds it. */
export async function compileDaihuo(command: DaihuoOptions['command']): Promise<void> {
  const program = startProgram([path.join(CHECKOUT, 'daihuo'), command, '--help'], { core: 'server' });
  if ((await program.ended) !== 0) throw new BenchFault(`daihuo ${command} --help failed: ${program.output()}`);
}

/** Starts it and waits until it is ready. Its home, where a spool may be, is removed with it. */
export async function startDaihuo(options: DaihuoOptions): Promise<Daihuo> {
  const { folder: home, remove: removeHome } = await makeScratch('home');
  const { key } = newApiKey('admin');
  const program = startProgram(
    [path.join(options.checkout ?? CHECKOUT, 'daihuo'), options.command, ...(options.args ?? [])],
    {
      core: options.core,
      env: {
        HOME: home,
        DAIHUO_HOME: home,
        DATABASE_URL: options.databaseUrl,
        REDIS_URL: options.redisUrl,
        DAIHUO_SECRET: SECRET,
        DAIHUO_ADMIN_KEY: key,
        DAIHUO_PUBLIC_URL: 'https://go.example.com',
        LOG_LEVEL: 'warn',
        // No balancer has to be told of the end of a run.
        SHUTDOWN_GRACE_MS: '0',
        HOST: '127.0.0.1',
        OUTGOING_REQUESTS: 'off',
        ...(options.command === 'worker' ? {} : { PORT: '0' }),
        ...options.env,
      },
    },
  );
  const ready = await program.line(/^daihuo (?:worker )?ready/);
  const origin = options.command === 'worker' ? '' : (ready.split(' ').at(-1) ?? '');
  return {
    program,
    pid: program.pid,
    origin,
    metric: async (name, labels) => {
      const answer = await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${key}` } });
      if (!answer.ok) throw new BenchFault(`/metrics answered ${answer.status}`);
      return sumMetric(await answer.text(), name, labels);
    },
    stop: async () => {
      await program.stop();
      await removeHome();
    },
  };
}
