import { describe, expect, it } from 'vitest';
import { attribute } from '../../src/core/attribution.ts';
import type { AttributionFacts, AttributionResult, ClickVerdict } from '../../src/core/attribution-facts.ts';
import {
  CLICK_ID,
  DAY_MS,
  ORDER_AT,
  SECOND_MS,
  activeSince,
  before,
  click,
  facts,
  link,
  slot,
  unregistered,
  withClickId,
} from './attribution-builders.ts';

/** The answer in one line: `method linkId` of a winner, `reason` of a line nobody earns, `review reason` of one a person decides. */
function said(told: Partial<AttributionFacts>): string {
  return inShort(attribute(facts(told)));
}

function inShort(result: AttributionResult): string {
  if (result.state === 'matched') return `${result.method} ${result.linkId}`;
  return result.state === 'review' ? `review ${result.reason}` : result.reason;
}

const coupon = (influencerId: string, lease = {}) => ({
  code: 'AMY10',
  influencerId,
  validFrom: before(100 * DAY_MS),
  ...lease,
});
const noted = (linkId: string) => ({
  evidence: { noteCodes: ['k7q2m8x'] },
  noteLinks: [{ code: 'k7q2m8x', linkId }],
});
const notes = (...linkIds: string[]) => linkIds.map((linkId) => ({ code: linkId, linkId }));
const clicked = (influencer: string, secondsBeforeArrival: number, extraMs = 0) =>
  click(influencer, DAY_MS + secondsBeforeArrival * SECOND_MS + extraMs);

describe('level 1, click id', () => {
  it.each([
    ['120 s after the order, by clock skew', -120 * SECOND_MS, 'click_id lnk_a_p'],
    ['a millisecond later than that', -120 * SECOND_MS - 1, 'order_before_click'],
    ['exactly 15 days before', 15 * DAY_MS, 'click_id lnk_a_p'],
    ['a millisecond more than 15 days before', 15 * DAY_MS + 1, 'outside_window'],
  ])('a click %s', (_, beforeMs, expected) => {
    expect(said(withClickId(beforeMs))).toBe(expected);
  });

  it('the window is that of the influencer, by the terms of the product', () => {
    const windows = [{ influencerId: 'a', productId: 'p', windowDays: 3 }];
    expect(said({ ...withClickId(3 * DAY_MS), windows })).toBe('click_id lnk_a_p');
    expect(said({ ...withClickId(3 * DAY_MS + 1), windows })).toBe('outside_window');
    expect(said({ ...withClickId(DAY_MS), windows: [] })).toBe('no_terms');
  });

  it.each([
    ['counted', 'click_id lnk_a_p'],
    ['repeat', 'click_id lnk_a_p'],
    ['prefetch', 'click_id lnk_a_p'],
    ['head', 'review policy_review'],
    ['preview', 'review policy_review'],
    ['bot', 'review policy_review'],
    ['scanner', 'review policy_review'],
  ] satisfies [ClickVerdict, string][])('an authentic id of a %s click: %s', (verdict, expected) => {
    expect(said({ ...withClickId(DAY_MS), clickRow: { verdict } })).toBe(expected);
  });

  it('a machine’s click id suggests its link to the person and asks no lower level', () => {
    const result = attribute(
      facts({ ...withClickId(DAY_MS), clickRow: { verdict: 'bot' }, clicks: [click('b', DAY_MS)] }),
    );
    expect(result).toMatchObject({ state: 'review', candidates: [{ linkId: 'lnk_a_p', clickId: CLICK_ID }] });
    expect(result.trace.map(({ method }) => method)).toEqual(['click_id']);
  });

  it('pays before its row is stored, and is looked at again until the clicks are complete', () => {
    const early = attribute(facts({ ...withClickId(DAY_MS), drainedTo: before(0) }));
    expect(early).toMatchObject({ state: 'matched', clickId: CLICK_ID, clickedAt: before(DAY_MS), retry: true });
    expect(attribute(facts(withClickId(DAY_MS)))).toMatchObject({ state: 'matched', retry: false });
    const stored = attribute(
      facts({ ...withClickId(DAY_MS), clickRow: { verdict: 'counted', tag: 'v12' }, drainedTo: before(0) }),
    );
    expect(stored).toMatchObject({ state: 'matched', tag: 'v12', retry: false });
  });

  it('another product of the store is credited only where the policy’s scope is the store', () => {
    const id = withClickId(DAY_MS, link('a', 'q'));
    expect(said(id)).toBe('other_product');
    expect(said({ ...id, policy: { scope: 'store', inferred: 'pay' } })).toBe('click_id lnk_a_q');
    const elsewhere = [link('a', 'q', { storeId: 'str_2' })];
    expect(said({ ...id, links: elsewhere, policy: { scope: 'store', inferred: 'pay' } })).toBe('other_product');
  });

  it('with scope store a line of an unregistered product is priced by the link’s product, with scope product it waits', () => {
    const id = facts(withClickId(DAY_MS, link('a', 'q')));
    expect(inShort(attribute(unregistered(id)))).toBe('product_not_registered');
    const result = attribute(unregistered({ ...id, policy: { scope: 'store', inferred: 'pay' } }));
    expect(result).toMatchObject({ state: 'matched', linkId: 'lnk_a_q', productId: 'q' });
  });

  it('never credits or names a link of another brand', () => {
    const result = attribute(facts({ ...withClickId(DAY_MS), links: [link('a', 'p', { brandId: 'brd_2' })] }));
    expect(result).toMatchObject({ state: 'unmatched', reason: 'wrong_brand', candidates: [] });
    expect(JSON.stringify(result)).not.toContain('lnk_a_p');
  });

  it.each(['malformed', 'unknown_key', 'forged'] as const)(
    'a %s id is no evidence, and says so in the trace',
    (reason) => {
      const told = { evidence: { clickId: CLICK_ID }, clickIdReading: { ok: false as const, reason } };
      const result = attribute(facts(told));
      expect(result).toMatchObject({ state: 'unmatched', reason: 'no_evidence' });
      expect(result.trace[0]).toMatchObject({ method: 'click_id', outcome: 'rejected', detail: reason });
      expect(said({ ...told, clicks: [click('b', DAY_MS)] })).toBe('sole_candidate lnk_b_p');
    },
  );

  it('an authentic id that fails falls through, and its reason is the one reported if nothing lower wins', () => {
    const old = withClickId(16 * DAY_MS);
    expect(said({ ...old, clicks: [click('b', DAY_MS)] })).toBe('sole_candidate lnk_b_p');
    expect(attribute(facts(old))).toMatchObject({ reason: 'outside_window', candidates: [{ linkId: 'lnk_a_p' }] });
  });

  it('a click id without its reading is a bug of the caller', () => {
    expect(() => attribute(facts({ evidence: { clickId: CLICK_ID } }))).toThrow('reading');
  });
});

