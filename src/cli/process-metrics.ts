/** The figures of one process, and of several processes as one. */
import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { AggregatorRegistry, Registry } from 'prom-client';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { createIngestMetrics } from '../clicks/ingest/metrics.ts';
import { createClickMetrics } from '../clicks/metrics.ts';
import { createMetricsRegistry, createMetricsServer, type MetricsRegistry, type MetricsText } from '../http/metrics.ts';
import type { Runtime } from './runtime.ts';

/** The metrics of one process, for all parts of daihuo that it runs. */
export interface ProcessMetrics {
  registry: MetricsRegistry;
  /** The source of `/metrics`: of all processes where this one is one of several, else the registry. */
  shownMetrics: MetricsText;
  clickMetrics: ReturnType<typeof createClickMetrics>;
  ingestMetrics: ReturnType<typeof createIngestMetrics>;
}

/** Opens the registry of the process; with METRICS_PORT also a server that shows it without a key. */
export async function openProcessMetrics(runtime: Runtime): Promise<ProcessMetrics> {
  const { config, log, shutdown } = runtime;
  const registry = createMetricsRegistry();
  const clickMetrics = createClickMetrics(registry);
  const ingestMetrics = createIngestMetrics(registry);
  const ofCluster = metricsOfCluster(registry);
  // Of several processes, the one that forked them shows the sum on METRICS_PORT.
  if (config.metricsPort !== undefined && ofCluster === undefined) {
    await openMetricsServer({ config, metrics: registry, log, shutdown }, config.metricsPort);
  }
  return { registry, shownMetrics: ofCluster ?? registry, clickMetrics, ingestMetrics };
}

/** Shows metrics without a key, on a port of their own. */
export async function openMetricsServer(
  deps: Pick<Runtime, 'config' | 'log' | 'shutdown'> & { metrics: MetricsText },
  port: number,
): Promise<void> {
  const server = createMetricsServer(deps);
  await server.listen({ host: deps.config.host, port });
  deps.shutdown.add('metrics', 1_000, async () => server.close());
}

/** In a process that is one of several: the metrics of all of them. Undefined in a process that runs alone. */
function metricsOfCluster(registry: MetricsRegistry): MetricsText | undefined {
  if (!cluster.isWorker) return undefined;
  const peer = openPeer(process, async () => readFigures(registry));
  return { contentType: registry.contentType, metrics: async () => String(await peer.request()) };
}

/** The figures of one process, as they are sent to another one. */
type Figures = MetricObjectWithValues<MetricValue<string>>[];

/** Gauges of an ended process are over; its counters and histograms stay in the sum. */
const STAYS = new Set(['counter', 'histogram']);

/**
 * The registry of one process in figures. prom-client adds `_total` to the name of a counter when it writes it, and in a sum of registries also to
 * names that already have it, so it is taken away here.
 */
async function readFigures(registry: MetricsRegistry): Promise<Figures> {
  const figures: Figures = await registry.getMetricsAsJSON();
  return figures.map((metric) =>
    String(metric.type) === 'counter' ? { ...metric, name: metric.name.replace(/_total$/, '') } : metric,
  );
}

function sumOf(figures: Figures[]): MetricsRegistry {
  const sum = AggregatorRegistry.aggregate<MetricsRegistry['contentType']>(figures);
  sum.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return sum;
}

/**
 * The metrics of all processes of a cluster as one: counters and histograms are added up, gauges as each declares (`aggregator`, by default the
 * sum). The last known figures of processes that have ended stay in the sum, because a sum that falls looks like a counter that was reset, and a
 * scraper would add everything counted before once more.
 */
export class ClusterMetrics implements MetricsText {
  readonly contentType = Registry.OPENMETRICS_CONTENT_TYPE;
  readonly #own: MetricsRegistry;
  readonly #members = new Map<Worker, { peer: Peer; latest: Figures }>();
  #ended: Figures = [];

  /** @param own  the metrics of the process that forks the others */
  constructor(own: MetricsRegistry) {
    this.#own = own;
  }

  add(worker: Worker): void {
    this.#members.set(worker, { peer: openPeer(worker, async () => this.metrics()), latest: [] });
  }

  async remove(worker: Worker): Promise<void> {
    const member = this.#members.get(worker);
    if (member === undefined) return;
    this.#members.delete(worker);
    member.peer.close();
    const counted = member.latest.filter(({ type }) => STAYS.has(String(type)));
    this.#ended = await readFigures(sumOf([this.#ended, counted]));
  }

  async metrics(): Promise<string> {
    await Promise.all(
      [...this.#members.values()].map(async (member) => {
        try {
          member.latest = (await member.peer.request()) as Figures;
        } catch {
          // The process is starting, ending or stuck: its latest figures count.
        }
      }),
    );
    const latest = [...this.#members.values()].map((member) => member.latest);
    return sumOf([...latest, this.#ended, await readFigures(this.#own)]).metrics();
  }
}

/** A worker seen from the process that forked it, or `process` seen from within a worker: the channel that node:cluster opens. */
interface Channel {
  send?(message: object, sent: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

interface Peer {
  /** Resolves to the answer of the other side; rejects where that fails, or gives no answer within two seconds. */
  request(): Promise<unknown>;
  /** The other side has ended: open requests reject at once. */
  close(): void;
}

const ANSWER_WAIT_MS = 2_000;

interface Message {
  daihuo: 'request' | 'answer';
  number: number;
  /** Of an answer; absent where the other side failed. */
  value?: unknown;
}

function isMessage(message: unknown): message is Message {
  const kind = (message as Partial<Message> | null)?.daihuo;
  return kind === 'request' || kind === 'answer';
}

/** Each side has one kind of request, so requests have no name. @param answer  runs for every request of the other side */
function openPeer(channel: Channel, answer: () => Promise<unknown>): Peer {
  const open = new Map<number, (message: Pick<Message, 'value'>) => void>();
  let lastNumber = 0;
  // A process that has ended meanwhile gets no answer, and needs none.
  const send = (message: Message): void => void channel.send?.(message, () => undefined);
  channel.on('message', (message) => {
    if (!isMessage(message)) return;
    const { daihuo, number } = message;
    if (daihuo === 'answer') {
      open.get(number)?.(message);
      return;
    }
    answer().then(
      (value) => send({ daihuo: 'answer', number, value }),
      () => send({ daihuo: 'answer', number }),
    );
  });
  return {
    request: async () => {
      const number = (lastNumber += 1);
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const timer = setTimeout(reject, ANSWER_WAIT_MS, new Error('the other process does not answer'));
      open.set(number, ({ value }) =>
        value === undefined ? reject(new Error('the other process cannot answer')) : resolve(value),
      );
      send({ daihuo: 'request', number });
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        open.delete(number);
      }
    },
    close: () => {
      for (const settle of open.values()) settle({});
    },
  };
}
