import { readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import type { Site } from '../site.ts';

/** By the beginning of its line: after a line end, before a tab. */
const CLICK_ID = /(?<=\n)[A-Za-z0-9_-]{38}(?=\t)/g;

/** Every click id that stands in the bytes of a segment. */
export function clickIdsIn(bytes: Buffer): string[] {
  return bytes.toString('latin1').match(CLICK_ID) ?? [];
}

/** The segments of all spools of a site. */
export async function segmentFiles(site: Site): Promise<string[]> {
  const names = await readdir(site.spoolFolder, { recursive: true });
  return names.filter((name) => name.endsWith('.spool')).map((name) => path.join(site.spoolFolder, name));
}

/** The files that a process holds open, by their paths. */
export async function openFiles(pid: number | undefined): Promise<Set<string>> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.allSettled((await readdir(folder)).map(async (fd) => readlink(path.join(folder, fd))));
  return new Set(links.flatMap((link) => (link.status === 'fulfilled' ? [link.value] : [])));
}
