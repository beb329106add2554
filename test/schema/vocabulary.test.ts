import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as vocabulary from '../../src/core/vocabulary.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** The list of the vocabulary that each column with a closed list uses. */
const LIST_OF_COLUMN: Record<string, readonly string[]> = {
  'api_keys.role': vocabulary.ROLES,
  'attributions.confidence': vocabulary.CONFIDENCES,
  'attributions.method': vocabulary.ATTRIBUTION_METHODS,
  'attributions.reason': vocabulary.UNMATCHED_REASONS,
  'attributions.state': vocabulary.ATTRIBUTION_STATES,
  'brand_policies.inferred': vocabulary.INFERRED_POLICIES,
  'brand_policies.scope': vocabulary.MATCHING_SCOPES,
  'brands.fallbacks': vocabulary.FALLBACKS,
  'click_steps.step': vocabulary.STEPS,
  'clicks.verdict': vocabulary.VERDICTS,
  'destination_checks.failure': vocabulary.DESTINATION_FAILURES,
  'destination_checks.outcome': vocabulary.DESTINATION_OUTCOMES,
  'entry_domains.state': vocabulary.DOMAIN_STATES,
  'inbox_messages.outcome': vocabulary.MESSAGE_OUTCOMES,
  'inbox_messages.source': vocabulary.ORDER_SOURCES,
  'influencers.status': vocabulary.INFLUENCER_STATUSES,
  'journal_entries.kind': vocabulary.ENTRY_KINDS,
  'landing_mode_overrides.landing_mode': vocabulary.LANDING_MODES,
  'line_decisions.kind': vocabulary.DECISION_KINDS,
  'link_codes.kind': vocabulary.CODE_KINDS,
  'links.landing_mode': vocabulary.LANDING_MODES,
  'links.status': vocabulary.LINK_STATUSES,
  'order_events.type': vocabulary.ORDER_EVENT_TYPES,
  'orders.status': vocabulary.ORDER_STATUSES,
  'payees.kind': vocabulary.PAYEE_KINDS,
  'postings.account': vocabulary.ACCOUNT_KINDS,
  'products.status': vocabulary.PRODUCT_STATUSES,
  'step_rollups.step': vocabulary.COUNTED_STEPS,
  'store_assessments.kind': vocabulary.ASSESSMENT_KINDS,
  'store_assessments.source': vocabulary.ASSESSMENT_SOURCES,
  'stores.order_source': vocabulary.ORDER_SOURCES,
  'stores.platform': vocabulary.PLATFORMS,
  'stores.status': vocabulary.STORE_STATUSES,
  'terms.basis': vocabulary.COMMISSION_BASES,
  'tracking_slot_owners.kind': vocabulary.SLOT_KINDS,
};

/** A column compared with texts: `role = 'x'`, `role = any (array['x', 'y'])`, `fallbacks <@ array['x', 'y']`. */
const COMPARED = /\(?\b([a-z_]+) (?:=|<@) (?:ANY \()?((?:ARRAY\[)?'[^\]]*?'::text(?:\])?)(?=[) ])/g;

/** The texts that one check constraint compares each of its columns with. */
function listsOfConstraint(definition: string): Map<string, Set<string>> {
  const lists = new Map<string, Set<string>>();
  for (const [, column = '', written = ''] of definition.matchAll(COMPARED)) {
    const texts = lists.get(column) ?? new Set();
    for (const [, text = ''] of written.matchAll(/'([^']*)'::text/g)) texts.add(text);
    lists.set(column, texts);
  }
  return lists;
}

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => test.drop());

describe('the closed lists of the check constraints', () => {
  it('are exactly those of the vocabulary, and every list of a table is there', async () => {
    const { rows } = await test.db.query<{ table: string; definition: string }>(`
      select r.relname as "table", pg_get_constraintdef(c.oid) as definition
      from pg_constraint c join pg_class r on r.oid = c.conrelid
      where r.relnamespace = 'public'::regnamespace and c.contype = 'c' and c.conparentid = 0 and not r.relispartition`);
    const found = new Map<string, Set<string>>();
    for (const { table, definition } of rows) {
      for (const [column, texts] of listsOfConstraint(definition)) {
        const key = `${table}.${column}`;
        // Of several checks on one column, one has the whole list and the others compare with a part of it.
        if (texts.size > 1 && texts.size > (found.get(key)?.size ?? 0)) found.set(key, texts);
      }
    }
    const sorted = (lists: [string, Iterable<string>][]): Record<string, string[]> =>
      Object.fromEntries(lists.map(([column, texts]) => [column, [...texts].toSorted()]));
    expect(sorted([...found])).toEqual(sorted(Object.entries(LIST_OF_COLUMN)));
  });

  it('are read from every form in which a constraint is written', () => {
    const definition = `CHECK ((((kind = 'assign'::text) AND (a IS NOT NULL)) OR ((kind = 'reject'::text) AND (state = ANY (ARRAY['x'::text, 'y'::text]))))
      AND (fallbacks <@ ARRAY['same'::text, 'other'::text]))`;
    expect(listsOfConstraint(definition)).toEqual(
      new Map([
        ['kind', new Set(['assign', 'reject'])],
        ['state', new Set(['x', 'y'])],
        ['fallbacks', new Set(['same', 'other'])],
      ]),
    );
  });
});
