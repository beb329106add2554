-- For orientation: an order as small as it could be, without tenants, messages, facts or explanations.
create table simple_orders (
  id bigint generated always as identity primary key,
  store_id integer not null,
  external_id text not null,
  click_id text not null,
  paid_fen bigint not null,
  unique (store_id, external_id)
);
create table simple_commissions (
  id bigint generated always as identity primary key,
  order_id bigint not null unique references simple_orders (id),
  influencer_id text not null,
  amount_fen bigint not null
);
create table simple_entries (
  id bigint generated always as identity primary key,
  commission_id bigint not null references simple_commissions (id),
  account text not null,
  amount_fen bigint not null
);
create function bench_simple_order(p_store_id integer, p_key bigint, p_click_id text, p_clicked_at timestamptz)
returns boolean language plpgsql as $$
declare
  v_order_id bigint;
  v_commission_id bigint;
  v_influencer_id text;
begin
  insert into simple_orders (store_id, external_id, click_id, paid_fen) values (p_store_id, p_key::text, p_click_id, 19900)
  on conflict do nothing returning id into v_order_id;
  if v_order_id is null then return false; end if;
  select c.influencer_id into v_influencer_id from clicks c where c.click_id = p_click_id and c.clicked_at = p_clicked_at;
  insert into simple_commissions (order_id, influencer_id, amount_fen) values (v_order_id, v_influencer_id, 2985)
  returning id into v_commission_id;
  insert into simple_entries (commission_id, account, amount_fen)
  values (v_commission_id, 'brand_owes', 2985), (v_commission_id, 'pending', -2985);
  return true;
end $$;