describe('level 2, tracking slot', () => {
  const evidence = { adzoneId: '111', clickedAt: before(DAY_MS) };
  const slots = [slot('adzone', '111', 'a')];
  const tbk: Partial<AttributionFacts> = { orderSource: 'tbk', evidence, slots };

  it('an adzone leased to the pair at the platform’s click time credits its link exactly', () => {
    const result = attribute(facts(tbk));
    expect(result).toMatchObject({
      method: 'tracking_slot',
      confidence: 'exact',
      linkId: 'lnk_a_p',
      clickedAt: before(DAY_MS),
    });
  });

  it.each([
    ['begins at the click', { validFrom: before(DAY_MS) }, 'tracking_slot lnk_a_p'],
    ['begins a millisecond after the click', { validFrom: before(DAY_MS - 1) }, 'outside_window'],
    ['ends a millisecond after the click', { validTo: before(DAY_MS - 1) }, 'tracking_slot lnk_a_p'],
    ['ends at the click', { validTo: before(DAY_MS) }, 'outside_window'],
  ])('a lease that %s', (_, lease, expected) => {
    expect(said({ ...tbk, slots: [slot('adzone', '111', 'a', lease)] })).toBe(expected);
  });

  it('without a click time the order’s creation stands for it', () => {
    const at = { ...tbk, evidence: { adzoneId: '111' } };
    expect(said({ ...at, slots: [slot('adzone', '111', 'a', { validFrom: ORDER_AT })] })).toBe('tracking_slot lnk_a_p');
    expect(said({ ...at, slots: [slot('adzone', '111', 'a', { validTo: ORDER_AT })] })).toBe('outside_window');
  });

  it.each([
    ['at the order', 0, 'tracking_slot lnk_a_p'],
    ['after the order, without the skew of level 1', -1, 'order_before_click'],
    ['15 days before', 15 * DAY_MS, 'tracking_slot lnk_a_p'],
    ['more than 15 days before', 15 * DAY_MS + 1, 'outside_window'],
  ])('a platform click %s', (_, beforeMs, expected) => {
    expect(said({ ...tbk, evidence: { adzoneId: '111', clickedAt: before(beforeMs) } })).toBe(expected);
  });

  it.each([
    ['link', 'lnk_a_p'],
    ['product', 'p'],
    ['influencer', 'a'],
  ])('a %s paused at the click earns nothing, one paused after it does', (subject, subjectId) => {
    const all = activeSince(['lnk_a_p', 'p', 'a']);
    const pausedAt = (changedAt: Date) => [...all, { subjectId, status: 'paused', changedAt, sequence: 2n }];
    const paused = attribute(facts({ ...tbk, statusChanges: pausedAt(before(DAY_MS)) }));
    expect(paused).toMatchObject({
      reason: 'outside_window',
      trace: expect.arrayContaining([expect.objectContaining({ detail: `${subject}_not_active_then` })]),
    });
    expect(said({ ...tbk, statusChanges: pausedAt(before(DAY_MS - 1)) })).toBe('tracking_slot lnk_a_p');
  });

  it('of two changes of one instant the later recorded counts', () => {
    const changedAt = before(2 * DAY_MS);
    const pair = [
      { subjectId: 'lnk_a_p', status: 'active', changedAt, sequence: 3n },
      { subjectId: 'lnk_a_p', status: 'paused', changedAt, sequence: 2n },
    ];
    expect(said({ ...tbk, statusChanges: [...activeSince(['p', 'a']), ...pair] })).toBe('tracking_slot lnk_a_p');
  });

  it('a slot of another product does not pay for this one', () => {
    expect(said({ ...tbk, slots: [slot('adzone', '111', 'a', { productId: 'q' })] })).toBe('other_product');
  });

  it('a slot nobody registered is no evidence', () => {
    expect(said({ ...tbk, slots: [] })).toBe('no_evidence');
    expect(said({ ...tbk, slots: [slot('sls', '111', 'a')] })).toBe('no_evidence');
  });

  it('a slot whose influencer has no link for the product is for a person, never for the next guess', () => {
    const told = { ...tbk, links: [link('b')], clicks: [click('b', DAY_MS + SECOND_MS)] };
    expect(said(told)).toBe('review conflict');
  });

  it('after a slot that names a but cannot pay, an inference of b is only suggested, one of a is paid', () => {
    const ended = [slot('adzone', '111', 'a', { validTo: before(2 * DAY_MS) })];
    const near = (influencer: string) => ({ ...tbk, slots: ended, clicks: [click(influencer, DAY_MS + SECOND_MS)] });
    const other = attribute(facts(near('b')));
    expect(other).toMatchObject({ state: 'review', reason: 'conflict', candidates: [{ linkId: 'lnk_b_p' }] });
    expect(said(near('a'))).toBe('click_time lnk_a_p');
  });
});

