import cluster from 'node:cluster';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { Counter, Gauge, Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';
import type { MetricsRegistry } from '../http/metrics.ts';
import { ClusterMetrics } from './cluster-metrics.ts';
import type { Command } from './command-line.ts';
import { UsageFault } from './help.ts';
import { addressOf, findPort } from './listen.ts';
import { openMetricsServer } from './process-metrics.ts';
import { ProcessPool } from './process-pool.ts';
import { runUntilStopped } from './run-until-stopped.ts';

const MAX_PROCESSES = 256;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** A process of its own accord stops within ten seconds after its grace. */
const STOP_MS = 10_000;

/** @throws UsageFault for anything but `--workers <number>` or `--workers auto` */
function readWorkers({ name, args }: Command): number {
  const fault = new UsageFault(
    `'daihuo ${name}' takes only --workers, with a number from 1 to ${MAX_PROCESSES} or 'auto'; settings are environment variables.`,
  );
  let text: string;
  try {
    text = parseArgs({ args, options: { workers: { type: 'string', default: '1' } } }).values.workers;
  } catch {
    throw fault;
  }
  const count = text === 'auto' ? os.availableParallelism() : /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_PROCESSES) throw fault;
  return count;
}

/**
 * Runs a server in this process, or, with `--workers`, in several that share its port.
 *
 * @param run  the server in one process
 * @returns the exit code
 */
export async function runInProcesses(command: Command, run: () => Promise<number>): Promise<number> {
  const count = readWorkers(command);
  return count === 1 || cluster.isWorker ? run() : keepProcesses(command, count);
}

function measurePool(readyCount: () => number, count: number): { registry: MetricsRegistry; restarted: () => void } {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const registers = [registry];
  const processes = new Gauge({
    name: 'http_processes',
    help: 'Processes of this server: wanted, and ready at the moment',
    labelNames: ['state'],
    registers,
    collect: () => {
      processes.set({ state: 'wanted' }, count);
      processes.set({ state: 'ready' }, readyCount());
    },
  });
  const restarts = new Counter({
    name: 'http_process_ends_total',
    help: 'Processes of this server that ended while they should run, each replaced by another',
    registers,
  });
  return { registry, restarted: () => restarts.inc() };
}

/** The process that forks the others. It holds no connection to anything, and knows the port so that all get the same. */
async function keepProcesses({ config }: Command, count: number): Promise<number> {
  return runUntilStopped(config, async ({ log, shutdown }) => {
    const port = await findPort(config);
    const { registry, restarted } = measurePool(() => pool.readyCount, count);
    const metrics = new ClusterMetrics(registry);
    const pool = new ProcessPool({
      count,
      log,
      fork: () => {
        const worker = cluster.fork({ PORT: String(port), METRICS_PORT: '' });
        metrics.add(worker);
        return worker;
      },
      onEnd: (worker) => {
        restarted();
        void metrics.remove(worker);
      },
      onLost: (fault) => {
        console.error(fault.message);
        process.emit('uncaughtException', fault);
      },
    });
    if (config.metricsPort !== undefined)
      await openMetricsServer({ config, metrics, log, shutdown }, config.metricsPort);
    shutdown.add(
      'processes',
      STOP_MS,
      async () => pool.stop(),
      () => pool.kill(),
    );
    // The phases begin after the grace; the others are to hear of it now.
    for (const signal of SIGNALS) process.once(signal, () => pool.pass(signal));
    await pool.start();
    shutdown.waitAfterSigterm(config.shutdownGraceMs);
    console.log(`daihuo runs in ${count} processes: ${pool.pids.join(', ')}`);
    console.log(`daihuo ready on ${addressOf(config.host, port)}`);
  });
}
