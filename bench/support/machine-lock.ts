import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs `work` while holding an exclusive flock of `file`; without a file at once. For machines on which others measure or test as well:
 * whoever holds the same file shared or exclusively does not run at the same time.
 *
 * @throws Error where `flock` (util-linux) is missing or fails
 */
export async function withMachineLock<T>(file: string | undefined, work: () => Promise<T>): Promise<T> {
  if (file === undefined) return work();
  // The child holds the lock until its standard input ends, which it does however this process ends.
  const holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo held; cat > /dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  const [first] = await Promise.race([once(holder.stdout, 'data'), ended]);
  if (!Buffer.isBuffer(first)) throw new Error(`flock could not lock ${file}`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
