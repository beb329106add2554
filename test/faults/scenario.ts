import type { EventLog } from './event-log.ts';
import type { Sales } from './driver/sales.ts';
import type { Visits } from './driver/visits.ts';
import type { Site, SiteOptions } from './site.ts';

export type Figures = Record<string, string | number>;

/** One fault, done to a whole installation under load. */
export interface Scenario {
  /** Of the fault plan: `F1`. */
  fault: string;
  /** In words, with its numbers: `kill -9 app ×20`. */
  name: string;
  /** The whole of it, drain and proofs included; a scenario that takes longer has failed. */
  limitMs: number;
  site?: SiteOptions;
  load?: {
    /** 300 where it is left out. */
    visitsPerSecond?: number;
    /** A balancer that looks at /readyz stands between visitors and apps. */
    asksReadiness?: boolean;
    messagesPerSecond?: number;
    /** 40 where it is left out; 0: no shop tells of anything. */
    orders?: number;
  };
  /** How long the backlog may take once everything is well again; two minutes where it is left out. */
  drainWithinMs?: number;
  /** The drain lasts until Postgres knows that no spool holds anything. */
  awaitsSpoolRows?: boolean;
  /** The fault deletes stream entries on purpose. */
  mayVanish?: boolean;
  /** What is promised does not cover this fault: lost clicks are counted and published, and do not fail the scenario. */
  mayLose?: boolean;
  /** Why this machine cannot do it; undefined where it can. */
  obstacle?: () => Promise<string | undefined>;
  /** Before anything of daihuo runs. */
  prepare?: (site: Site) => Promise<void>;
  /** The fault. Whatever it leaves broken is healed afterwards. */
  steps: (run: Run) => Promise<void>;
  /** After everything else, also where the scenario failed. */
  cleanUp?: (site: Site) => Promise<void>;
}

/** What the steps of a scenario have in hand. */
export interface Run {
  site: Site;
  visits: Visits;
  sales: Sales;
  log: EventLog;
  random: (below: number) => number;
  /** Aborted when the scenario must end. */
  signal: AbortSignal;
  /** Clicks that the fault itself deleted before a worker had them; those alone may be missing. */
  excused: Set<string>;
  /** Click ids that were given out otherwise than to the visitors. */
  handedOut: string[];
  /** Shown in the report. */
  figures: Figures;
  /** Rejects when the scenario must end. */
  sleep: (ms: number) => Promise<void>;
  /** What does not hold fails the scenario, which goes on. */
  expect: (isSo: boolean, otherwise: string) => void;
}

/** Of one scenario; plain data, so that an interrupted run can go on later. */
export type Outcome = { fault: string; name: string } & (
  | { result: 'passed' | 'failed'; tookMs: number; faults: string[]; figures: Figures }
  | { result: 'not run'; reason: string }
);
