import { afterEach, describe, expect, it, vi } from 'vitest';

import { PolledTable } from '../../src/links/polled-table.ts';
import { log } from './link-processes.ts';

const open: PolledTable<string>[] = [];
afterEach(() => {
  for (const table of open.splice(0)) table.stop();
});

/** A table whose reads are answered by the test, in any order. */
function heldTable({ everyMs = 10_000 }: { everyMs?: number } = {}) {
  const reads: { answer(value: string): void; fail(error: Error): void }[] = [];
  const table = new PolledTable<string>({
    name: 'a table',
    initial: 'initial',
    read: async () =>
      new Promise((resolve, reject) => {
        reads.push({ answer: resolve, fail: reject });
      }),
    log,
    everyMs,
  });
  open.push(table);
  return { table, reads };
}

describe('a polled table', () => {
  it('has its initial value until the first read succeeds, and keeps the last value when a read fails', async () => {
    const { table, reads } = heldTable({ everyMs: 1 });
    expect(table.current).toBe('initial');
    reads[0]?.fail(new Error('away'));
    await table.firstRead;
    expect(table.current).toBe('initial');
    await vi.waitFor(() => expect(reads).toHaveLength(2));
    reads[1]?.answer('one');
    await vi.waitFor(() => expect(table.current).toBe('one'));
    await vi.waitFor(() => expect(reads).toHaveLength(3));
    reads[2]?.fail(new Error('away'));
    await vi.waitFor(() => expect(reads).toHaveLength(4));
    expect(table.current).toBe('one');
  });

  it('read at once by a caller is not set back by a read that began before', async () => {
    const { table, reads } = heldTable();
    const refreshed = table.refresh();
    reads[1]?.answer('new');
    await refreshed;
    reads[0]?.answer('old');
    await table.firstRead;
    expect(table.current).toBe('new');
  });

  it('rejects where the read of a caller fails', async () => {
    const { table, reads } = heldTable();
    const refreshed = table.refresh();
    reads[1]?.fail(new Error('away'));
    await expect(refreshed).rejects.toThrow('away');
  });

  it('is read no more once it is stopped', async () => {
    const { table, reads } = heldTable({ everyMs: 1 });
    table.stop();
    reads[0]?.answer('one');
    await table.firstRead;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reads).toHaveLength(1);
    expect(table.current).toBe('one');
  });
});
