import { Counter } from 'prom-client';
import type { MetricsRegistry } from '../../http/metrics.ts';
import type { Db } from '../../infra/db.ts';
import type { GuardedRequest } from '../../infra/guarded-request.ts';
import type { RepeatedJob } from '../../infra/repeat.ts';
import type { TaskHandler } from '../../infra/work-queue.ts';
import { checkDueDestinations } from './destinations/check-destinations.ts';
import { renewDestinationList } from './destinations/queries.ts';
import { pictureTask } from './pictures/fetch-picture.ts';

export interface OutgoingJobDeps {
  db: Db;
  now: () => Date;
  fetch: GuardedRequest;
  registry: MetricsRegistry;
  /** The number of destinations whose check is due. */
  readDueDestinations: () => Promise<number>;
}

const SECOND_MS = 1_000;

/** The timed jobs that send requests to other servers: they check destinations. */
export function outgoingJobs({ db, now, fetch, registry, readDueDestinations }: OutgoingJobDeps): RepeatedJob[] {
  const destinations = new Counter({
    name: 'destination_checks_total',
    help: 'Destinations of products checked, by outcome',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const checkDeps = { db, fetch, now, onResult: (outcome: string) => destinations.inc({ outcome }) };
  return [
    { name: 'renew_destination_list', everyMs: 600 * SECOND_MS, run: () => renewDestinationList(db) },
    {
      name: 'check_destinations',
      everyMs: 10 * SECOND_MS,
      run: (signal) => checkDueDestinations(checkDeps, signal),
      readBacklog: readDueDestinations,
    },
  ];
}

/** The tasks of the work queue that send requests to other servers: they fetch pictures of products. */
export function outgoingTasks({
  db,
  fetch,
  registry,
}: Omit<OutgoingJobDeps, 'now' | 'readDueDestinations'>): TaskHandler[] {
  const pictures = new Counter({
    name: 'product_pictures_total',
    help: 'Pictures of products fetched, by result',
    labelNames: ['result'],
    registers: [registry],
  });
  return [pictureTask({ db, fetch, onResult: (result) => pictures.inc({ result }) })];
}
