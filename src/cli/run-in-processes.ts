import cluster from 'node:cluster';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { Counter, Gauge, Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';
import type { MetricsRegistry } from '../http/metrics.ts';
import { UsageFault } from './command.ts';
import type { Command } from './command.ts';
import { ClusterMetrics, openMetricsServer } from './process-metrics.ts';
import { ProcessPool } from './process-pool.ts';
import { addressOf, findPort } from './run-http.ts';
import { runUntilStopped } from './runtime.ts';

const MAX_PROCESSES = 256;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** A process stops by itself within ten seconds after its grace. */
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
  return count === 1 || cluster.isWorker ? run() : runPool(command, count);
}

function measurePool(readyCount: () => number, count: number): { registry: MetricsRegistry; restarted: () => void } {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const registers = [registry];
  const processes = new Gauge({
    name: 'http_processes',
    help: 'Processes of this server: the number that should run, and the number that is ready',
    labelNames: ['state'],
    registers,
    collect: () => {
      processes.set({ state: 'wanted' }, count);
      processes.set({ state: 'ready' }, readyCount());
    },
  });
  const restarts = new Counter({
    name: 'http_process_ends_total',
    help: 'Processes of this server that ended while they should run; each was replaced',
    registers,
  });
  return { registry, restarted: () => restarts.inc() };
}

/** Runs in the process that forks the others. It opens no connection, and chooses the port so that all processes share it. */
async function runPool({ config }: Command, count: number): Promise<number> {
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
    // The phases of the shutdown begin after the grace, but the other processes need the signal at once.
    for (const signal of SIGNALS) process.once(signal, () => pool.forwardSignal(signal));
    await pool.start();
    shutdown.waitAfterSigterm(config.shutdownGraceMs);
    console.log(`daihuo runs in ${count} processes: ${pool.pids.join(', ')}`);
    console.log(`daihuo ready on ${addressOf(config.host, port)}`);
  });
}
