import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SubjectResult } from '../subject.ts';
import type { Environment } from './environment.ts';
import { formatMarkdownTable, RATIO_COLUMNS, ratioRows } from './table.ts';

const BENCH = path.resolve(import.meta.dirname, '..');
const RESULTS = path.join(BENCH, 'RESULTS.md');

const HEAD = `# Results

Written by \`npm run bench\`, one section a subject, each with its own date, machine and command. Absolute figures belong to that machine; the
ratios travel. How to run and read it: [README.md](README.md).
`;

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function replaceFile(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, content);
  await rename(draft, file);
}

/** The section of one subject, as it stands in RESULTS.md. */
export function formatSection(result: SubjectResult, environment: Environment): string {
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`);
  const facts = [
    `- ${environment.date}, \`${environment.command}\``,
    `- ${environment.machine}, ${environment.kernel}. ${environment.pinning}`,
    `- ${versions.join(', ')}`,
  ];
  return [
    `## ${result.title}`,
    facts.join('\n'),
    formatMarkdownTable(result.columns, result.rows),
    ...(result.ratios.length === 0 ? [] : [formatMarkdownTable(RATIO_COLUMNS, ratioRows(result.ratios))]),
    ...(result.notes.length === 0 ? [] : [result.notes.map((note) => `- ${note}`).join('\n')]),
  ].join('\n\n');
}

/** The file with one section put in the place of the one before, or at the end. */
export function withSection(file: string, subject: string, section: string): string {
  const [begin, end] = [`<!-- ${subject} -->`, `<!-- end of ${subject} -->`];
  const block = `${begin}\n\n${section}\n\n${end}\n`;
  const [from, to] = [file.indexOf(begin), file.indexOf(end)];
  if (from < 0 || to < from) return `${file.trimEnd()}\n\n${block}`;
  return file.slice(0, from) + block + file.slice(to + end.length).replace(/^\n/, '');
}

/** Writes `bench/results/<subject>.json`, which stays on this machine, and the subject's section of `bench/RESULTS.md`. */
export async function writeReport(result: SubjectResult, environment: Environment): Promise<void> {
  const folder = path.join(BENCH, 'results');
  await mkdir(folder, { recursive: true });
  await replaceFile(
    path.join(folder, `${result.subject}.json`),
    `${JSON.stringify({ ...result, environment }, null, 2)}\n`,
  );
  const before = (await readIfThere(RESULTS)) ?? HEAD;
  await replaceFile(RESULTS, withSection(before, result.subject, formatSection(result, environment)));
}
