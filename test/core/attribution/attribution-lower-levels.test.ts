import { describe, expect, it } from 'vitest';
import { attribute } from '../../../src/core/attribution/attribute.ts';
import {
  CLICK_ID,
  DAY_MS,
  ORDER_AT,
  SECOND_MS,
  activeSince,
  before,
  click,
  facts,
  inShort,
  link,
  said,
  unregistered,
  withClickId,
} from './attribution-builders.ts';

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
    for (const verdict of ['repeat', 'head', 'prefetch', 'preview', 'bot', 'scanner', 'inactive'] as const) {
      expect(said({ ...tbk, clicks: [{ ...clicked('a', 3), verdict }] })).toBe('no_evidence');
    }
  });

  it.each([
    ['120 s before the arrival', 120, 0, 'click_time lnk_a_p'],
    ['earlier', 120, 1, 'no_evidence'],
    ['10 s after it, by another clock', -10, 0, 'click_time lnk_a_p'],
    ['later', -10, -1, 'no_evidence'],
  ])('a step %s, of a click an hour before', (_, seconds, extraMs, expected) => {
    const steppedAt = before(DAY_MS + seconds * SECOND_MS + extraMs);
    expect(said({ ...tbk, clicks: [{ ...clicked('a', 3_600), steppedAt }] })).toBe(expected);
  });

  it('a step near the arrival goes before a click farther away, and tells of its click', () => {
    const stepped = { ...clicked('a', 3_600), steppedAt: before(DAY_MS + 2 * SECOND_MS) };
    const result = attribute(facts({ ...tbk, clicks: [clicked('a', 100), stepped] }));
    expect(result).toMatchObject({ clickId: stepped.clickId, clickedAt: stepped.clickedAt });
    expect(said({ ...tbk, clicks: [clicked('b', 3), stepped] })).toBe('ambiguous');
  });

  it('a repeated click is evidence where a step on its page shows a person; a machine’s never is', () => {
    const steppedAt = before(DAY_MS + 2 * SECOND_MS);
    expect(said({ ...tbk, clicks: [{ ...clicked('a', 3_600), verdict: 'repeat', steppedAt }] })).toBe(
      'click_time lnk_a_p',
    );
    for (const verdict of ['head', 'prefetch', 'preview', 'bot', 'scanner'] as const) {
      expect(said({ ...tbk, clicks: [{ ...clicked('a', 3_600), verdict, steppedAt }] })).toBe('no_evidence');
    }
  });

  it('a step near the arrival helps no click outside the window', () => {
    const clicks = [{ ...click('a', 17 * DAY_MS), steppedAt: before(DAY_MS + 2 * SECOND_MS) }];
    expect(said({ ...tbk, clicks })).toBe('outside_window');
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
