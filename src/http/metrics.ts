import fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';

import type { Server } from './server.ts';

export type MetricsRegistry = Registry<OpenMetricsContentType>;

/** The source of `/metrics`: a registry, or several processes as one. */
export type MetricsText = Pick<MetricsRegistry, 'contentType' | 'metrics'>;

/** A registry in the OpenMetrics format, with the figures of the process itself (memory, event loop, garbage collection). */
export function createMetricsRegistry(): MetricsRegistry {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Seconds. Webhook senders give up after 5 s; a healthy API answer takes a few milliseconds. */
const DURATION_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Times every request to /v1 and /hooks by method, route pattern and status. The label is the pattern and never the URL, so no caller can
 * create label values. The redirect counts the requests of visitors.
 *
 * Call it before routes are registered.
 */
export function measureRequests(app: Server, registry: MetricsRegistry): void {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });
  app.addHook('onRoute', (route) => {
    if (!/^\/(v1|hooks)\//.test(route.url)) return;
    const url = route.url;
    const existing = route.onResponse === undefined ? [] : [route.onResponse].flat();
    route.onResponse = [
      ...existing,
      async (request, reply) => {
        const labels = { method: request.method, route: url, status: String(reply.statusCode) };
        duration.observe(labels, reply.elapsedTime / 1000);
      },
    ];
  });
}

/** `GET /metrics` for an admin key. */
export async function metricsRoutes(app: Server, deps: { metrics: MetricsText }): Promise<void> {
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { roles: ['admin'] },
    schema: { hide: true },
    handler: async (_request, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.metrics()),
  });
}

/** A server for `METRICS_PORT` that answers /metrics without a key: for a port that only the monitoring can reach. */
export function createMetricsServer(deps: { metrics: MetricsText; log: FastifyBaseLogger }): FastifyInstance {
  const server: FastifyInstance = fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true }),
  });
  server.route({
    method: 'GET',
    url: '/metrics',
    handler: async (_request, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.metrics()),
  });
  return server;
}
