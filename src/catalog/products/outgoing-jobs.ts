import { Counter } from 'prom-client';
import type { MetricsRegistry } from '../../http/metrics.ts';
import type { Db } from '../../infra/db.ts';
import type { GuardedRequest } from '../../infra/guarded-request.ts';
import type { RepeatedJob } from '../../infra/repeat.ts';
import { checkDueDestinations } from './destinations/check-destinations.ts';
import { renewDestinationList } from './destinations/queries.ts';
import { fetchDuePictures } from './pictures/fetch-pictures.ts';

export interface OutgoingJobDeps {
  db: Db;
  now: () => Date;
  fetch: GuardedRequest;
  registry: MetricsRegistry;
  /** The number of destinations whose check is due. */
  readDueDestinations: () => Promise<number>;
}

const SECOND_MS = 1_000;

/** The jobs that send requests to other servers: they fetch pictures of products and check destinations. No other part of daihuo sends any. */
export function outgoingJobs({ db, now, fetch, registry, readDueDestinations }: OutgoingJobDeps): RepeatedJob[] {
  const pictures = new Counter({
    name: 'product_pictures_total',
    help: 'Pictures of products fetched, by result',
    labelNames: ['result'],
    registers: [registry],
  });
  const destinations = new Counter({
    name: 'destination_checks_total',
    help: 'Destinations of products checked, by outcome',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const pictureDeps = { db, fetch, onResult: (result: string) => pictures.inc({ result }) };
  const checkDeps = { db, fetch, now, onResult: (outcome: string) => destinations.inc({ outcome }) };
  return [
    { name: 'fetch_pictures', everyMs: 5 * SECOND_MS, run: (signal) => fetchDuePictures(pictureDeps, signal) },
    { name: 'renew_destination_list', everyMs: 600 * SECOND_MS, run: () => renewDestinationList(db) },
    {
      name: 'check_destinations',
      everyMs: 10 * SECOND_MS,
      run: (signal) => checkDueDestinations(checkDeps, signal),
      readBacklog: readDueDestinations,
    },
  ];
}
