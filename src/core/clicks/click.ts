/** Clicks: the facts kept of a request through a link, whether it counts, and the keyed hash that stands for the visitor. */
import { createSipHash, SIPHASH_BYTES, SIPHASH_KEY_BYTES } from './siphash.ts';

/**
 * Whether a click counts, and if not, why. `head`, `prefetch`, `preview`, `bot`, `scanner` are known from the request; other clicks are
 * `counted`. The worker decides `repeat` when it stores the click; the redirect decides `inactive`: a person's visit to a link that was paused
 * or gone. Clicks with any verdict are stored; only `counted` ones count.
 */
export const VERDICTS = ['counted', 'repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner', 'inactive'] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Click {
  clickId: string;
  clickedAt: Date;
  linkNumber: number;
  /** Name of the video, from `/:code/:tag`. */
  tag?: string;
  verdict: Verdict;
  /** Keyed hash of the visitor on that Shanghai day: 16 lower-case hex characters. */
  visitor: string;
  /** In-app browser or browser, a short word from this program; never the user agent. */
  app: string;
  os: string;
  province?: string;
  /** `page`: the visitor was shown the middle page; absent: redirected. */
  outcome?: 'page';
}

/** The fields of a stored click that the decision about repeats needs. */
export type StoredClick = Pick<Click, 'clickId' | 'clickedAt' | 'linkNumber' | 'verdict' | 'visitor'>;

export const REPEAT_WINDOW_MS = 10_000;

/**
 * Decides which clicks of a batch are repeats: a click that would count is a `repeat` if a counted click of the same visitor on the same link
 * lies at most `windowMs` away from it, before or after (a spooled click may arrive late). A repeat starts no new window, so a visitor who taps
 * all day counts again in every window.
 *
 * @param stored the stored clicks of these visitors and links within `windowMs` of the batch, and those with ids of the batch: a
 *   stored id keeps the verdict it has, so that a redelivered batch decides the same
 * @returns the batch by (clickedAt, clickId), each click id once, with final verdicts; the order of the input has no influence
 */
export function decideRepeats(
  batch: readonly Click[],
  stored: readonly StoredClick[],
  windowMs: number = REPEAT_WINDOW_MS,
): Click[] {
  const storedVerdicts = new Map(stored.map((click) => [click.clickId, click.verdict]));
  const countedAtMs = new Map<string, number[]>();
  for (const click of stored) {
    if (click.verdict === 'counted') countedOf(countedAtMs, click).push(click.clickedAt.getTime());
  }

  const decided = new Map<string, Click>();
  for (const click of batch.toSorted(byTimeThenId)) {
    if (decided.has(click.clickId)) continue;
    const storedVerdict = storedVerdicts.get(click.clickId);
    if (storedVerdict !== undefined) {
      decided.set(click.clickId, { ...click, verdict: storedVerdict });
    } else if (click.verdict === 'counted') {
      const atMs = click.clickedAt.getTime();
      const counted = countedOf(countedAtMs, click);
      const isRepeat = counted.some((countedMs) => Math.abs(atMs - countedMs) <= windowMs);
      if (!isRepeat) counted.push(atMs);
      decided.set(click.clickId, isRepeat ? { ...click, verdict: 'repeat' } : click);
    } else {
      decided.set(click.clickId, click);
    }
  }
  return [...decided.values()];
}

/** The times of the counted clicks of this click's visitor on its link. At most one for each window, so the list stays short. */
function countedOf(countedAtMs: Map<string, number[]>, { visitor, linkNumber }: StoredClick): number[] {
  const key = `${visitor} ${linkNumber}`;
  const times = countedAtMs.get(key) ?? [];
  if (times.length === 0) countedAtMs.set(key, times);
  return times;
}

/** Compares ids by code unit, never by locale, so that every worker decides alike. */
function byTimeThenId(a: Click, b: Click): number {
  const differenceMs = a.clickedAt.getTime() - b.clickedAt.getTime();
  if (differenceMs !== 0) return differenceMs;
  if (a.clickId === b.clickId) return 0;
  return a.clickId < b.clickId ? -1 : 1;
}