describe('level 3, relation', () => {
  it('relation_id and special_id name an influencer; with the product that is a link', () => {
    const slots = [slot('relation', '77', 'a'), slot('relation', '88', 'b')];
    expect(attribute(facts({ evidence: { relationId: '77' }, slots }))).toMatchObject({
      method: 'relation',
      confidence: 'strong',
      linkId: 'lnk_a_p',
    });
    expect(said({ evidence: { specialId: '88' }, slots })).toBe('relation lnk_b_p');
    expect(said({ evidence: { relationId: '77', specialId: '77' }, slots })).toBe('relation lnk_a_p');
    expect(said({ evidence: { relationId: '77', specialId: '88' }, slots })).toBe('review conflict');
  });

  it('a relation leased for one product names nobody for another', () => {
    const slots = [slot('relation', '77', 'a', { productId: 'q' })];
    expect(said({ evidence: { relationId: '77' }, slots })).toBe('other_product');
  });

  describe('sls, a customer binding', () => {
    const bound = { orderSource: 'youzan' as const, evidence: { sls: 'o21Zag' }, slots: [slot('sls', 'o21Zag', 'a')] };

    it('counts with a click of that influencer in the window, and takes its id and tag', () => {
      const result = attribute(facts({ ...bound, clicks: [click('a', DAY_MS, { tag: 'v3' })] }));
      expect(result).toMatchObject({
        method: 'relation',
        linkId: 'lnk_a_p',
        clickId: `click_a_${DAY_MS}`,
        tag: 'v3',
        retry: false,
      });
    });

    it.each([
      ['15 days old', 15 * DAY_MS, 'relation lnk_a_p'],
      ['older', 15 * DAY_MS + 1, 'outside_window'],
      ['after the order', -1, 'no_evidence'],
    ])('a click %s', (_, beforeMs, expected) => {
      expect(said({ ...bound, clicks: [click('a', beforeMs)] })).toBe(expected);
    });

    it('the id is case-sensitive', () => {
      expect(
        said({ ...bound, evidence: { sls: 'O21Zag' }, clicks: [click('a', DAY_MS), click('b', 2 * DAY_MS)] }),
      ).toBe('ambiguous');
    });

    it('an older click of another changes nothing, a newer one is a conflict with the bound influencer first', () => {
      expect(said({ ...bound, clicks: [click('a', DAY_MS), click('b', DAY_MS + 1)] })).toBe('relation lnk_a_p');
      const contested = attribute(facts({ ...bound, clicks: [click('a', DAY_MS), click('b', DAY_MS - 1)] }));
      expect(contested).toMatchObject({ state: 'review', reason: 'conflict' });
      expect(contested.state === 'review' && contested.candidates.map(({ linkId }) => linkId)).toEqual([
        'lnk_a_p',
        'lnk_b_p',
      ]);
    });

    it('without a click of that influencer it binds nobody: another’s click is inferred as if it were not there', () => {
      expect(said({ ...bound, clicks: [click('b', DAY_MS)] })).toBe('sole_candidate lnk_b_p');
    });

    it('an influencer without a link for the product cannot have been clicked, which is no conflict', () => {
      expect(said({ ...bound, links: [link('b')], clicks: [click('b', DAY_MS)] })).toBe('sole_candidate lnk_b_p');
    });

    it('is looked at again until the clicks are complete', () => {
      expect(attribute(facts({ ...bound, clicks: [click('a', DAY_MS)], drainedTo: before(0) }))).toMatchObject({
        state: 'matched',
        retry: true,
      });
    });
  });
});

