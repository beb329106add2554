import type { TraceEntry } from '../../core/attribution/facts.ts';

/** One sentence for each detail the ladder leaves in its trace. */
const WORDS: Readonly<Record<string, string>> = {
  assign: 'A person credited the line to this link.',
  reject: 'A person decided that the line earns nobody anything.',
  no_click_id: 'The order carries no click id.',
  authentic: 'The order carries a click id of ours, and the click is stored.',
  authentic_without_row: 'The order carries a click id of ours; the click’s own row is not stored yet.',
  malformed: 'What the order carries as click id is not spelled as one.',
  unknown_key: 'The click id was made with a key that is none of ours.',
  forged: 'The click id was made or altered by somebody else.',
  unknown_link: 'The click id names a link that does not exist.',
  verdict_head: 'The click id was given to a program that asked for headers only; a person must decide.',
  verdict_preview: 'The click id was given to a link preview; a person must decide.',
  verdict_bot: 'The click id was given to a robot; a person must decide.',
  verdict_inactive:
    'The click was on a link that was paused or gone, and its id was never handed out; a person must decide.',
  verdict_scanner: 'The click id was given to a platform’s scanner; a person must decide.',
  no_slot: 'The order names no tracking slot.',
  no_relation: 'The order names no relation of a promoter.',
  no_code: 'The order carries no coupon and no code of ours.',
  no_click_time: 'The platform told no time of the buyer’s arrival.',
  no_click_near: 'Nobody’s link for the product was clicked near the buyer’s arrival.',
  platform_converts_links: 'The platform converts this store’s links itself, so its own evidence would be there.',
  no_click_in_window: 'No counted click on the product came before the order.',
  clicks_not_complete: 'Clicks from before the order may still be on their way.',
  link_of_another_brand: 'It belongs to another brand.',
  link_of_another_store: 'It names a link of another store.',
  link_of_another_product: 'It names a link of another product.',
  slot_of_another_product: 'The slot is leased for another product.',
  product_not_registered: 'The product sold is not registered with us.',
  click_after_order: 'The click came after the order was placed.',
  click_too_old: 'The click was longer before the order than the terms allow.',
  no_terms: 'No terms cover the sale.',
  link_not_active_then: 'The link was not active then.',
  product_not_active_then: 'The product was not on offer then.',
  influencer_not_active_then: 'The influencer was not active then.',
  unknown_to_us: 'It is not registered with us.',
  not_leased_then: 'It is registered, but was not leased to anybody at that time.',
  no_link_for_pair: 'The influencer it names has no link for the product; a person must decide.',
  no_click_of_influencer: 'The customer is bound to an influencer whose link was not clicked in the window.',
  named: 'It names this influencer, and nothing of equal rank names another.',
  conflict: 'Two influencers are named by evidence of equal rank; a person must decide.',
  ambiguous: 'Links of several influencers were clicked; which of them led to the sale cannot be known.',
  another_influencer_named: 'Stronger evidence names another influencer although it cannot pay; a person must decide.',
  click_time: 'It was clicked just before the platform saw the buyer arrive, and nobody else’s was.',
  sole_candidate: 'It is the last click on the product, and only this influencer’s links were clicked in the window.',
  policy_review: 'Only this influencer’s links were clicked; the brand wants a person to decide such sales.',
  policy_off: 'The brand does not pay for sales that are only inferred.',
};

/** The trace entry in a sentence. */
export function wordsOf(entry: Pick<TraceEntry, 'detail'>): string {
  return WORDS[entry.detail] ?? entry.detail.replaceAll('_', ' ');
}
