import { buildApp } from '../app.ts';
import type { Server } from '../http/server.ts';
import type { Measures } from './process-metrics.ts';
import { openVisitorParts } from './open-visitor-app.ts';
import { readVersion } from './read-version.ts';
import type { Runtime } from './runtime.ts';

/** The whole HTTP application, not yet listening. */
export async function openApp(
  runtime: Runtime,
  measures: Measures,
  address: () => string | undefined,
): Promise<Server> {
  const { config } = runtime;
  return buildApp({
    ...(await openVisitorParts(runtime, measures, address)),
    eligibilityRule: { minStars: config.minStoreRating, minAgeDays: config.minStoreAgeDays },
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    version: readVersion(),
  });
}
