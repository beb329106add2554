import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVisitorHash, decideRepeats, digestAgent, visitorKeyText } from '../../../src/core/clicks/click.ts';
import type { Click } from '../../../src/core/clicks/click.ts';
import { VERDICTS, type Verdict } from '../../../src/core/vocabulary.ts';

const NOON_MS = Date.UTC(2026, 10, 22, 4);

function click(clickId: string, offsetMs: number, change: Partial<Click> = {}): Click {
  return {
    clickId,
    clickedAt: new Date(NOON_MS + offsetMs),
    linkNumber: 1,
    verdict: 'counted',
    visitor: 'aaaaaaaaaaaaaaaa',
    app: 'douyin',
    os: 'ios',
    ...change,
  };
}

/** `id verdict` of each decided click. */
function decide(batch: Click[], stored: Click[] = []): string[] {
  return decideRepeats(batch, stored).map(({ clickId, verdict }) => `${clickId} ${verdict}`);
}

describe('decideRepeats', () => {
  it.each([
    [0, 'repeat'],
    [9_999, 'repeat'],
    [10_000, 'repeat'],
    [10_001, 'counted'],
    [-10_000, 'repeat'],
    [-10_001, 'counted'],
  ])('a click %i ms after a stored counted one is %s', (offsetMs, verdict) => {
    expect(decide([click('b', offsetMs)], [click('a', 0)])).toEqual([`b ${verdict}`]);
  });

  it.each([
    [10_000, 'repeat'],
    [10_001, 'counted'],
  ])('a click %i ms after a counted one of its own batch is %s', (offsetMs, verdict) => {
    expect(decide([click('b', offsetMs), click('a', 0)])).toEqual(['a counted', `b ${verdict}`]);
  });

  it('lets a repeat start no window of its own', () => {
    const batch = [0, 6_000, 12_000, 18_000, 24_000].map((offsetMs, i) => click(`c${i}`, offsetMs));
    expect(decide(batch)).toEqual(['c0 counted', 'c1 repeat', 'c2 counted', 'c3 repeat', 'c4 counted']);
    expect(decide([click('b', 15_000)], [click('a', 10_000, { verdict: 'repeat' })])).toEqual(['b counted']);
  });

  it('keeps visitors and links apart', () => {
    const batch = [click('b', 1, { visitor: 'bbbbbbbbbbbbbbbb' }), click('c', 2, { linkNumber: 2 }), click('d', 3)];
    expect(decide(batch, [click('a', 0)])).toEqual(['b counted', 'c counted', 'd repeat']);
  });

  it('leaves every other verdict as it is, and lets none but a counted click make a repeat', () => {
    for (const verdict of VERDICTS.filter((name) => name !== 'counted')) {
      expect(decide([click('b', 1, { verdict })], [click('a', 0)])).toEqual([`b ${verdict}`]);
      expect(decide([click('b', 1)], [click('a', 0, { verdict })])).toEqual(['b counted']);
      expect(decide([click('a', 0, { verdict }), click('b', 1)])).toEqual([`a ${verdict}`, 'b counted']);
    }
  });

  // A worker that died between COMMIT and XACK gets its batch again; a second decision must not turn a counted click into a repeat.
  it('keeps what a stored click has, however often it is delivered', () => {
    const batch = [click('a', 0), click('b', 5_000), click('c', 20_000, { verdict: 'bot' })];
    const first = decideRepeats(batch, []);
    expect(decideRepeats(batch, first)).toEqual(first);
    expect(decide([click('b', 5_000)], [click('b', 5_000)])).toEqual(['b counted']);
    expect(decide([click('a', 0), click('a', 0), click('b', 1)])).toEqual(['a counted', 'b repeat']);
  });

  it('breaks a tie in time by click id', () => {
    expect(decide([click('b', 0), click('a', 0), click('B', 0)])).toEqual(['B counted', 'a repeat', 'b repeat']);
  });

  const batches = fc.array(
    fc.record({
      offsetMs: fc.integer({ min: 0, max: 60_000 }),
      visitor: fc.constantFrom('aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'),
      linkNumber: fc.constantFrom(1, 2),
      verdict: fc.constantFrom<Verdict>('counted', 'counted', 'counted', 'bot', 'head'),
    }),
    { maxLength: 40 },
  );

  it('decides alike in whatever order and however often clicks stand in a batch, and leaves counted clicks a window apart', () => {
    fc.assert(
      fc.property(batches, fc.infiniteStream(fc.nat()), (records, numbers) => {
        const batch = records.map(({ offsetMs, ...rest }, i) =>
          click(`c${String(i).padStart(2, '0')}`, offsetMs, rest),
        );
        const keyed = [...batch, ...batch].map((each) => ({ each, order: numbers.next().value }));
        const shuffled = keyed.toSorted((a, b) => a.order - b.order).map(({ each }) => each);
        const decided = decideRepeats(batch, []);
        expect(decideRepeats(shuffled, [])).toEqual(decided);
        expect(decided).toHaveLength(batch.length);
        const counted = decided.filter(({ verdict }) => verdict === 'counted');
        for (const [i, a] of counted.entries()) {
          for (const b of counted.slice(i + 1)) {
            const isSame = a.visitor === b.visitor && a.linkNumber === b.linkNumber;
            expect(isSame && b.clickedAt.getTime() - a.clickedAt.getTime() <= 10_000).toBe(false);
          }
        }
      }),
    );
  });
});

