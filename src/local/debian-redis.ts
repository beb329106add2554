import { existsSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import type { Environment } from '../infra/config.ts';
import { makeFolder } from './placement.ts';
import { runCommand } from './processes.ts';
import type { CommandResult } from './processes.ts';

/** A Redis or Valkey server: its program, and the folders of its shared libraries where these are not the system's. */
export interface RedisProgram {
  executable: string;
  libraryPath?: string;
}

export type UnpackResult = { ok: true; program: RedisProgram } | { ok: false; reason: string };

export interface UnpackOptions {
  cache: string;
  env: Environment;
  signal: AbortSignal;
  print: (sentence: string) => void;
}

const CANDIDATES = ['redis-server', 'valkey-server'];
const STEP_TIMEOUT_MS = 180_000;
/** Packages of the running system. A second C library beside the system's loader would crash every program that loads both. */
const NEVER_UNPACKED = /^(libc6|libc-bin|gcc-\d+-base|debconf|perl-base)$/;

function aptEnvironment(env: Environment): Environment {
  const proxies = Object.entries(env).filter(([name]) => /^(https?|no|all)_proxy$/i.test(name));
  return {
    PATH: env['PATH'] ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
    ...Object.fromEntries(proxies),
  };
}

/** Private lists and cache, no hooks, no change of user: so apt needs no root and changes nothing of the system. */
async function writeAptConfig(folder: string): Promise<string> {
  await mkdir(path.join(folder, 'lists', 'partial'), { recursive: true });
  await mkdir(path.join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  const file = path.join(folder, 'apt.conf');
  const lines = [
    `Dir::State::Lists "${path.join(folder, 'lists')}";`,
    `Dir::Cache "${path.join(folder, 'cache')}";`,
    'Debug::NoLocking "true";',
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

/** Packages as `name=version` that an installation would add to this system: the candidate and the missing libraries. */
function readPlan(stdout: string): string[] {
  const planned = stdout.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+)/gm);
  return [...planned]
    .filter(([, name = '']) => !NEVER_UNPACKED.test(name))
    .map(([, name, version]) => `${name}=${version}`);
}

function lastLine(result: CommandResult): string {
  return (result.stderr.trim() || result.stdout.trim()).split('\n').at(-1) ?? '';
}

/**
 * Downloads `candidate` and its missing libraries, which apt checks against the distribution's signed lists, and unpacks them into `root`.
 *
 * @returns the reason of a failure; undefined on success
 */
async function downloadAndUnpack(
  candidate: string,
  folder: string,
  root: string,
  options: UnpackOptions,
): Promise<string | undefined> {
  const run = async (file: string, args: string[], cwd: string) =>
    runCommand(file, args, {
      env: aptEnvironment(options.env),
      timeoutMs: STEP_TIMEOUT_MS,
      cwd,
      signal: options.signal,
    });
  const config = path.join(folder, 'apt.conf');
  const plan = await run(
    'apt-get',
    ['-c', config, '--simulate', '--no-install-recommends', 'install', candidate],
    folder,
  );
  const packages = readPlan(plan.stdout);
  if (plan.code !== 0 || packages.length === 0)
    return `apt knows no package ${candidate} to unpack (${lastLine(plan)})`;
  const debs = path.join(folder, 'debs');
  await mkdir(debs, { recursive: true });
  const download = await run('apt-get', ['-c', config, '--quiet', 'download', ...packages], debs);
  if (download.code !== 0) return `downloading ${candidate} failed (${lastLine(download)})`;
  for (const deb of await readdir(debs)) {
    const unpacked = await run('dpkg', ['-x', path.join(debs, deb), root], folder);
    if (unpacked.code !== 0) return `unpacking ${deb} failed (${lastLine(unpacked)})`;
  }
  return undefined;
}

/** The server in an unpacked tree. The file is often a link to `redis-check-rdb`, and the link may hold a path from the root of the system. */
async function findServer(root: string): Promise<string | undefined> {
  for (const name of CANDIDATES) {
    const file = path.join(root, 'usr', 'bin', name);
    const isLink = await lstat(file).then(
      (stats) => stats.isSymbolicLink(),
      () => undefined,
    );
    if (isLink === undefined) continue;
    const target = isLink ? path.join(path.dirname(file), path.basename(await readlink(file))) : file;
    if (existsSync(target)) return target;
  }
  return undefined;
}

async function findLibraryFolders(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const folders = entries
    .filter((entry) => !entry.isDirectory() && /\.so(\.|$)/.test(entry.name))
    .map((entry) => entry.parentPath);
  return [...new Set(folders)];
}

async function readTree(tree: string): Promise<RedisProgram | undefined> {
  const root = path.join(tree, 'root');
  const executable = await findServer(root);
  return executable === undefined ? undefined : { executable, libraryPath: (await findLibraryFolders(root)).join(':') };
}

async function buildTree(tree: string, options: UnpackOptions): Promise<string | undefined> {
  let draft: string;
  try {
    await makeFolder(options.cache, 0o755);
    draft = await mkdtemp(path.join(options.cache, '.unpack-'));
  } catch {
    return `${options.cache} cannot be written`;
  }
  try {
    await chmod(draft, 0o755);
    const root = path.join(draft, 'root');
    await makeFolder(root, 0o755);
    const config = await writeAptConfig(draft);
    // Ignore the exit code: one source that does not answer makes this fail although the others were read. The download decides.
    const env = aptEnvironment(options.env);
    await runCommand('apt-get', ['-c', config, '--quiet', 'update'], {
      env,
      timeoutMs: STEP_TIMEOUT_MS,
      signal: options.signal,
    });
    const reasons: string[] = [];
    for (const candidate of CANDIDATES) {
      const reason = await downloadAndUnpack(candidate, draft, root, options);
      if (reason === undefined) {
        for (const done of ['lists', 'cache', 'debs', 'apt.conf'])
          await rm(path.join(draft, done), { recursive: true, force: true });
        if (!existsSync(tree)) await rename(draft, tree);
        return undefined;
      }
      reasons.push(reason);
    }
    return reasons.join('; ');
  } catch (error) {
    if (options.signal.aborted) throw error;
    // Another start may have finished the same tree first.
    return existsSync(tree) ? undefined : String(error);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Downloads the distribution's own Redis (or Valkey) and unpacks it into `cache`. Installs nothing and needs no root. Takes about 4 s the
 * first time. Works on Debian and distributions derived from it.
 */
export async function unpackDebianRedis(options: UnpackOptions): Promise<UnpackResult> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const name = /^ID="?([a-z0-9._-]+)/m.exec(release)?.[1] ?? 'linux';
  const version = /^VERSION_ID="?([a-z0-9._-]+)/m.exec(release)?.[1] ?? 'rolling';
  const tree = path.join(options.cache, `redis-${name}-${version}-${process.arch}`);
  if (!existsSync(tree)) {
    options.print('Fetching Redis from the distribution, once. Nothing is installed.');
    const reason = await buildTree(tree, options);
    if (reason !== undefined) return { ok: false, reason };
  }
  const program = await readTree(await realpath(tree));
  return program === undefined
    ? { ok: false, reason: `${tree} holds no Redis; delete that folder and start again` }
    : { ok: true, program };
}