describe('level 4, code', () => {
  it('a coupon names an influencer, with the product a link', () => {
    expect(attribute(facts({ evidence: { couponCode: 'amy10' }, coupons: [coupon('a')] }))).toMatchObject({
      method: 'code',
      confidence: 'strong',
      linkId: 'lnk_a_p',
    });
    expect(said({ evidence: { couponCode: 'amy10' } })).toBe('no_evidence');
  });

  it.each([
    ['begins at the order', { validFrom: ORDER_AT }, 'code lnk_a_p'],
    ['begins after it', { validFrom: before(-1) }, 'outside_window'],
    ['ends at the order', { validTo: ORDER_AT }, 'outside_window'],
    ['ends after it', { validTo: before(-1) }, 'code lnk_a_p'],
  ])('a coupon whose lease %s', (_, lease, expected) => {
    expect(said({ evidence: { couponCode: 'AMY10' }, coupons: [coupon('a', lease)] })).toBe(expected);
  });

  it('a code in the note names its link for the link’s own product only', () => {
    expect(said(noted('lnk_a_p'))).toBe('code lnk_a_p');
    expect(said(noted('lnk_a_q'))).toBe('other_product');
    expect(said({ ...noted('lnk_a_p'), windows: [] })).toBe('no_terms');
    expect(said({ ...noted('lnk_a_p'), statusChanges: activeSince(['lnk_a_p', 'p', 'a'], before(-1)) })).toBe(
      'outside_window',
    );
  });

  it('codes of two influencers for the product are for a person, two of one are not', () => {
    const evidence = { noteCodes: ['k7q2m8x', 'amy-one'] };
    const both = attribute(facts({ evidence, noteLinks: notes('lnk_b_p', 'lnk_a_p') }));
    expect(both).toMatchObject({
      state: 'review',
      reason: 'conflict',
      candidates: [{ linkId: 'lnk_a_p' }, { linkId: 'lnk_b_p' }],
    });
    expect(said({ evidence, noteLinks: notes('lnk_a_p', 'lnk_a_p') })).toBe('code lnk_a_p');
    expect(
      said({ evidence: { ...evidence, couponCode: 'AMY10' }, coupons: [coupon('a')], noteLinks: notes('lnk_b_p') }),
    ).toBe('review conflict');
    expect(
      said({ evidence: { ...evidence, couponCode: 'AMY10' }, coupons: [coupon('a')], noteLinks: notes('lnk_a_p') }),
    ).toBe('code lnk_a_p');
  });

  it('a code that concerns another product or another brand takes nothing from the one that fits', () => {
    const links = [link('a'), link('b', 'q'), link('c', 'p', { brandId: 'brd_2' })];
    const noteLinks = [
      { code: 'x', linkId: 'lnk_a_p' },
      { code: 'y', linkId: 'lnk_b_q' },
      { code: 'z', linkId: 'lnk_c_p' },
    ];
    expect(said({ evidence: { noteCodes: ['x', 'y', 'z'] }, links, noteLinks })).toBe('code lnk_a_p');
  });
});

