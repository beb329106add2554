import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import type { Logger } from 'pino';

import { createSpoolMetrics } from '../../../src/clicks/spool/metrics.ts';
import type { SpoolMetrics } from '../../../src/clicks/spool/metrics.ts';
import { readSegment } from '../../../src/clicks/spool/segment-reader.ts';
import { openSpool } from '../../../src/clicks/spool/spool.ts';
import type { DrainableSpool, Spool, SpoolDeps } from '../../../src/clicks/spool/spool.ts';
import { createClickIdMint } from '../../../src/core/clicks/click-id.ts';
import { encodeClickLine } from '../../../src/clicks/click-batch.ts';
import type { SpoolGap } from '../../../src/clicks/spool/frame.ts';
import { createMetricsRegistry } from '../../../src/http/metrics.ts';
import type { MetricsRegistry } from '../../../src/http/metrics.ts';

const mint = createClickIdMint({ number: 1, key: Buffer.alloc(16, 1) });
let minted = 0;

/** A click as the redirect encodes it, with an id of its own. */
export function newLine(options?: { clickedAt?: Date; linkNumber?: number }): { clickId: string; line: string } {
  minted += 1;
  const { clickedAt = new Date(), linkNumber = 42 } = options ?? {};
  const random = Buffer.alloc(8);
  random.writeUInt32BE(process.pid);
  random.writeUInt32BE(minted, 4);
  const clickId = mint({ linkNumber, clickedAtMs: clickedAt.getTime(), random });
  const visitor = minted.toString(16).padStart(16, '0');
  const line = encodeClickLine({
    clickId,
    clickedAt,
    linkNumber,
    verdict: 'counted',
    visitor,
    app: 'douyin',
    os: 'ios',
  });
  return { clickId, line };
}

export const idOf = (line: string): string => line.slice(0, line.indexOf('\t'));
export const silent: Logger = pino({ level: 'silent' });

/** A log that keeps its lines. */
export function rememberingLog(): { log: Logger; lines: () => string[] } {
  const lines: string[] = [];
  return { log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }), lines: () => lines };
}

export interface SpoolRig {
  dir: string;
  spool: DrainableSpool;
  metrics: SpoolMetrics;
  registry: MetricsRegistry;
  /** The value of a metric as /metrics would show it; 0 where it was never counted. */
  metric: (name: string, labels?: string) => Promise<number>;
}

export function makeDir(): string {
  return mkdtempSync(path.join(tmpdir(), 'daihuo-spool-'));
}

export function removeDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** A spool in `dir`, a new folder of the system's by default. */
export async function openRig(options?: Partial<SpoolDeps>): Promise<SpoolRig> {
  const dir = options?.dir ?? makeDir();
  const registry = createMetricsRegistry();
  const metrics = createSpoolMetrics(registry);
  const spool = await openSpool({
    dir,
    maxBytes: 64 * 1024 * 1024,
    log: silent,
    now: () => new Date(),
    adoptEveryMs: 100,
    ...options,
    // The disk of a test machine is shared, and may take longer than a visitor would wait.
    limits: { withinMs: 5_000, ...options?.limits },
    metrics,
  });
  return {
    dir,
    spool,
    metrics,
    registry,
    metric: async (name, labels) => {
      const wanted = labels === undefined ? `${name} ` : `${name}{${labels}} `;
      const line = (await registry.metrics()).split('\n').find((each) => each.startsWith(wanted));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
  };
}

/** Resolves to what the spool answers. */
export async function keep(spool: Spool, line: string, shard = 0): Promise<boolean> {
  return new Promise((resolve) => {
    spool.append(shard, line, resolve);
  });
}

/** Keeps so many new clicks at once; the ids of those that were kept. */
export async function keepMany(spool: Spool, count: number, shard = 0): Promise<string[]> {
  const lines = Array.from({ length: count }, () => newLine());
  const kept = await Promise.all(lines.map(async ({ line }) => keep(spool, line, shard)));
  return lines.filter((_, index) => kept[index]).map(({ clickId }) => clickId);
}

/** Paths of the files and sockets below `dir` that end so. */
export function filesIn(dir: string, ending: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && entry.name.endsWith(ending))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** What a reader finds in a segment: the lines and the gaps. */
export async function scanFile(file: string): Promise<{ lines: string[]; gaps: SpoolGap[] }> {
  const found: { lines: string[]; gaps: SpoolGap[] } = { lines: [], gaps: [] };
  const segment = { path: file, spoolId: '', beganAtMs: 0, bytes: 0, clicks: 0, oldestMs: 0, isSealed: true };
  for await (const { frames, gaps } of readSegment(segment)) {
    for (const { text } of frames) found.lines.push(...text.toString().split('\n').slice(1));
    found.gaps.push(...gaps);
  }
  return found;
}

/** The click ids in all segments below `dir`. */
export async function idsOnDisk(dir: string): Promise<string[]> {
  const scans = await Promise.all(filesIn(dir, '.spool').map(scanFile));
  return scans.flatMap(({ lines }) => lines.map(idOf));
}