describe('visitorKeyText', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:CB00:7109', '203.0.113.9'],
    ['0:0:0:0:0:ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.9', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
  ])('places %s in %s', (address, network) => {
    expect(visitorKeyText({ address, agentDigest: 'UA' })).toBe(`${network}\nUA`);
  });

  it.each([
    '',
    'unknown',
    '1::2::3',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    ':::',
    'g::1',
    '12345::1',
    '::999.1.1.1',
  ])('keeps %j, which is no address, as it is', (address) => {
    expect(visitorKeyText({ address, agentDigest: 'UA' })).toBe(`${address}\nUA`);
  });

  const anyCharacter = fc.nat(0x10ffff).map((codePoint) => String.fromCodePoint(codePoint));

  it('never throws, is bounded, and gives all addresses of one /64 the same text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(anyCharacter, fc.constantFrom(':', 'f', '0', '.', '%')) }),
        fc.ipV6(),
        fc.ipV4(),
        (address, ipV6, ipV4) => {
          expect(visitorKeyText({ address, agentDigest: digestAgent('x'.repeat(9_999)) }).length).toBeLessThanOrEqual(
            45 + 1 + 16,
          );
          expect(visitorKeyText({ address: ipV6, agentDigest: '' })).toMatch(
            /^([0-9a-f]{1,4}(:[0-9a-f]{1,4}){3}::\/64|\d+(\.\d+){3})\n$/,
          );
          expect(visitorKeyText({ address: `::ffff:${ipV4}`, agentDigest: '' })).toBe(`${ipV4}\n`);
        },
      ),
    );
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, groups, (a, b) => {
        const head = [0x2001, ...a.slice(1, 4)];
        const [first, second] = [a, b].map((each) => [...head, ...each.slice(4)].map((n) => n.toString(16)).join(':'));
        const [firstText, secondText] = [first, second].map((address = '') =>
          visitorKeyText({ address, agentDigest: '' }),
        );
        expect(firstText).toBe(secondText);
      }),
    );
  });
});

describe('createVisitorHash', () => {
  const hash = createVisitorHash(Buffer.alloc(16, 1));

  it('gives one visitor the same 16 characters all day, whichever form the address has', () => {
    expect(hash({ address: '203.0.113.9', agentDigest: 'UA' })).toMatch(/^[0-9a-f]{16}$/);
    expect(hash({ address: '::ffff:203.0.113.9', agentDigest: 'UA' })).toBe(
      hash({ address: '203.0.113.9', agentDigest: 'UA' }),
    );
    expect(hash({ address: '2001:db8::1', agentDigest: 'UA' })).toBe(
      hash({ address: '2001:db8::2', agentDigest: 'UA' }),
    );
  });

  it('tells addresses, user agents and days apart', () => {
    const nextDay = createVisitorHash(Buffer.alloc(16, 2));
    const hashes = [
      hash({ address: '203.0.113.9', agentDigest: 'UA' }),
      hash({ address: '203.0.113.8', agentDigest: 'UA' }),
      hash({ address: '203.0.113.9', agentDigest: 'UB' }),
      hash({ address: '203.0.113.9', agentDigest: '' }),
      hash({ address: '2001:db8:0:1::1', agentDigest: 'UA' }),
      hash({ address: '2001:db8:0:2::1', agentDigest: 'UA' }),
      nextDay({ address: '203.0.113.9', agentDigest: 'UA' }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('takes the longest and strangest input without failing', () => {
    const longest = hash({ address: '漢'.repeat(500), agentDigest: digestAgent('漢'.repeat(50_000)) });
    expect(longest).toMatch(/^[0-9a-f]{16}$/);
    expect(hash({ address: '漢'.repeat(45), agentDigest: digestAgent('漢'.repeat(512)) })).toBe(longest);
    expect(hash({ address: '漢'.repeat(45), agentDigest: digestAgent('漢'.repeat(511)) })).not.toBe(longest);
  });
});

describe('digestAgent', () => {
  it('is short, and tells user agents apart by their first 512 characters', () => {
    const agents = ['', 'UA', 'UB', 'u', 'x'.repeat(511), 'x'.repeat(512)];
    const digests = agents.map(digestAgent);
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set(digests).size).toBe(agents.length);
    expect(digestAgent('x'.repeat(9_999))).toBe(digestAgent('x'.repeat(512)));
  });
});