describe('level 5, click time', () => {
  const arrived = before(DAY_MS);
  const tbk = { orderSource: 'tbk' as const, evidence: { clickedAt: arrived } };
  it.each([
    ['120 s before the arrival', 120, 0, 'click_time lnk_a_p'],
    ['earlier', 120, 1, 'no_evidence'],
    ['10 s after it, by another clock', -10, 0, 'click_time lnk_a_p'],
    ['later', -10, -1, 'no_evidence'],
  ])('a click %s', (_, seconds, extraMs, expected) => {
    expect(said({ ...tbk, clicks: [clicked('a', seconds, extraMs)] })).toBe(expected);
  });

  it('the nearest click wins, all being one influencer’s', () => {
    const result = attribute(facts({ ...tbk, clicks: [clicked('a', 100), clicked('a', 3), clicked('a', -9)] }));
    expect(result).toMatchObject({ confidence: 'inferred', clickId: clicked('a', 3).clickId });
  });

  it('two influencers near it are ambiguous, with the nearer first among the candidates', () => {
    const result = attribute(facts({ ...tbk, clicks: [clicked('a', 100), clicked('b', 3)] }));
    expect(result).toMatchObject({ state: 'unmatched', reason: 'ambiguous', retry: false });
    expect(result.state === 'unmatched' && result.candidates.map(({ linkId }) => linkId)).toEqual([
      'lnk_b_p',
      'lnk_a_p',
    ]);
  });

  it('only counted clicks are evidence', () => {
    for (const verdict of ['repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner'] as const) {
      expect(said({ ...tbk, clicks: [{ ...clicked('a', 3), verdict }] })).toBe('no_evidence');
    }
  });

  it('a click after the order or outside the window is none, however near the platform’s time', () => {
    const atOrder = { orderSource: 'tbk' as const, evidence: { clickedAt: ORDER_AT } };
    expect(said({ ...atOrder, clicks: [click('a', 0)] })).toBe('click_time lnk_a_p');
    expect(said({ ...atOrder, clicks: [click('a', -1)] })).toBe('order_before_click');
    const longAgo = { ...tbk, evidence: { clickedAt: before(15 * DAY_MS) } };
    expect(said({ ...longAgo, clicks: [click('a', 15 * DAY_MS)] })).toBe('click_time lnk_a_p');
    expect(said({ ...longAgo, clicks: [click('a', 15 * DAY_MS + 1)] })).toBe('outside_window');
  });
});

describe('level 6, sole candidate', () => {
  it('the last counted click wins when only one influencer qualifies', () => {
    const result = attribute(facts({ clicks: [click('a', 3 * DAY_MS), click('a', DAY_MS, { tag: 'v9' })] }));
    expect(result).toMatchObject({
      method: 'sole_candidate',
      confidence: 'inferred',
      clickId: `click_a_${DAY_MS}`,
      tag: 'v9',
    });
  });

  it('two influencers are ambiguous; one of them outside its window is not', () => {
    expect(attribute(facts({ clicks: [click('a', 3 * DAY_MS), click('b', DAY_MS)] }))).toMatchObject({
      reason: 'ambiguous',
      candidates: [{ linkId: 'lnk_b_p' }, { linkId: 'lnk_a_p' }],
    });
    expect(said({ clicks: [click('a', 15 * DAY_MS), click('b', DAY_MS)] })).toBe('ambiguous');
    expect(said({ clicks: [click('a', 15 * DAY_MS + 1), click('b', DAY_MS)] })).toBe('sole_candidate lnk_b_p');
    expect(said({ clicks: [click('a', 15 * DAY_MS + 1)] })).toBe('outside_window');
  });

  it('a click at the order counts, one after it does not', () => {
    expect(said({ clicks: [click('a', 0)] })).toBe('sole_candidate lnk_a_p');
    expect(said({ clicks: [click('a', -1)] })).toBe('no_evidence');
  });

  it('only counted clicks on this product count', () => {
    expect(said({ clicks: [click('a', DAY_MS, { verdict: 'bot' }), click('b', DAY_MS)] })).toBe(
      'sole_candidate lnk_b_p',
    );
    expect(said({ clicks: [click('a', DAY_MS, { productId: 'q', linkId: 'lnk_a_q' })] })).toBe('no_evidence');
  });

  it('the brand decides what it is worth: paid, suggested or nothing', () => {
    const clicks = [click('a', DAY_MS)];
    expect(said({ clicks, policy: { scope: 'product', inferred: 'pay' } })).toBe('sole_candidate lnk_a_p');
    const suggested = attribute(facts({ clicks, policy: { scope: 'product', inferred: 'review' } }));
    expect(suggested).toMatchObject({
      state: 'review',
      reason: 'policy_review',
      candidates: [{ linkId: 'lnk_a_p', method: 'sole_candidate' }],
    });
    const off = attribute(facts({ clicks, policy: { scope: 'product', inferred: 'off' } }));
    expect(off).toMatchObject({ state: 'unmatched', reason: 'policy_off', candidates: [], retry: false });
    expect(said({ clicks: [], policy: { scope: 'product', inferred: 'off' } })).toBe('no_evidence');
  });

  it('never applies to stores whose links the platform converts', () => {
    expect(said({ orderSource: 'tbk', clicks: [click('a', DAY_MS)] })).toBe('no_evidence');
    expect(said({ orderSource: 'youzan', clicks: [click('a', DAY_MS)] })).toBe('sole_candidate lnk_a_p');
  });
});

