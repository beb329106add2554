/** A generator of HTTP load that costs little itself: bytes made beforehand, one request under way on each connection. */
import { connect, type Socket } from 'node:net';

export interface LoadResult {
  perSecond: number;
  answered: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers that were not 200. */
  refused: number;
  /** CPU of this process while it kept callers busy, µs an answer. */
  cpuMicros: number;
}

interface Counts {
  latenciesMs: number[];
  answered: number;
  refused: number;
}

const STATUS_OK = Buffer.from('HTTP/1.1 200');
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * Keeps `callers` connections busy for a time: each sends its next request when the one before was answered.
 *
 * @param next  the bytes of the next request
 */
export async function driveHttp(options: {
  port: number;
  callers: number;
  warmUpMs: number;
  measureMs: number;
  next: () => Buffer;
}): Promise<LoadResult> {
  const counts: Counts = { latenciesMs: [], answered: 0, refused: 0 };
  const before = process.cpuUsage();
  const startsAt = performance.now() + options.warmUpMs;
  const endsAt = startsAt + options.measureMs;
  const callers = Array.from({ length: options.callers }, async () => call(options, { counts, startsAt, endsAt }));
  await Promise.all(callers);
  return summary(counts, { measuredMs: options.measureMs, cpu: process.cpuUsage(before) });
}

/** What a run of measured calls comes to. */
export function summary(
  { latenciesMs, answered, refused }: Counts,
  { measuredMs, cpu }: { measuredMs: number; cpu: NodeJS.CpuUsage },
): LoadResult {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  const cpuMicros = (cpu.user + cpu.system) / answered;
  return {
    perSecond: sorted.length / (measuredMs / 1_000),
    answered,
    refused,
    cpuMicros,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

async function call(
  { port, next }: { port: number; next: () => Buffer },
  { counts, startsAt, endsAt }: { counts: Counts; startsAt: number; endsAt: number },
): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    let sentAt = 0;
    let pending: Buffer = Buffer.alloc(0);
    const send = (): void => {
      sentAt = performance.now();
      socket.write(next());
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      if (!isWholeAnswer(pending)) return;
      const now = performance.now();
      counts.answered += 1;
      if (!pending.subarray(0, STATUS_OK.length).equals(STATUS_OK)) counts.refused += 1;
      if (sentAt >= startsAt && now <= endsAt) counts.latenciesMs.push(now - sentAt);
      pending = Buffer.alloc(0);
      if (now < endsAt) send();
      else resolve();
    });
    socket.on('close', () => {
      reject(new Error('the server closed a connection'));
    });
  }).finally(() => close(socket));
}

function close(socket: Socket): void {
  socket.removeAllListeners('close');
  socket.destroy();
}

function isWholeAnswer(bytes: Buffer): boolean {
  const headEnds = bytes.indexOf(END_OF_HEAD);
  if (headEnds < 0) return false;
  const length = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, headEnds))?.[1];
  return length !== undefined && bytes.length >= headEnds + END_OF_HEAD.length + Number(length);
}
