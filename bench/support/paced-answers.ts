import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { BenchFault } from '../subject.ts';
import { NODE, startProgram } from './program.ts';
import { makeScratch } from './scratch.ts';

export interface PacedLoad {
  origin: string;
  visitsFile: string;
  answersFile: string;
  perSecond: number;
  /** Requests. */
  total: number;
  /** At most so many at a moment; a request that is due and finds none free waits, and its waiting counts. */
  connections: number;
}

export interface Answer {
  /** When it should have been sent, milliseconds since 1970. */
  dueMs: number;
  /** From then until its head was read. */
  latencyMs: number;
  /** `tracked`: 302 with a click id. `untracked`: 302 without. `refused`: another status. `failed`: no answer. */
  outcome: 'tracked' | 'untracked' | 'refused' | 'failed';
  clickId: string;
  /** The status, or the error's code. */
  detail: string;
}

export interface RunningLoad {
  /** Milliseconds since 1970. */
  startedAtMs: number;
  /** Waits for the last answer and reads them all. */
  answers(): Promise<Answer[]>;
}

function parseAnswer(line: string): Answer {
  const [due = '', latency = '', status = '', rest = ''] = line.split(' ');
  const common = { dueMs: Number(due), latencyMs: Number(latency) };
  if (status === 'failed') return { ...common, outcome: 'failed', clickId: '', detail: rest };
  if (status !== '302') return { ...common, outcome: 'refused', clickId: '', detail: status };
  return { ...common, outcome: rest === '' ? 'untracked' : 'tracked', clickId: rest, detail: status };
}

async function readAnswers(file: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) answers.push(parseAnswer(line));
  return answers;
}

/** Starts `paced-load.ts`. */
export async function startPacedLoad(load: Omit<PacedLoad, 'answersFile'>): Promise<RunningLoad> {
  const { folder, remove } = await makeScratch('answers');
  const answersFile = path.join(folder, 'answers.txt');
  const argument = JSON.stringify({ ...load, answersFile } satisfies PacedLoad);
  const program = startProgram([NODE, path.join(import.meta.dirname, 'paced-load.ts'), argument], { core: 'pacer' });
  await program.line(/^started/);
  const startedAtMs = Date.now();
  return {
    startedAtMs,
    answers: async () => {
      if ((await program.ended) !== 0) throw new BenchFault(`the load failed:\n${program.output()}`);
      const answers = await readAnswers(answersFile);
      await remove();
      if (answers.length !== load.total) throw new BenchFault(`${answers.length} answers to ${load.total} requests`);
      return answers;
    },
  };
}