describe('waiting for clicks', () => {
  it('levels 5 and 6 answer once everything is drained past the order plus the delay', () => {
    const clicks = [click('a', DAY_MS)];
    const waiting = attribute(facts({ clicks, drainedTo: before(-600 * SECOND_MS + 1) }));
    expect(waiting).toMatchObject({ state: 'unmatched', reason: 'waiting_for_clicks', retry: true });
    expect(said({ clicks, drainedTo: before(-600 * SECOND_MS) })).toBe('sole_candidate lnk_a_p');
    const { drainedTo: _, ...unknown } = facts({ clicks });
    expect(attribute(unknown)).toMatchObject({ reason: 'waiting_for_clicks', retry: true });
  });

  it('named evidence does not wait, and nothing waits where no inference could follow', () => {
    const drainedTo = before(DAY_MS);
    expect(said({ ...withClickId(DAY_MS), drainedTo })).toBe('click_id lnk_a_p');
    expect(said({ orderSource: 'tbk', drainedTo })).toBe('no_evidence');
    expect(said({ drainedTo, policy: { scope: 'product', inferred: 'off' } })).toBe('no_evidence');
    expect(inShort(attribute(unregistered(facts({ drainedTo }))))).toBe('product_not_registered');
  });
});

describe('a line nobody earns', () => {
  it('says that its product is unknown before it says that evidence is missing', () => {
    expect(attribute(unregistered(facts()))).toMatchObject({ reason: 'product_not_registered', retry: true });
    expect(inShort(attribute(unregistered(facts({ orderSource: 'tbk' }))))).toBe('product_not_registered');
  });

  it('reports the miss of the highest level that had evidence', () => {
    const coupons = [{ code: 'AMY10', influencerId: 'b', validFrom: before(-1) }];
    const told = { ...withClickId(-200 * SECOND_MS), coupons };
    expect(said({ ...told, evidence: { clickId: CLICK_ID, couponCode: 'AMY10' } })).toBe('order_before_click');
    const forged = { clickIdReading: { ok: false as const, reason: 'forged' as const }, coupons };
    expect(said({ ...forged, evidence: { clickId: CLICK_ID, couponCode: 'AMY10' } })).toBe('outside_window');
  });

  it('of two misses of one level reports the one that came further', () => {
    const noteLinks = [
      { code: 'x', linkId: 'lnk_a_q' },
      { code: 'y', linkId: 'lnk_b_p' },
    ];
    const statusChanges = activeSince(['lnk_a_q', 'q', 'a', 'p', 'b']);
    expect(said({ evidence: { noteCodes: ['x', 'y'] }, noteLinks, statusChanges })).toBe('outside_window');
  });

  it('is looked at again only where time alone may help', () => {
    expect(attribute(facts())).toMatchObject({ reason: 'no_evidence', retry: true });
    expect(attribute(facts({ ...withClickId(DAY_MS), windows: [] }))).toMatchObject({
      reason: 'no_terms',
      retry: true,
    });
    expect(attribute(facts(withClickId(20 * DAY_MS)))).toMatchObject({ reason: 'outside_window', retry: false });
  });
});
