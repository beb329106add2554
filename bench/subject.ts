/**
 * The contract between `main.ts` and the subjects. A subject is a folder with a `run.ts` that exports
 * `run(options: SubjectOptions): Promise<SubjectResult>`; both sides of every ratio are measured in that one call, on this machine.
 */

export interface SubjectOptions {
  /** Interleaved rounds; figures are medians over them. */
  rounds: number;
  /** A look in a minute or so instead of figures to publish. */
  quick: boolean;
  /** The lengths the goals ask for where they are too long for every day, such as an outage of ten minutes. */
  full?: boolean;
  /** Another checkout of daihuo, measured beside this one in the same rounds. */
  compareWith?: string;
  /** Held exclusively (flock) during each measurement, so that several people can share one machine. */
  lockFile?: string;
}

export interface Ratio {
  name: string;
  /** Ours divided by the other side, unless the name says otherwise. NaN: could not be measured. */
  value: number;
  must?: number;
  aim?: number;
  betterIs: 'higher' | 'lower';
}

export interface SubjectResult {
  /** The folder's name. */
  subject: string;
  title: string;
  columns: string[];
  /** Numbers are aligned to the right and printed as they are: round them to what was measured. */
  rows: (string | number)[][];
  ratios: Ratio[];
  /** How it was measured, and whatever a reader must know to believe it. One sentence or two each. */
  notes: string[];
}

export type RunSubject = (options: SubjectOptions) => Promise<SubjectResult>;

/** A check that has to hold did not: the figures of this run mean nothing. Ends the bench with exit code 1. */
export class BenchFault extends Error {
  override name = 'BenchFault';
}
