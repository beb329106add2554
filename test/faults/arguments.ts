export interface Options {
  /** Of the long tier; undefined: the push tier. */
  part: number | undefined;
  /** Names of faults; none: all of them. */
  only: string[];
  seed: number;
  resume: boolean;
  keep: boolean;
  help: boolean;
}

export type Arguments = { ok: true; options: Options } | { ok: false; sentence: string };

export const HELP = `node test/faults/main.ts [options]

Without options: the push tier, the common faults, within ten minutes.
  --part N      one part of the long tier, up to 40 minutes; its results are added to docs/reliability.md
  --resume      goes on behind the last finished scenario of that part
  --only F1,F3  these faults alone; nothing is added to the document
  --seed N      the workload and the faults of that seed again
  --keep        leaves the temporary folder, with all data and logs, where it is`;

const SEEDS = 1_000_000_007;

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Reads the command line. @param parts  the parts of the long tier */
export function readArguments(words: readonly string[], parts: readonly number[]): Arguments {
  const seed = Date.now() % SEEDS;
  const options: Options = { part: undefined, only: [], seed, resume: false, keep: false, help: false };
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--resume' || word === '--keep' || word === '--help') {
      options[word.slice(2) as 'resume' | 'keep' | 'help'] = true;
    } else if (word === '--only') {
      index += 1;
      options.only = (words[index] ?? '').toUpperCase().split(',');
    } else if (word === '--part' || word === '--seed') {
      index += 1;
      const number = wholeNumber(words[index]);
      if (number === undefined) return { ok: false, sentence: `${word} needs a whole number.` };
      options[word.slice(2) as 'part' | 'seed'] = number;
    } else {
      return { ok: false, sentence: `There is no option ${word}.\n\n${HELP}` };
    }
  }
  if (options.part !== undefined && !parts.includes(options.part)) {
    return { ok: false, sentence: `The long tier has the parts ${parts.join(', ')}.` };
  }
  if (options.resume && options.part === undefined) return { ok: false, sentence: '--resume goes with --part.' };
  return { ok: true, options };
}
