import type { SpoolBacklog } from './metrics.ts';

/** One file of frames. Only the open segment of the writer grows. */
export interface Segment {
  readonly path: string;
  /** The folder of the file. */
  readonly spoolId: string;
  readonly beganAtMs: number;
  bytes: number;
  clicks: number;
  /** Time of the oldest click, ms; Infinity while it holds none. */
  oldestMs: number;
  isSealed: boolean;
  /** Every byte before this offset is known to be on disk; undefined for a segment of a dead owner. */
  syncedBytes?: number;
  /** Kept open when the file was removed while it was written: the only access to its clicks. */
  fd?: number;
  /** Latest pause after it could not be read, ms. */
  restMs?: number;
  /** End of that pause, on the clock of `performance.now()`. */
  restUntilMs?: number;
}

/** Clicks that were appended to the streams and may not be stored yet. */
export interface SentClicks {
  oldestMs: number;
  /** Time of their latest stream entry, ms. */
  sentAtMs: number;
}

export interface IndexedFolder {
  readonly id: string;
  readonly path: string;
  /** True for a folder that this process does not write to; it is removed once it is empty. */
  isAdopted: boolean;
  /** False while its segments are being surveyed. */
  isKnown: boolean;
  readonly segments: Set<Segment>;
  sent: SentClicks[];
  /** Its row in click_spools as this process wrote it; `atMs` on the clock of `performance.now()`. Undefined: this process wrote none. */
  published: PublishedRow | undefined;
}

export interface PublishedRow {
  oldestMs: number;
  /** Undefined while there are clicks on disk. */
  sentAtMs: number | undefined;
  atMs: number;
}

/** Index of what this process holds on disk: its own folder, and those of dead processes that it adopted. */
export class SpoolIndex {
  readonly #folders = new Map<string, IndexedFolder>();
  #clicks = 0;
  #bytes = 0;

  /** Bytes of frames that are kept and not drained. */
  get bytes(): number {
    return this.#bytes;
  }

  folders(): IndexedFolder[] {
    return [...this.#folders.values()];
  }

  addFolder(folder: Pick<IndexedFolder, 'id' | 'path' | 'isAdopted'>): IndexedFolder {
    const held: IndexedFolder = {
      ...folder,
      isKnown: !folder.isAdopted,
      segments: new Set<Segment>(),
      sent: [],
      published: undefined,
    };
    this.#folders.set(folder.id, held);
    return held;
  }

  /** Forgets a folder with all its segments. */
  removeFolder(id: string): void {
    for (const segment of this.#folders.get(id)?.segments ?? []) this.removeSegment(segment);
    this.#folders.delete(id);
  }

  addSegment(segment: Segment): void {
    this.#folders.get(segment.spoolId)?.segments.add(segment);
    this.#clicks += segment.clicks;
    this.#bytes += segment.bytes;
  }

  grow(segment: Segment, by: { clicks: number; bytes: number; oldestMs: number }): void {
    if (this.#folders.get(segment.spoolId)?.segments.has(segment) !== true) return;
    segment.clicks += by.clicks;
    segment.bytes += by.bytes;
    segment.oldestMs = Math.min(segment.oldestMs, by.oldestMs);
    this.#clicks += by.clicks;
    this.#bytes += by.bytes;
  }

  removeSegment(segment: Segment): void {
    if (this.#folders.get(segment.spoolId)?.segments.delete(segment) !== true) return;
    this.#clicks -= segment.clicks;
    this.#bytes -= segment.bytes;
  }

  /** Moves a segment whose clicks are all in the streams from kept to sent. */
  markSent(segment: Segment, sentAtMs: number): void {
    this.removeSegment(segment);
    if (Number.isFinite(segment.oldestMs)) {
      this.#folders.get(segment.spoolId)?.sent.push({ oldestMs: segment.oldestMs, sentAtMs });
    }
  }

  /** Forgets sent clicks that are stored: all that were sent up to this instant. */
  confirm(storedBeforeMs: number): void {
    for (const folder of this.#folders.values()) {
      folder.sent = folder.sent.filter(({ sentAtMs }) => sentAtMs > storedBeforeMs);
    }
  }

  /** The oldest segment that is sealed and does not rest. */
  oldestSealed(): Segment | undefined {
    const nowMs = performance.now();
    let oldest: Segment | undefined;
    for (const { segments } of this.#folders.values()) {
      for (const segment of segments) {
        if (!segment.isSealed || (segment.restUntilMs ?? 0) > nowMs) continue;
        if (oldest === undefined || segment.beganAtMs < oldest.beganAtMs) oldest = segment;
      }
    }
    return oldest;
  }

  backlog(): SpoolBacklog {
    let oldestMs = Infinity;
    for (const { segments } of this.#folders.values()) {
      for (const segment of segments) oldestMs = Math.min(oldestMs, segment.oldestMs);
    }
    const oldestAt = Number.isFinite(oldestMs) ? new Date(oldestMs) : undefined;
    return { clicks: this.#clicks, bytes: this.#bytes, oldestAt };
  }
}
