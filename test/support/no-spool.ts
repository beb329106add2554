import type { ClickSpool } from '../../src/clicks/capture/click-batcher.ts';

/** Keeps nothing: what Redis does not take is lost, and its visitors are sent on untracked. */
export const NO_SPOOL: ClickSpool = { append: (_shard, _line, done) => done(false) };
