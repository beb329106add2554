import type { SpoolBacklog } from './metrics.ts';

/** One file of frames. Only the writer's own, while it is open, grows. */
export interface Segment {
  readonly path: string;
  /** The folder it lies in. */
  readonly spoolId: string;
  readonly beganAtMs: number;
  bytes: number;
  clicks: number;
  /** Infinity while it holds none. */
  oldestMs: number;
  isSealed: boolean;
  /** Up to here every byte is known to be on disk; unknown of a segment of a dead owner. */
  syncedBytes?: number;
  /** Kept open where somebody removed the file while it was written: the only way to what it holds. */
  fd?: number;
  /** How long it is left alone after it could not be read, ms. */
  restMs?: number;
  /** Until then, on the clock of `performance.now()`. */
  restUntilMs?: number;
}

/** Clicks that were handed to the streams and perhaps not stored yet. */
export interface SentClicks {
  oldestMs: number;
  /** Latest time of their stream entries, ms. */
  sentAtMs: number;
}

export interface IndexedFolder {
  readonly id: string;
  readonly path: string;
  /** Not the one this process writes to: once it is empty it is done with. */
  isAdopted: boolean;
  /** False while its segments are being looked through. */
  isKnown: boolean;
  readonly segments: Set<Segment>;
  sent: SentClicks[];
  /** What its row in click_spools says; `atMs` on the clock of `performance.now()`. Undefined: perhaps there is none. */
  published: PublishedRow | undefined;
}

export interface PublishedRow {
  oldestMs: number;
  /** Undefined as long as there are clicks on disk. */
  sentAtMs: number | undefined;
  atMs: number;
}

/** What this process holds on disk: its own folder, and those of dead processes that it took over. */
export class SpoolIndex {
  readonly #folders = new Map<string, IndexedFolder>();
  #clicks = 0;
  #bytes = 0;

  /** Kept and not drained, in bytes of frames. */
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

  /** Forgets a folder with all that is in it. */
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

  /** A segment whose clicks are all in the streams. */
  markSent(segment: Segment, sentAtMs: number): void {
    this.removeSegment(segment);
    if (Number.isFinite(segment.oldestMs)) {
      this.#folders.get(segment.spoolId)?.sent.push({ oldestMs: segment.oldestMs, sentAtMs });
    }
  }

  /** Everything sent before this instant is stored. */
  confirm(storedBeforeMs: number): void {
    for (const folder of this.#folders.values()) {
      folder.sent = folder.sent.filter(({ sentAtMs }) => sentAtMs > storedBeforeMs);
    }
  }

  /** The oldest segment that is complete and may be read now. */
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
