-- The limit to compare with: one function call a transaction that writes for one paid order what daihuo's intake writes, into the same
-- tables under the same constraints and triggers. It verifies no signature, folds no events and explains nothing.
create function bench_record_order(p_store_id text, p_key bigint, p_product integer, p_click_id text, p_clicked_at timestamptz)
returns boolean language plpgsql as $$
declare
  v_brand_id text;
  v_platform text;
  v_message_id bigint;
  v_order_id text := 'ord_' || lpad(p_key::text, 16, '0');
  v_line_id text := 'lin_' || lpad(p_key::text, 16, '0');
  v_entry_id text := 'jrn_' || lpad(p_key::text, 16, '0');
  v_product_id text;
  v_click record;
  v_link record;
  v_terms record;
  v_payee_id text;
  v_fee_bp integer;
  v_commission_fen bigint;
begin
  select s.brand_id, s.platform into v_brand_id, v_platform from stores s where s.id = p_store_id;
  insert into inbox_messages (store_id, brand_id, source, message_key, body_sha256, message_type, outcome)
  values (p_store_id, v_brand_id, 'shop', 'msg_bench_' || p_key, sha256(p_key::text::bytea), 'paid', 'applied')
  on conflict on constraint inbox_messages_key do nothing returning id into v_message_id;
  if v_message_id is null then return false; end if;
  insert into raw_messages (message_id, brand_id, sealed_body) values (v_message_id, v_brand_id, decode(repeat('5e', 290), 'hex'));
  insert into orders (id, brand_id, store_id, external_order_id) values (v_order_id, v_brand_id, p_store_id, 'bench-' || p_key)
  on conflict on constraint orders_external_key do nothing;
  select o.id into v_order_id from orders o
  where o.brand_id = v_brand_id and o.store_id = p_store_id and o.external_order_id = 'bench-' || p_key for update;
  insert into order_events (brand_id, message_id, order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
  values (v_brand_id, v_message_id, v_order_id, 0, 'paid', 1, now(), sha256(p_key::text::bytea), true,
    jsonb_build_object('type', 'paid', 'externalOrderId', 'bench-' || p_key, 'version', '1', 'occurredAt', now(), 'createdAt', now(),
      'lines', jsonb_build_array(jsonb_build_object('externalLineId', '1', 'itemKeys', jsonb_build_array('item:' || p_product),
        'quantity', 1, 'paidFen', '19900', 'evidence', jsonb_build_object('clickId', p_click_id)))));
  select k.product_id into v_product_id from product_item_keys k
  where k.brand_id = v_brand_id and k.store_id = p_store_id and k.item_key = 'item:' || p_product;
  update orders set status = 'paid', created_at = now(), paid_at = now() where brand_id = v_brand_id and id = v_order_id;
  insert into order_lines (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
    refund_excess_fen, closed, refund_open)
  values (v_line_id, v_brand_id, v_order_id, '1', v_product_id, array['item:' || p_product], 1, 19900, 0, 0, false, false);
  select c.click_id, c.clicked_at, c.link_number, c.tag into v_click from clicks c
  where c.click_id = p_click_id and c.clicked_at = p_clicked_at;
  if not found then raise exception 'no click %', p_click_id; end if;
  select l.id, l.influencer_id into v_link from links l where l.number = v_click.link_number;
  insert into attributions (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag)
  values (v_line_id, v_brand_id, 'matched', 'click_id', 'exact', v_link.id, v_link.influencer_id, v_click.click_id, v_click.clicked_at,
    v_click.tag);
  select t.id, t.rate_bp, t.window_days, t.hold_days, t.basis into v_terms from terms t
  where t.brand_id = v_brand_id and (t.product_id = v_product_id or t.store_id = p_store_id or t.scope_key = 'brand')
    and t.valid_from <= now() and (t.valid_to is null or now() < t.valid_to)
  order by t.product_id is null, t.store_id is null limit 1;
  select p.platform_fee_bp into v_fee_bp from brand_policies p
  where p.brand_id = v_brand_id and p.valid_from <= now() and (p.valid_to is null or now() < p.valid_to);
  select i.payee_id into v_payee_id from influencers i where i.id = v_link.influencer_id;
  v_commission_fen := (19900 * v_terms.rate_bp + 5000) / 10000;
  insert into priced_lines (line_id, brand_id, terms_id, product_id, influencer_id, order_created_at, basis, rate_bp, window_days,
    hold_days, platform_fee_bp, agency_share_bp, influencer_payee_id)
  values (v_line_id, v_brand_id, v_terms.id, v_product_id, v_link.influencer_id, now(), v_terms.basis, v_terms.rate_bp,
    v_terms.window_days, v_terms.hold_days, v_fee_bp, 0, v_payee_id);
  insert into journal_entries (id, brand_id, kind) values (v_entry_id, v_brand_id, 'booking');
  insert into entry_lines (entry_id, position, brand_id, line_id, order_id, store_id, product_id, platform, link_id, tag,
    influencer_id, method, paid_at, lines_delta, paid_delta_fen, refunded_delta_fen)
  values (v_entry_id, 1, v_brand_id, v_line_id, v_order_id, p_store_id, v_product_id, v_platform, v_link.id, v_click.tag,
    v_link.influencer_id, 'click_id', now(), 1, 19900, 0);
  insert into postings (entry_id, position, brand_id, line_position, payee_id, account, amount_fen)
  values (v_entry_id, 1, v_brand_id, 1, v_payee_id, 'brand_owes', v_commission_fen),
    (v_entry_id, 2, v_brand_id, 1, v_payee_id, 'pending', -v_commission_fen);
  return true;
end $$;
