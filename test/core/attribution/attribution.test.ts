import { describe, expect, it } from 'vitest';
import { attribute } from '../../../src/core/attribution/attribute.ts';
import type { AttributionFacts } from '../../../src/core/attribution/facts.ts';
import type { Verdict } from '../../../src/core/vocabulary.ts';
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
  slot,
  unregistered,
  withClickId,
} from './attribution-builders.ts';

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
    ['inactive', 'review policy_review'],
  ] satisfies [Verdict, string][])('an authentic id of a %s click: %s', (verdict, expected) => {
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
