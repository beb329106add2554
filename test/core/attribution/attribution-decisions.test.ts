import { describe, expect, it } from 'vitest';
import { attribute } from '../../../src/core/attribution/attribute.ts';
import { reconcile } from '../../../src/core/attribution/reconcile.ts';
import type { StoredAttribution } from '../../../src/core/attribution/reconcile.ts';
import { DAY_MS, click, facts, link, unregistered, withClickId } from './attribution-builders.ts';

const assign = (linkId: string) => ({ kind: 'assign' as const, linkId });
const reject = { kind: 'reject' as const };

const stored = (method: string, linkId: string): StoredAttribution => ({ state: 'matched', method, linkId });

describe('a person’s decision', () => {
  it('outranks even an authentic click id, needs no evidence and no window', () => {
    const result = attribute(facts({ ...withClickId(DAY_MS), decision: assign('lnk_b_p') }));
    expect(result).toMatchObject({
      state: 'matched',
      method: 'manual',
      confidence: 'manual',
      linkId: 'lnk_b_p',
      influencerId: 'b',
    });
    expect(attribute(facts({ decision: assign('lnk_b_p') }))).toMatchObject({ linkId: 'lnk_b_p', retry: false });
  });

  it('may credit a link of another product; an unregistered product is priced by the link’s', () => {
    expect(attribute(facts({ decision: assign('lnk_a_q') }))).toMatchObject({ linkId: 'lnk_a_q', productId: 'p' });
    expect(attribute(unregistered(facts({ decision: assign('lnk_a_q') })))).toMatchObject({
      linkId: 'lnk_a_q',
      productId: 'q',
    });
  });

  it('to reject leaves the line unmatched whatever the evidence', () => {
    const result = attribute(facts({ ...withClickId(DAY_MS), decision: reject }));
    expect(result).toMatchObject({ state: 'unmatched', reason: 'rejected', candidates: [], retry: false });
  });

  it('cannot credit another brand’s link, nor a link without terms', () => {
    const links = [link('a', 'p', { brandId: 'brd_2' })];
    expect(attribute(facts({ links, decision: assign('lnk_a_p') }))).toMatchObject({
      state: 'unmatched',
      reason: 'wrong_brand',
    });
    expect(attribute(facts({ windows: [], decision: assign('lnk_a_p') }))).toMatchObject({
      state: 'unmatched',
      reason: 'no_terms',
      retry: true,
    });
  });

  it('is disputed by evidence for another link, unless the person overruled that very evidence', () => {
    const id = withClickId(DAY_MS);
    expect(attribute(facts({ ...id, decision: assign('lnk_b_p') })).dispute).toMatchObject({
      method: 'click_id',
      linkId: 'lnk_a_p',
    });
    expect(attribute(facts({ ...id, decision: reject })).dispute).toMatchObject({ linkId: 'lnk_a_p' });
    expect(
      attribute(facts({ ...id, decision: { ...assign('lnk_b_p'), overruledLinkId: 'lnk_a_p' } })).dispute,
    ).toBeUndefined();
    expect(attribute(facts({ ...id, decision: { ...reject, overruledLinkId: 'lnk_a_p' } })).dispute).toBeUndefined();
    expect(attribute(facts({ ...id, decision: assign('lnk_a_p') })).dispute).toBeUndefined();
    const suggestion = {
      clicks: [click('a', DAY_MS)],
      policy: { scope: 'product' as const, inferred: 'review' as const },
    };
    expect(attribute(facts({ ...suggestion, decision: reject })).dispute).toBeUndefined();
  });
});

describe('reconcile', () => {
  const byA = attribute(facts(withClickId(DAY_MS)));
  const byB = attribute(facts(withClickId(DAY_MS, link('b'))));
  const nobody = attribute(facts());
  const waiting = attribute(facts({ clicks: [], drainedTo: new Date(0) }));

  it('until the line is payable, the fresh answer stands, whether it rises, falls or vanishes', () => {
    expect(reconcile({ current: undefined, locked: false, fresh: byA })).toEqual({ attribution: byA, retry: false });
    expect(reconcile({ current: stored('code', 'lnk_b_p'), locked: false, fresh: byA })).toEqual({
      attribution: byA,
      retry: false,
    });
    expect(reconcile({ current: stored('click_id', 'lnk_a_p'), locked: false, fresh: nobody })).toEqual({
      attribution: nobody,
      retry: true,
    });
  });

  it('once it is payable, later evidence for another link only opens a dispute', () => {
    const current = stored('click_id', 'lnk_a_p');
    const settled = reconcile({ current, locked: true, fresh: byB });
    expect(settled.attribution).toBe(current);
    expect(settled.dispute).toMatchObject({ state: 'matched', linkId: 'lnk_b_p' });
    expect(settled.dispute).not.toHaveProperty('trace');
    expect(reconcile({ current, locked: true, fresh: nobody }).dispute).toMatchObject({ reason: 'no_evidence' });
  });

  it('once it is payable, evidence for the same link changes and disputes nothing', () => {
    const current = stored('sole_candidate', 'lnk_a_p');
    expect(reconcile({ current, locked: true, fresh: byA })).toEqual({ attribution: current, retry: false });
  });

  it('clicks that are still on their way are no dispute, but are waited for', () => {
    const current = stored('sole_candidate', 'lnk_a_p');
    expect(waiting).toMatchObject({ reason: 'waiting_for_clicks' });
    expect(reconcile({ current, locked: true, fresh: waiting })).toEqual({ attribution: current, retry: true });
  });

  it('a person’s decision takes effect also on a payable line, and so does undoing it', () => {
    const manual = attribute(facts({ decision: assign('lnk_b_p') }));
    const rejected = attribute(facts({ decision: reject }));
    expect(reconcile({ current: stored('click_id', 'lnk_a_p'), locked: true, fresh: manual }).attribution).toBe(manual);
    expect(reconcile({ current: stored('click_id', 'lnk_a_p'), locked: true, fresh: rejected }).attribution).toBe(
      rejected,
    );
    expect(reconcile({ current: stored('manual', 'lnk_b_p'), locked: true, fresh: byA }).attribution).toBe(byA);
    const undone = reconcile({ current: { state: 'unmatched', reason: 'rejected' }, locked: true, fresh: byA });
    expect(undone.attribution).toBe(byA);
  });

  it('what evidence says beside a decision is kept as its dispute', () => {
    const fresh = attribute(facts({ ...withClickId(DAY_MS), decision: assign('lnk_b_p') }));
    const settled = reconcile({ current: stored('manual', 'lnk_b_p'), locked: false, fresh });
    expect(settled).toMatchObject({ attribution: { method: 'manual' }, dispute: { linkId: 'lnk_a_p' } });
    expect(settled.dispute).not.toHaveProperty('trace');
  });
});
