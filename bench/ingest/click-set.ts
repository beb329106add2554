/** The clicks that both sides store: made once, the same for every round. */
import { encodeClickLine, joinClickLines } from '../../src/clicks/click-batch.ts';
import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import { REPEAT_WINDOW_MS } from '../../src/core/clicks/click.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import type { Link } from '../../test/support/promotion.ts';

export interface ClickSet {
  /** As a redirect sends them, in the order of time. */
  clicks: Click[];
  /** Click id → the verdict it must be stored with. */
  verdicts: Map<string, Click['verdict']>;
}

export interface ClickSetOptions {
  links: readonly Link[];
  clicks: number;
  /** `even`: every link alike. `hot`: four of five clicks on one link of a hundred, as when a video is shown to millions. */
  spread: 'even' | 'hot';
  startMs: number;
}

const VISITORS = 50_000;
const REPEAT_SHARE = 0.03;
const BOT_SHARE = 0.05;
const TAGGED_SHARE = 0.6;
/** 1,000 clicks a second. */
const MS_PER_CLICK = 1;
const CLICKS_PER_ENTRY = 32;
const DEVICES = [
  { app: 'douyin', os: 'ios' },
  { app: 'douyin', os: 'android' },
  { app: 'wechat', os: 'ios' },
  { app: 'wechat', os: 'android' },
  { app: 'weibo', os: 'android' },
  { app: 'safari', os: 'ios' },
  { app: 'chrome', os: 'windows' },
] as const;
const FIRST_DEVICE = DEVICES[0];

/** mulberry32: small, seeded, and good enough to spread clicks. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sixteen characters that look like a hash, so that visitors do not lie side by side in an index. */
function visitorOf(number: number): string {
  const high = Math.imul(number + 1, 0x9e3779b1) >>> 0;
  const low = Math.imul(number + 7, 0x85ebca6b) >>> 0;
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

export function createClickSet({ links, clicks: count, spread, startMs }: ClickSetOptions): ClickSet {
  const random = createRandom(20_261_122);
  const mint = createClickIdMint({ number: 1, key: Buffer.alloc(16, 7) });
  const randomPart = Buffer.alloc(8);
  const hotLinks = Math.max(1, Math.floor(links.length / 100));
  const clicks: Click[] = [];
  const verdicts = new Map<string, Click['verdict']>();
  const countedAtMs = new Map<string, number>();
  for (let at = 0; at < count; at += 1) {
    const clickedAtMs = startMs + at * MS_PER_CLICK;
    const earlier = random() < REPEAT_SHARE ? clicks[at - 1 - Math.floor(random() * 2_000)] : undefined;
    const isHot = spread === 'hot' && random() < 0.8;
    const link = links[Math.floor(random() * (isHot ? hotLinks : links.length))];
    const linkNumber = earlier?.linkNumber ?? link?.linkNumber ?? 1;
    const visitor = earlier?.visitor ?? visitorOf(Math.floor(random() * VISITORS));
    for (let i = 0; i < 8; i += 1) randomPart[i] = Math.floor(random() * 256);
    const isTagged = random() < TAGGED_SHARE;
    const click: Click = {
      clickId: mint({ linkNumber, clickedAtMs, random: randomPart }),
      clickedAt: new Date(clickedAtMs),
      linkNumber,
      verdict: earlier?.verdict ?? (random() < BOT_SHARE ? 'bot' : 'counted'),
      visitor,
      ...(DEVICES[Math.floor(random() * DEVICES.length)] ?? FIRST_DEVICE),
      ...(isTagged && { tag: `v${Math.floor(random() * 5)}` }),
    };
    clicks.push(click);
    verdicts.set(click.clickId, decide(click, countedAtMs));
  }
  return { clicks, verdicts };
}

/** The rule of repeats as a sentence says it, apart from the code that is measured: the clicks come in the order of time. */
function decide(
  { verdict, visitor, linkNumber, clickedAt }: Click,
  countedAtMs: Map<string, number>,
): Click['verdict'] {
  if (verdict !== 'counted') return verdict;
  const key = `${visitor} ${linkNumber}`;
  const lastMs = countedAtMs.get(key);
  if (lastMs !== undefined && clickedAt.getTime() - lastMs <= REPEAT_WINDOW_MS) return 'repeat';
  countedAtMs.set(key, clickedAt.getTime());
  return 'counted';
}

/** The texts of stream entries, 32 clicks each: what one redirect process makes at 64 connections. */
export function entriesOf(clicks: readonly Click[]): string[] {
  const lines = clicks.map(encodeClickLine);
  return Array.from({ length: Math.ceil(lines.length / CLICKS_PER_ENTRY) }, (_, entry) =>
    joinClickLines(lines.slice(entry * CLICKS_PER_ENTRY, (entry + 1) * CLICKS_PER_ENTRY)),
  );
}

/** The columns of `copyTextOf`. */
export const COPY_COLUMNS =
  'click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor, app, os';

/** The finished rows in the text format of COPY. */
export function copyTextOf({ clicks, verdicts }: ClickSet, links: readonly Link[]): string {
  const linkOf = new Map(links.map((link) => [link.linkNumber, link]));
  const rows = clicks.map((click) => {
    const link = linkOf.get(click.linkNumber);
    return [
      click.clickId,
      click.clickedAt.toISOString(),
      click.linkNumber,
      link?.brandId,
      link?.linkId,
      link?.productId,
      link?.influencerId,
      click.tag ?? String.raw`\N`,
      verdicts.get(click.clickId),
      String.raw`\\x${click.visitor}`,
      click.app,
      click.os,
    ].join('\t');
  });
  return `${rows.join('\n')}\n`;
}