/** Of longer user agents only the beginning is hashed: it distinguishes browsers, and the work stays bounded. */
const MAX_USER_AGENT_CHARACTERS = 512;
const MAX_ADDRESS_CHARACTERS = 45;
/** The digest has no secret key, so that callers may cache it. It hides nothing and need not: only keyed hashes are stored. */
const NO_KEY = new Uint8Array(SIPHASH_KEY_BYTES);
/** UTF-8 needs up to three bytes for a UTF-16 code unit. */
const MAX_UTF8_BYTES = 3;

/**
 * The digest of a user agent from which visitor hashes are made: 16 lower-case hex characters. User agents are long (Douyin's has 350
 * characters) and few, so a caller with many visits computes it once for each user agent.
 */
export function digestAgent(userAgent: string): string {
  const text = Buffer.from(userAgent.slice(0, MAX_USER_AGENT_CHARACTERS));
  const result = Buffer.alloc(SIPHASH_BYTES);
  createSipHash(NO_KEY)(text, 0, text.length, result, 0);
  return result.toString('hex');
}

/** The address from the connection or a trusted proxy, and the digest of the user agent. */
export interface VisitorTraits {
  address: string;
  agentDigest: string;
}

/**
 * Returns the function that makes the visitor hashes of a day: the same visitor gives the same text all day, and once the key is deleted the
 * hash can be neither computed nor reversed.
 *
 * @param dayKey 16 random bytes of one Shanghai day
 * @returns 16 lower-case hex characters
 */
export function createVisitorHash(dayKey: Uint8Array): (visitor: VisitorTraits) => string {
  const hash = createSipHash(dayKey);
  const result = Buffer.alloc(SIPHASH_BYTES);
  const text = Buffer.alloc((MAX_ADDRESS_CHARACTERS + 1 + 2 * SIPHASH_BYTES) * MAX_UTF8_BYTES);
  return (visitor) => {
    hash(text, 0, text.write(visitorKeyText(visitor)), result, 0);
    return result.toString('hex');
  };
}

/**
 * The text that identifies a visitor for a day: the IPv4 address, or the IPv6 /64 (a phone changes the other half by itself), and the user
 * agent. The text is never stored, only its keyed hash.
 *
 * IPv4-mapped addresses (`::ffff:1.2.3.4`, from a dual-stack socket) become their IPv4 address. A text that is no address (a closed socket has
 * none) is used as it is, bounded, so that no visitor is refused for it.
 */
export function visitorKeyText({ address, agentDigest }: VisitorTraits): string {
  return `${visitorNetwork(address)}\n${agentDigest}`;
}

const MAPPED_IPV4 = /^::ffff:(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;

function visitorNetwork(address: string): string {
  const bounded = address.slice(0, MAX_ADDRESS_CHARACTERS).toLowerCase();
  if (!bounded.includes(':')) return bounded;
  // The form in which a dual-stack socket gives nearly every IPv4 visitor: it needs no parsing.
  const mapped = MAPPED_IPV4.exec(bounded)?.[1];
  if (mapped !== undefined) return mapped;
  const groups = parseIpv6(bounded);
  if (groups === undefined) return bounded;
  const isMappedIpv4 = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMappedIpv4) {
    return groups
      .slice(6)
      .flatMap((group) => [group >>> 8, group & 0xff])
      .join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

const DOTTED_END = /(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function dottedToGroups(_: string, ...bytes: string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** The eight groups of an IPv6 address in any spelling, without its zone (`%eth0`); undefined for another text. */
function parseIpv6(address: string): number[] | undefined {
  const [plain = ''] = address.split('%');
  const hexOnly = plain.includes('.') ? plain.replace(DOTTED_END, dottedToGroups) : plain;
  const halves = hexOnly.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail] = halves;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...(tail ?? [])];
  return groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))
    ? groups.map((group) => parseInt(group, 16))
    : undefined;
}
