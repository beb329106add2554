/** Any facts a line may come with, drawn around every boundary of the rules. */
import * as fc from 'fast-check';
import type { AttributionFacts, ClickFact, LinkFact } from '../../../src/core/attribution/facts.ts';
import type { Verdict } from '../../../src/core/vocabulary.ts';
import { CLICK_ID, DAY_MS, SECOND_MS, before, facts, link, slot } from './attribution-builders.ts';

const influencers = ['a', 'b', 'c'];
const pick = fc.constantFrom(...influencers);
/** Around every boundary of the rules, on both sides. */
const beforeMs = fc
  .tuple(
    fc.constantFrom(
      -120 * SECOND_MS,
      -10 * SECOND_MS,
      0,
      120 * SECOND_MS,
      DAY_MS,
      3 * DAY_MS,
      15 * DAY_MS,
      90 * DAY_MS,
    ),
    fc.integer({ min: -2, max: 2 }),
  )
  .map(([ms, offset]) => ms + offset);
const moment = beforeMs.map(before);

/** Links of three influencers to two products, some of another brand or store. */
const linkFacts: fc.Arbitrary<LinkFact[]> = fc
  .array(
    fc.record({
      influencer: pick,
      product: fc.constantFrom('p', 'q'),
      brandId: fc.constantFrom('brd', 'brd', 'brd', 'brd_2'),
      storeId: fc.constantFrom('str', 'str', 'str', 'str_2'),
    }),
    { maxLength: 6 },
  )
  .map((pairs) => {
    const links = pairs.map(({ influencer, product, brandId, storeId }) =>
      link(influencer, product, { brandId, storeId }),
    );
    return links.filter((each, index) => links.findIndex(({ linkId }) => linkId === each.linkId) === index);
  });

const clickFacts: fc.Arbitrary<ClickFact[]> = fc
  .array(
    fc.record({
      influencer: pick,
      clickedAt: moment,
      verdict: fc.constantFrom<Verdict>('counted', 'counted', 'counted', 'repeat', 'bot'),
      product: fc.constantFrom('p', 'p', 'p', 'q'),
    }),
    { maxLength: 8 },
  )
  .map((drawn) =>
    drawn.map(({ influencer, clickedAt, verdict, product }, index) => ({
      clickId: `click_${index}`,
      clickedAt,
      linkId: `lnk_${influencer}_${product}`,
      influencerId: influencer,
      productId: product,
      verdict,
    })),
  );

/** Leases of one slot follow each other, as the tables' constraint demands. */
const leases = (kind: 'adzone' | 'sls' | 'relation', externalId: string) =>
  fc.tuple(pick, fc.uniqueArray(fc.integer({ min: -1, max: 30 }), { maxLength: 4 })).map(([influencer, days]) => {
    const starts = days.toSorted((x, y) => y - x);
    return starts.flatMap((day, index) => {
      const until = starts[index + 1];
      const validTo = until === undefined ? {} : { validTo: before(until * DAY_MS) };
      return index % 2 === 0
        ? [slot(kind, externalId, influencer, { validFrom: before(day * DAY_MS), ...validTo })]
        : [];
    });
  });

/** Often only a click time or nothing, so that the lower levels are reached too. */
const evidence: fc.Arbitrary<AttributionFacts['evidence']> = fc.oneof(
  fc.record({ clickedAt: moment }, { requiredKeys: [] }),
  fc.record(
    {
      clickId: fc.constant(CLICK_ID),
      adzoneId: fc.constant('111'),
      relationId: fc.constant('77'),
      specialId: fc.constantFrom('77', '88'),
      sls: fc.constant('o21Zag'),
      couponCode: fc.constant('AMY10'),
      clickedAt: moment,
    },
    { requiredKeys: [] },
  ),
);

const statusChanges = fc
  .array(
    fc.record({
      subjectId: fc.constantFrom('a', 'b', 'c', 'p', 'q', 'lnk_a_p', 'lnk_b_p', 'lnk_c_p'),
      status: fc.constantFrom('active', 'active', 'paused'),
      changedAt: moment,
    }),
    { maxLength: 6 },
  )
  .map((drawn) => drawn.map((change, index) => ({ ...change, sequence: BigInt(index + 10) })));

export const arbitraryFacts: fc.Arbitrary<AttributionFacts> = fc
  .record({
    links: linkFacts,
    clicks: clickFacts,
    slots: fc
      .tuple(leases('adzone', '111'), leases('relation', '77'), leases('relation', '88'), leases('sls', 'o21Zag'))
      .map((each) => each.flat()),
    evidence,
    reading: fc.oneof(
      fc.constantFrom('malformed' as const, 'unknown_key' as const, 'forged' as const),
      fc.record({ of: fc.tuple(pick, fc.constantFrom('p', 'q')), clickedAt: moment }),
    ),
    row: fc.constantFrom<Verdict | undefined>(undefined, 'counted', 'repeat', 'prefetch', 'head', 'bot'),
    coupon: fc.option(fc.record({ influencerId: pick, validFrom: moment }), { nil: undefined }),
    noted: fc.array(fc.tuple(pick, fc.constantFrom('p', 'q')), { maxLength: 3 }),
    statusChanges,
    orderSource: fc.constantFrom('youzan' as const, 'shop' as const, 'tbk' as const),
    policy: fc.record({
      scope: fc.constantFrom('product' as const, 'store' as const),
      inferred: fc.constantFrom('pay' as const, 'review' as const, 'off' as const),
    }),
    windows: fc.subarray(
      influencers.flatMap((influencerId) =>
        ['p', 'q'].map((productId) => ({ influencerId, productId, windowDays: 15 })),
      ),
    ),
    drained: fc.boolean(),
    registered: fc.constantFrom(true, true, true, false),
  })
  .map((drawn) => {
    const { links, clicks, slots, orderSource, policy, windows } = drawn;
    const whole = facts({
      links,
      clicks,
      slots,
      evidence: drawn.evidence,
      orderSource,
      policy,
      windows,
      clickIdReading: readingOf(drawn.reading),
      ...(drawn.row !== undefined && { clickRow: { verdict: drawn.row } }),
      coupons: drawn.coupon === undefined ? [] : [{ code: 'AMY10', ...drawn.coupon }],
      noteLinks: drawn.noted.map(([influencer, product]) => ({
        code: `${influencer}${product}`,
        linkId: `lnk_${influencer}_${product}`,
      })),
      drainedTo: before(drawn.drained ? -600 * SECOND_MS : 0),
    });
    whole.statusChanges.push(...drawn.statusChanges);
    if (!drawn.registered) delete whole.productId;
    return whole;
  });

function readingOf(
  reading: 'malformed' | 'unknown_key' | 'forged' | { of: [string, string]; clickedAt: Date },
): NonNullable<AttributionFacts['clickIdReading']> {
  if (typeof reading === 'string') return { ok: false, reason: reading };
  const [influencer, product] = reading.of;
  const { linkNumber } = link(influencer, product);
  return { ok: true, keyNumber: 1, linkNumber, clickedAt: reading.clickedAt, random: new Uint8Array(8) };
}

/** The same facts with every array in another order. */
export const shuffled = arbitraryFacts.chain((of) =>
  fc
    .record({
      links: permutation(of.links),
      slots: permutation(of.slots),
      clicks: permutation(of.clicks),
      noteLinks: permutation(of.noteLinks),
      statusChanges: permutation(of.statusChanges),
      windows: permutation(of.windows),
    })
    .map((arrays) => ({ of, again: { ...of, ...arrays } })),
);

function permutation<T>(items: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });
}
