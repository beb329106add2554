-- The schema after all migrations, as Postgres describes it: tables with columns, constraints, indexes and triggers, then views, then functions.
-- For reading and for reviews. 'npm run schema' writes this file; the program never runs it. The monthly partitions of clicks are left out.

CREATE EXTENSION btree_gist;

CREATE TABLE api_keys (
  id text not null,
  role text not null,
  brand_id text,
  influencer_id text,
  label text not null,
  prefix text not null,
  hash bytea not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_hash_key UNIQUE (hash),
  constraint api_keys_brand_fkey FOREIGN KEY (brand_id) REFERENCES brands(id),
  constraint api_keys_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint api_keys_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'brand'::text, 'influencer'::text, 'finance'::text]))),
  constraint api_keys_subject_check CHECK ((((role = 'brand'::text) AND (brand_id IS NOT NULL) AND (influencer_id IS NULL)) OR ((role = 'influencer'::text) AND (influencer_id IS NOT NULL) AND (brand_id IS NULL)) OR ((role = 'finance'::text) AND (influencer_id IS NULL)) OR ((role = 'admin'::text) AND (brand_id IS NULL) AND (influencer_id IS NULL))))
);

CREATE TABLE attributions (
  line_id text not null,
  brand_id text not null,
  state text not null,
  method text,
  confidence text,
  link_id text,
  influencer_id text,
  click_id text,
  clicked_at timestamp with time zone,
  tag text,
  reason text,
  candidates jsonb not null default '[]'::jsonb,
  decided_at timestamp with time zone not null default now(),
  retry_at timestamp with time zone,
  dispute jsonb,
  constraint attributions_pkey PRIMARY KEY (brand_id, line_id),
  constraint attributions_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint attributions_line_fkey FOREIGN KEY (brand_id, line_id) REFERENCES order_lines(brand_id, id),
  constraint attributions_link_fkey FOREIGN KEY (brand_id, link_id) REFERENCES links(brand_id, id),
  constraint attributions_confidence_check CHECK ((confidence = ANY (ARRAY['manual'::text, 'exact'::text, 'strong'::text, 'inferred'::text]))),
  constraint attributions_method_check CHECK ((method = ANY (ARRAY['manual'::text, 'click_id'::text, 'tracking_slot'::text, 'relation'::text, 'code'::text, 'click_time'::text, 'sole_candidate'::text]))),
  constraint attributions_reason_check CHECK ((reason = ANY (ARRAY['no_evidence'::text, 'outside_window'::text, 'order_before_click'::text, 'ambiguous'::text, 'other_product'::text, 'wrong_brand'::text, 'product_not_registered'::text, 'no_terms'::text, 'policy_review'::text, 'policy_off'::text, 'conflict'::text, 'waiting_for_clicks'::text, 'rejected'::text]))),
  constraint attributions_state_check CHECK ((((state = 'matched'::text) AND (method IS NOT NULL) AND (confidence IS NOT NULL) AND (link_id IS NOT NULL) AND (influencer_id IS NOT NULL) AND (reason IS NULL)) OR ((state = ANY (ARRAY['unmatched'::text, 'review'::text])) AND (method IS NULL) AND (confidence IS NULL) AND (link_id IS NULL) AND (influencer_id IS NULL) AND (reason IS NOT NULL))))
);
CREATE INDEX attributions_retry_idx ON public.attributions USING btree (retry_at) WHERE (retry_at IS NOT NULL);
CREATE INDEX attributions_state_idx ON public.attributions USING btree (brand_id, state);

CREATE TABLE audit_log (
  id bigint generated always as identity not null,
  at timestamp with time zone not null default clock_timestamp(),
  actor text not null,
  action text not null,
  brand_id text,
  subject text not null,
  detail jsonb not null default '{}'::jsonb,
  constraint audit_log_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_log_action_idx ON public.audit_log USING btree (action, at, id);
CREATE INDEX audit_log_actor_idx ON public.audit_log USING btree (actor, at, id);
CREATE INDEX audit_log_at_idx ON public.audit_log USING btree (at, id);
CREATE INDEX audit_log_brand_idx ON public.audit_log USING btree (brand_id, at, id);
CREATE INDEX audit_log_subject_idx ON public.audit_log USING btree (subject, at, id);
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE brand_policies (
  id text not null,
  brand_id text not null,
  inferred text not null,
  scope text not null,
  platform_fee_bp integer not null,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  constraint brand_policies_pkey PRIMARY KEY (brand_id, id),
  constraint brand_policies_no_overlap EXCLUDE USING gist (brand_id WITH =, tstzrange(valid_from, valid_to) WITH &&),
  constraint brand_policies_brand_fkey FOREIGN KEY (brand_id) REFERENCES brands(id),
  constraint brand_policies_fee_check CHECK (((platform_fee_bp >= 0) AND (platform_fee_bp <= 9000))),
  constraint brand_policies_inferred_check CHECK ((inferred = ANY (ARRAY['pay'::text, 'review'::text, 'off'::text]))),
  constraint brand_policies_range_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from))),
  constraint brand_policies_scope_check CHECK ((scope = ANY (ARRAY['product'::text, 'store'::text])))
);

CREATE TABLE brands (
  id text not null,
  name text not null,
  fallbacks text[] not null default '{}'::text[],
  page_url text,
  created_at timestamp with time zone not null default now(),
  constraint brands_pkey PRIMARY KEY (id),
  constraint brands_fallbacks_check CHECK (((fallbacks <@ ARRAY['same_product'::text, 'brand_page'::text, 'other_products'::text]) AND (cardinality(fallbacks) <= 3))),
  constraint brands_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

CREATE TABLE click_dead_letters (
  id bigint generated always as identity not null,
  stream text not null,
  entry_id text not null,
  line integer not null,
  payload text not null,
  reason text not null,
  recorded_at timestamp with time zone not null default now(),
  constraint click_dead_letters_pkey PRIMARY KEY (id),
  constraint click_dead_letters_entry_key UNIQUE (stream, entry_id, line)
);

CREATE TABLE click_leases (
  shard integer not null,
  worker text not null,
  leased_until timestamp with time zone not null,
  constraint click_leases_pkey PRIMARY KEY (shard)
);

CREATE TABLE click_rollups (
  link_number bigint not null,
  hour timestamp with time zone not null,
  verdict text not null,
  tag text not null default ''::text,
  brand_id text not null,
  clicks bigint not null,
  uniques bigint not null,
  constraint click_rollups_pkey PRIMARY KEY (link_number, hour, verdict, tag)
) WITH (fillfactor=50);

CREATE TABLE click_spools (
  spool_id text not null,
  oldest_at timestamp with time zone not null,
  sent_at timestamp with time zone,
  updated_at timestamp with time zone not null default now(),
  constraint click_spools_pkey PRIMARY KEY (spool_id)
);

CREATE TABLE click_steps (
  click_id text not null,
  step text not null,
  clicked_at timestamp with time zone not null,
  stepped_at timestamp with time zone not null,
  link_number bigint not null,
  brand_id text not null,
  product_id text not null,
  app text not null,
  os text not null,
  constraint click_steps_pkey PRIMARY KEY (click_id, step),
  constraint click_steps_step_check CHECK ((step = ANY (ARRAY['view'::text, 'copy'::text, 'open'::text, 'continue'::text])))
);
CREATE INDEX click_steps_product_idx ON public.click_steps USING btree (product_id, stepped_at);
CREATE INDEX click_steps_time_idx ON public.click_steps USING brin (stepped_at);

CREATE TABLE click_visits (
  day date not null,
  visit bigint not null,
  last_counted_at timestamp with time zone not null,
  constraint click_visits_pkey PRIMARY KEY (day, visit)
) WITH (fillfactor=90);

CREATE TABLE click_watermarks (
  shard integer not null,
  drained_to timestamp with time zone not null,
  constraint click_watermarks_pkey PRIMARY KEY (shard)
);

CREATE TABLE click_workers (
  worker text not null,
  seen_at timestamp with time zone not null,
  constraint click_workers_pkey PRIMARY KEY (worker)
);

CREATE TABLE click_writers (
  shard integer not null,
  worker text not null,
  fencing_token bigint not null default 0,
  constraint click_writers_pkey PRIMARY KEY (shard)
);

CREATE TABLE clicks (
  click_id text not null,
  clicked_at timestamp with time zone not null,
  link_number bigint not null,
  brand_id text not null,
  link_id text not null,
  product_id text not null,
  influencer_id text not null,
  tag text,
  verdict text not null,
  visitor bytea not null,
  app text,
  os text,
  province text,
  outcome text,
  ingested_at timestamp with time zone not null default now(),
  constraint clicks_pkey PRIMARY KEY (click_id, clicked_at),
  constraint clicks_verdict_check CHECK ((verdict = ANY (ARRAY['counted'::text, 'repeat'::text, 'head'::text, 'prefetch'::text, 'preview'::text, 'bot'::text, 'scanner'::text, 'inactive'::text])))
) PARTITION BY RANGE (clicked_at);
CREATE INDEX clicks_link_idx ON ONLY public.clicks USING btree (link_number, clicked_at);
CREATE INDEX clicks_product_idx ON ONLY public.clicks USING btree (product_id, clicked_at);
CREATE TRIGGER clicks_append_only BEFORE DELETE OR UPDATE ON public.clicks FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER clicks_no_truncate BEFORE TRUNCATE ON public.clicks FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE coupon_owners (
  store_id text not null,
  code text not null,
  influencer_id text not null,
  brand_id text not null,
  constraint coupon_owners_pkey PRIMARY KEY (brand_id, store_id, code),
  constraint coupon_owners_lease_key UNIQUE (brand_id, store_id, code, influencer_id),
  constraint coupon_owners_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint coupon_owners_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id)
);

CREATE TABLE coupons (
  id text not null,
  brand_id text not null,
  store_id text not null,
  code text not null,
  influencer_id text not null,
  valid_from timestamp with time zone not null default now(),
  valid_to timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint coupons_pkey PRIMARY KEY (brand_id, id),
  constraint coupons_no_overlap EXCLUDE USING gist (brand_id WITH =, store_id WITH =, code WITH =, tstzrange(valid_from, valid_to) WITH &&),
  constraint coupons_owner_fkey FOREIGN KEY (brand_id, store_id, code, influencer_id) REFERENCES coupon_owners(brand_id, store_id, code, influencer_id),
  constraint coupons_range_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from)))
);
CREATE INDEX coupons_id_idx ON public.coupons USING btree (id);

CREATE TABLE destination_checks (
  product_id text not null,
  brand_id text not null,
  host text not null,
  taken_at timestamp with time zone,
  next_check_at timestamp with time zone not null default now(),
  checked_at timestamp with time zone,
  outcome text,
  status integer,
  failure text,
  failures integer not null default 0,
  first_failed_at timestamp with time zone,
  last_failed_at timestamp with time zone,
  broken_since timestamp with time zone,
  constraint destination_checks_pkey PRIMARY KEY (brand_id, product_id),
  constraint destination_checks_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint destination_checks_count_check CHECK (((failures >= 0) AND ((failures = 0) = (first_failed_at IS NULL)) AND ((failures = 0) = (last_failed_at IS NULL)) AND ((failures = 0) = (failure IS NULL)) AND ((failures > 0) OR (broken_since IS NULL)))),
  constraint destination_checks_failure_check CHECK ((failure = ANY (ARRAY['not_found'::text, 'gone'::text, 'item_missing'::text, 'no_such_host'::text]))),
  constraint destination_checks_outcome_check CHECK ((outcome = ANY (ARRAY['reachable'::text, 'missing'::text, 'unknown'::text])))
);
CREATE INDEX destination_checks_due_idx ON public.destination_checks USING btree (next_check_at);
CREATE INDEX destination_checks_taken_idx ON public.destination_checks USING btree (taken_at);

CREATE TABLE entry_domains (
  host text not null,
  position integer not null,
  state text not null,
  note text not null,
  changed_at timestamp with time zone not null default now(),
  constraint entry_domains_pkey PRIMARY KEY (host),
  constraint entry_domains_host_check CHECK ((host ~ '^[a-z0-9.-]{1,253}(:[0-9]{1,5})?$'::text)),
  constraint entry_domains_state_check CHECK ((state = ANY (ARRAY['healthy'::text, 'suspect'::text, 'blocked'::text])))
);

CREATE TABLE entry_lines (
  entry_id text not null,
  position integer not null,
  brand_id text not null,
  line_id text not null,
  order_id text not null,
  store_id text not null,
  product_id text not null,
  platform text not null,
  link_id text not null,
  tag text,
  influencer_id text not null,
  agency_payee_id text,
  method text not null,
  paid_at timestamp with time zone not null,
  lines_delta integer not null,
  paid_delta_fen bigint not null,
  refunded_delta_fen bigint not null,
  constraint entry_lines_pkey PRIMARY KEY (brand_id, entry_id, "position"),
  constraint entry_lines_agency_fkey FOREIGN KEY (agency_payee_id) REFERENCES payees(id),
  constraint entry_lines_entry_fkey FOREIGN KEY (brand_id, entry_id) REFERENCES journal_entries(brand_id, id),
  constraint entry_lines_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint entry_lines_line_fkey FOREIGN KEY (brand_id, line_id) REFERENCES order_lines(brand_id, id),
  constraint entry_lines_link_fkey FOREIGN KEY (brand_id, link_id) REFERENCES links(brand_id, id),
  constraint entry_lines_order_fkey FOREIGN KEY (brand_id, order_id) REFERENCES orders(brand_id, id),
  constraint entry_lines_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint entry_lines_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id)
);
CREATE INDEX entry_lines_brand_idx ON public.entry_lines USING btree (brand_id, paid_at);
CREATE INDEX entry_lines_influencer_idx ON public.entry_lines USING btree (influencer_id, paid_at);
CREATE INDEX entry_lines_line_idx ON public.entry_lines USING btree (line_id);
CREATE TRIGGER entry_lines_append_only BEFORE DELETE OR UPDATE ON public.entry_lines FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_lines_no_truncate BEFORE TRUNCATE ON public.entry_lines FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE entry_seals (
  brand_id text not null,
  sequence bigint not null,
  entry_id text not null,
  sealed_at timestamp with time zone not null,
  hash bytea not null,
  constraint entry_seals_pkey PRIMARY KEY (brand_id, sequence),
  constraint entry_seals_entry_key UNIQUE (brand_id, entry_id),
  constraint entry_seals_entry_fkey FOREIGN KEY (brand_id, entry_id) REFERENCES journal_entries(brand_id, id),
  constraint entry_seals_sequence_check CHECK ((sequence >= 1))
);
CREATE TRIGGER entry_seals_append_only BEFORE DELETE OR UPDATE ON public.entry_seals FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_seals_no_truncate BEFORE TRUNCATE ON public.entry_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE idempotency_keys (
  key_id text not null,
  method text not null,
  path text not null,
  idempotency_key text not null,
  body_sha256 bytea not null,
  status integer,
  body text,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  constraint idempotency_keys_pkey PRIMARY KEY (key_id, method, path, idempotency_key)
);
CREATE INDEX idempotency_keys_expiry_idx ON public.idempotency_keys USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE TABLE inbox_messages (
  id bigint generated always as identity not null,
  brand_id text not null,
  store_id text not null,
  source text not null,
  message_key text not null,
  body_sha256 bytea not null,
  message_type text not null,
  outcome text not null,
  reason text,
  received_at timestamp with time zone not null default now(),
  constraint inbox_messages_pkey PRIMARY KEY (brand_id, id),
  constraint inbox_messages_key UNIQUE (brand_id, store_id, source, message_key),
  constraint inbox_messages_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id),
  constraint inbox_messages_outcome_check CHECK ((outcome = ANY (ARRAY['applied'::text, 'supplementary'::text, 'ignored'::text, 'quarantined'::text]))),
  constraint inbox_messages_source_check CHECK ((source = ANY (ARRAY['youzan'::text, 'shop'::text, 'tbk'::text])))
);
CREATE INDEX inbox_messages_quarantine_idx ON public.inbox_messages USING btree (received_at, id) WHERE (outcome = 'quarantined'::text);
CREATE TRIGGER inbox_messages_append_only BEFORE DELETE OR UPDATE ON public.inbox_messages FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inbox_messages_no_truncate BEFORE TRUNCATE ON public.inbox_messages FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE influencer_agencies (
  id text not null,
  influencer_id text not null,
  agency_payee_id text,
  share_bp integer not null,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  constraint influencer_agencies_pkey PRIMARY KEY (id),
  constraint influencer_agencies_no_overlap EXCLUDE USING gist (influencer_id WITH =, tstzrange(valid_from, valid_to) WITH &&),
  constraint influencer_agencies_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint influencer_agencies_payee_fkey FOREIGN KEY (agency_payee_id) REFERENCES payees(id),
  constraint influencer_agencies_range_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from))),
  constraint influencer_agencies_share_check CHECK ((((share_bp >= 0) AND (share_bp <= 10000)) AND ((agency_payee_id IS NOT NULL) OR (share_bp = 0))))
);

CREATE TABLE influencers (
  id text not null,
  name text not null,
  code text not null,
  douyin_id text,
  tier text,
  payee_id text not null,
  status text not null default 'active'::text,
  created_at timestamp with time zone not null default now(),
  constraint influencers_pkey PRIMARY KEY (id),
  constraint influencers_code_key UNIQUE (code),
  constraint influencers_payee_key UNIQUE (payee_id),
  constraint influencers_payee_fkey FOREIGN KEY (payee_id) REFERENCES payees(id),
  constraint influencers_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text])))
);
CREATE TRIGGER influencers_status_history AFTER INSERT OR UPDATE OF status ON public.influencers FOR EACH ROW EXECUTE FUNCTION record_status_change();
CREATE TRIGGER influencers_touch_links AFTER UPDATE ON public.influencers FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION touch_links_of_influencer();

CREATE TABLE journal_entries (
  id text not null,
  brand_id text not null,
  kind text not null,
  posted_at timestamp with time zone not null default clock_timestamp(),
  constraint journal_entries_pkey PRIMARY KEY (brand_id, id),
  constraint journal_entries_brand_fkey FOREIGN KEY (brand_id) REFERENCES brands(id),
  constraint journal_entries_kind_check CHECK ((kind = ANY (ARRAY['booking'::text, 'release'::text, 'payout_lock'::text, 'payout_paid'::text, 'payout_fail'::text, 'receipt'::text, 'write_off'::text])))
);
CREATE INDEX journal_entries_posted_idx ON public.journal_entries USING btree (posted_at, id);
CREATE TRIGGER journal_entries_append_only BEFORE DELETE OR UPDATE ON public.journal_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entries_no_truncate BEFORE TRUNCATE ON public.journal_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entries_queue_for_seal AFTER INSERT ON public.journal_entries REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION queue_entries_for_seal();

CREATE TABLE landing_mode_overrides (
  brand_id text,
  app text not null,
  landing_mode text not null,
  constraint landing_mode_overrides_key UNIQUE NULLS NOT DISTINCT (brand_id, app),
  constraint landing_mode_overrides_brand_fkey FOREIGN KEY (brand_id) REFERENCES brands(id),
  constraint landing_mode_overrides_app_check CHECK ((app ~ '^[a-z_]{1,32}$'::text)),
  constraint landing_mode_overrides_mode_check CHECK ((landing_mode = ANY (ARRAY['direct'::text, 'page'::text])))
);

CREATE TABLE line_decisions (
  id bigint generated always as identity not null,
  line_id text not null,
  brand_id text not null,
  kind text not null,
  link_id text,
  overruled_link_id text,
  note text not null,
  decided_by text not null,
  decided_at timestamp with time zone not null default clock_timestamp(),
  undone_by text,
  undone_at timestamp with time zone,
  constraint line_decisions_pkey PRIMARY KEY (brand_id, id),
  constraint line_decisions_line_fkey FOREIGN KEY (brand_id, line_id) REFERENCES order_lines(brand_id, id),
  constraint line_decisions_link_fkey FOREIGN KEY (brand_id, link_id) REFERENCES links(brand_id, id),
  constraint line_decisions_overruled_fkey FOREIGN KEY (brand_id, overruled_link_id) REFERENCES links(brand_id, id),
  constraint line_decisions_kind_check CHECK ((((kind = 'assign'::text) AND (link_id IS NOT NULL)) OR ((kind = 'reject'::text) AND (link_id IS NULL)))),
  constraint line_decisions_undone_check CHECK (((undone_by IS NULL) = (undone_at IS NULL)))
);
CREATE INDEX line_decisions_line_idx ON public.line_decisions USING btree (brand_id, line_id, decided_at, id);
CREATE UNIQUE INDEX line_decisions_standing_key ON public.line_decisions USING btree (brand_id, line_id) WHERE (undone_at IS NULL);

CREATE TABLE link_codes (
  code text not null,
  link_id text not null,
  brand_id text not null,
  kind text not null,
  created_at timestamp with time zone not null default now(),
  constraint link_codes_pkey PRIMARY KEY (code),
  constraint link_codes_link_fkey FOREIGN KEY (brand_id, link_id) REFERENCES links(brand_id, id),
  constraint link_codes_kind_check CHECK ((kind = ANY (ARRAY['code'::text, 'alias'::text]))),
  constraint link_codes_shape_check CHECK ((code ~ '^[a-z0-9-]{4,32}$'::text))
);
CREATE INDEX link_codes_link_idx ON public.link_codes USING btree (link_id);
CREATE UNIQUE INDEX link_codes_one_code_key ON public.link_codes USING btree (link_id) WHERE (kind = 'code'::text);
CREATE TRIGGER link_codes_append_only BEFORE DELETE OR UPDATE ON public.link_codes FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER link_codes_no_truncate BEFORE TRUNCATE ON public.link_codes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER link_codes_notify AFTER INSERT ON public.link_codes FOR EACH ROW EXECUTE FUNCTION notify_link_code();

CREATE TABLE links (
  id text not null,
  number bigint generated always as identity not null,
  brand_id text not null,
  product_id text not null,
  influencer_id text not null,
  status text not null default 'active'::text,
  landing_mode text,
  tao_code text,
  version bigint not null default 1,
  created_at timestamp with time zone not null default now(),
  constraint links_pkey PRIMARY KEY (brand_id, id),
  constraint links_number_key UNIQUE (number),
  constraint links_pair_key UNIQUE (brand_id, product_id, influencer_id),
  constraint links_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint links_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint links_landing_mode_check CHECK ((landing_mode = ANY (ARRAY['direct'::text, 'page'::text]))),
  constraint links_number_check CHECK ((number < '1099511627776'::bigint)),
  constraint links_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text])))
);
CREATE INDEX links_created_idx ON public.links USING btree (created_at DESC, id DESC);
CREATE INDEX links_id_idx ON public.links USING btree (id);
CREATE INDEX links_influencer_idx ON public.links USING btree (influencer_id, created_at DESC, id DESC);
CREATE INDEX links_product_idx ON public.links USING btree (product_id);
CREATE TRIGGER links_notify AFTER UPDATE ON public.links FOR EACH ROW WHEN ((old.version IS DISTINCT FROM new.version)) EXECUTE FUNCTION notify_link_change();
CREATE TRIGGER links_status_history AFTER INSERT OR UPDATE OF status ON public.links FOR EACH ROW EXECUTE FUNCTION record_status_change();
CREATE TRIGGER links_version BEFORE UPDATE OF status, landing_mode ON public.links FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) OR (old.landing_mode IS DISTINCT FROM new.landing_mode))) EXECUTE FUNCTION raise_link_version();

CREATE TABLE message_conflicts (
  id bigint generated always as identity not null,
  message_id bigint not null,
  brand_id text not null,
  body_sha256 bytea not null,
  received_at timestamp with time zone not null default now(),
  constraint message_conflicts_pkey PRIMARY KEY (brand_id, id),
  constraint message_conflicts_key UNIQUE (brand_id, message_id, body_sha256),
  constraint message_conflicts_message_fkey FOREIGN KEY (brand_id, message_id) REFERENCES inbox_messages(brand_id, id)
);

CREATE TABLE order_events (
  brand_id text not null,
  message_id bigint not null,
  position integer not null,
  order_id text not null,
  type text not null,
  version bigint not null,
  occurred_at timestamp with time zone not null,
  fingerprint bytea not null,
  makes_facts boolean not null,
  event jsonb not null,
  recorded_at timestamp with time zone not null default now(),
  constraint order_events_pkey PRIMARY KEY (brand_id, message_id, "position"),
  constraint order_events_message_fkey FOREIGN KEY (brand_id, message_id) REFERENCES inbox_messages(brand_id, id),
  constraint order_events_order_fkey FOREIGN KEY (brand_id, order_id) REFERENCES orders(brand_id, id),
  constraint order_events_type_check CHECK ((type = ANY (ARRAY['created'::text, 'paid'::text, 'received'::text, 'settled'::text, 'closed'::text, 'refunded'::text, 'refund_requested'::text, 'refund_closed'::text])))
);
CREATE INDEX order_events_order_idx ON public.order_events USING btree (order_id, recorded_at);
CREATE TRIGGER order_events_append_only BEFORE DELETE OR UPDATE ON public.order_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_events_no_truncate BEFORE TRUNCATE ON public.order_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE order_lines (
  id text not null,
  brand_id text not null,
  order_id text not null,
  external_line_id text not null,
  product_id text,
  item_keys text[] not null,
  quantity bigint not null,
  paid_fen bigint not null,
  refunded_fen bigint not null,
  refund_excess_fen bigint not null,
  closed boolean not null,
  refund_open boolean not null,
  received_at timestamp with time zone,
  first_seen_at timestamp with time zone not null default now(),
  received_seen_at timestamp with time zone,
  constraint order_lines_pkey PRIMARY KEY (brand_id, id),
  constraint order_lines_external_key UNIQUE (brand_id, order_id, external_line_id),
  constraint order_lines_order_fkey FOREIGN KEY (brand_id, order_id) REFERENCES orders(brand_id, id),
  constraint order_lines_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint order_lines_excess_check CHECK ((refund_excess_fen >= 0)),
  constraint order_lines_paid_check CHECK ((paid_fen >= 0)),
  constraint order_lines_quantity_check CHECK ((quantity >= 0)),
  constraint order_lines_refunded_check CHECK (((refunded_fen >= 0) AND (refunded_fen <= paid_fen)))
);
CREATE INDEX order_lines_id_idx ON public.order_lines USING btree (id);

CREATE TABLE orders (
  id text not null,
  brand_id text not null,
  store_id text not null,
  external_order_id text not null,
  status text not null default 'created'::text,
  created_at timestamp with time zone,
  paid_at timestamp with time zone,
  received_at timestamp with time zone,
  closed_at timestamp with time zone,
  first_seen_at timestamp with time zone not null default now(),
  constraint orders_pkey PRIMARY KEY (brand_id, id),
  constraint orders_external_key UNIQUE (brand_id, store_id, external_order_id),
  constraint orders_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id),
  constraint orders_status_check CHECK ((status = ANY (ARRAY['created'::text, 'paid'::text, 'received'::text, 'closed'::text])))
);
CREATE INDEX orders_brand_paid_idx ON public.orders USING btree (brand_id, paid_at);
CREATE INDEX orders_id_idx ON public.orders USING btree (id);
CREATE INDEX orders_paid_idx ON public.orders USING btree (paid_at);

CREATE TABLE payees (
  id text not null,
  kind text not null,
  name text not null,
  created_at timestamp with time zone not null default now(),
  constraint payees_pkey PRIMARY KEY (id),
  constraint payees_kind_check CHECK ((kind = ANY (ARRAY['influencer'::text, 'agency'::text, 'operator'::text])))
);

CREATE TABLE postings (
  entry_id text not null,
  position integer not null,
  brand_id text not null,
  line_position integer,
  payee_id text not null,
  account text not null,
  amount_fen bigint not null,
  reversed_delta_fen bigint not null default 0,
  constraint postings_pkey PRIMARY KEY (brand_id, entry_id, "position"),
  constraint postings_entry_fkey FOREIGN KEY (brand_id, entry_id) REFERENCES journal_entries(brand_id, id),
  constraint postings_line_fkey FOREIGN KEY (brand_id, entry_id, line_position) REFERENCES entry_lines(brand_id, entry_id, "position"),
  constraint postings_payee_fkey FOREIGN KEY (payee_id) REFERENCES payees(id),
  constraint postings_account_check CHECK ((account = ANY (ARRAY['brand_owes'::text, 'platform_owes'::text, 'cash'::text, 'pending'::text, 'payable'::text, 'in_payout'::text, 'debt'::text, 'fee_pending'::text, 'fee_earned'::text, 'written_off'::text]))),
  constraint postings_amount_check CHECK (((amount_fen <> 0) OR (reversed_delta_fen <> 0))),
  constraint postings_reversed_check CHECK (((reversed_delta_fen = 0) OR (account = ANY (ARRAY['brand_owes'::text, 'platform_owes'::text]))))
);
CREATE INDEX postings_payee_idx ON public.postings USING btree (payee_id, brand_id);
CREATE TRIGGER postings_append_only BEFORE DELETE OR UPDATE ON public.postings FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER postings_balanced AFTER INSERT ON public.postings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_unbalanced_entries();
CREATE TRIGGER postings_no_truncate BEFORE TRUNCATE ON public.postings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE priced_lines (
  line_id text not null,
  brand_id text not null,
  terms_id text not null,
  product_id text not null,
  influencer_id text not null,
  order_created_at timestamp with time zone not null,
  basis text not null,
  rate_bp integer,
  flat_fen bigint,
  window_days integer not null,
  hold_days integer not null,
  platform_fee_bp integer not null,
  agency_payee_id text,
  agency_share_bp integer not null,
  influencer_payee_id text not null,
  priced_at timestamp with time zone not null default now(),
  payable_at timestamp with time zone,
  released_at timestamp with time zone,
  hold_note text,
  hold_by text,
  constraint priced_lines_pkey PRIMARY KEY (brand_id, line_id),
  constraint priced_lines_agency_fkey FOREIGN KEY (agency_payee_id) REFERENCES payees(id),
  constraint priced_lines_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint priced_lines_line_fkey FOREIGN KEY (brand_id, line_id) REFERENCES order_lines(brand_id, id),
  constraint priced_lines_payee_fkey FOREIGN KEY (influencer_payee_id) REFERENCES payees(id),
  constraint priced_lines_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint priced_lines_terms_fkey FOREIGN KEY (brand_id, terms_id) REFERENCES terms(brand_id, id),
  constraint priced_lines_rate_check CHECK (((rate_bp IS NULL) <> (flat_fen IS NULL)))
);
CREATE INDEX priced_lines_due_idx ON public.priced_lines USING btree (payable_at) WHERE ((released_at IS NULL) AND (payable_at IS NOT NULL));

CREATE TABLE product_item_keys (
  store_id text not null,
  item_key text not null,
  product_id text not null,
  brand_id text not null,
  constraint product_item_keys_pkey PRIMARY KEY (brand_id, store_id, item_key),
  constraint product_item_keys_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint product_item_keys_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id)
);
CREATE INDEX product_item_keys_product_idx ON public.product_item_keys USING btree (product_id);

CREATE TABLE product_pictures (
  product_id text not null,
  brand_id text not null,
  source_url text not null,
  sha256 text,
  bytes bytea storage external,
  width integer,
  height integer,
  media_type text,
  fetched_at timestamp with time zone,
  tries integer not null default 0,
  next_try_at timestamp with time zone default now(),
  problem text,
  constraint product_pictures_pkey PRIMARY KEY (brand_id, product_id),
  constraint product_pictures_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint product_pictures_media_type_check CHECK ((media_type = 'image/webp'::text)),
  constraint product_pictures_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint product_pictures_size_check CHECK (((octet_length(bytes) >= 1) AND (octet_length(bytes) <= 61440))),
  constraint product_pictures_whole_check CHECK ((num_nulls(sha256, bytes, width, height, media_type, fetched_at) = ANY (ARRAY[0, 6])))
);
CREATE INDEX product_pictures_due_idx ON public.product_pictures USING btree (next_try_at) WHERE (next_try_at IS NOT NULL);
CREATE INDEX product_pictures_sha256_idx ON public.product_pictures USING btree (sha256) WHERE (sha256 IS NOT NULL);

CREATE TABLE products (
  id text not null,
  brand_id text not null,
  store_id text not null,
  title text not null,
  url text not null,
  price_fen bigint not null,
  price_taken_at timestamp with time zone not null default now(),
  external_item_id text,
  affiliate_item_id text,
  image_url text,
  tao_code text,
  alternate_product_id text,
  status text not null default 'active'::text,
  created_at timestamp with time zone not null default now(),
  constraint products_pkey PRIMARY KEY (brand_id, id),
  constraint products_alternate_fkey FOREIGN KEY (brand_id, alternate_product_id) REFERENCES products(brand_id, id),
  constraint products_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id),
  constraint products_alternate_check CHECK ((alternate_product_id <> id)),
  constraint products_price_check CHECK (((price_fen >= 0) AND (price_fen <= '9007199254740991'::bigint))),
  constraint products_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text, 'off_sale'::text])))
);
CREATE INDEX products_id_idx ON public.products USING btree (id);
CREATE INDEX products_offer_idx ON public.products USING btree (created_at DESC, id DESC) WHERE (status = 'active'::text);
CREATE INDEX products_same_item_idx ON public.products USING btree (brand_id, external_item_id) WHERE (external_item_id IS NOT NULL);
CREATE INDEX products_store_idx ON public.products USING btree (store_id, id);
CREATE TRIGGER products_delete_destination_check AFTER UPDATE OF url ON public.products FOR EACH ROW WHEN ((old.url IS DISTINCT FROM new.url)) EXECUTE FUNCTION delete_destination_check();
CREATE TRIGGER products_insert_queues_picture AFTER INSERT ON public.products FOR EACH ROW WHEN ((new.image_url IS NOT NULL)) EXECUTE FUNCTION queue_product_picture();
CREATE TRIGGER products_status_history AFTER INSERT OR UPDATE OF status ON public.products FOR EACH ROW EXECUTE FUNCTION record_status_change();
CREATE TRIGGER products_touch_links AFTER UPDATE ON public.products FOR EACH ROW WHEN (((old.url IS DISTINCT FROM new.url) OR (old.status IS DISTINCT FROM new.status))) EXECUTE FUNCTION touch_links_of_product();
CREATE TRIGGER products_update_queues_picture AFTER UPDATE OF image_url ON public.products FOR EACH ROW WHEN ((old.image_url IS DISTINCT FROM new.image_url)) EXECUTE FUNCTION queue_product_picture();

CREATE TABLE raw_messages (
  message_id bigint not null,
  brand_id text not null,
  sealed_body bytea not null,
  received_at timestamp with time zone not null default now(),
  constraint raw_messages_pkey PRIMARY KEY (brand_id, message_id),
  constraint raw_messages_message_fkey FOREIGN KEY (brand_id, message_id) REFERENCES inbox_messages(brand_id, id)
);
CREATE INDEX raw_messages_age_idx ON public.raw_messages USING btree (received_at);

CREATE TABLE schema_migrations (
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default now(),
  constraint schema_migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE seal_queue (
  entry_id text not null,
  brand_id text not null,
  posted_at timestamp with time zone not null,
  constraint seal_queue_pkey PRIMARY KEY (brand_id, entry_id)
);

CREATE TABLE sealer_state (
  singleton boolean not null default true,
  sealed_through timestamp with time zone not null,
  constraint sealer_state_pkey PRIMARY KEY (singleton),
  constraint sealer_state_singleton_check CHECK (singleton)
);

CREATE TABLE status_changes (
  id bigint generated always as identity not null,
  subject_id text not null,
  status text not null,
  changed_at timestamp with time zone not null default clock_timestamp(),
  constraint status_changes_pkey PRIMARY KEY (id)
);
CREATE INDEX status_changes_subject_idx ON public.status_changes USING btree (subject_id, changed_at, id);

CREATE TABLE step_rollups (
  link_number bigint not null,
  day date not null,
  app text not null,
  step text not null,
  brand_id text not null,
  steps bigint not null,
  constraint step_rollups_pkey PRIMARY KEY (link_number, day, app, step),
  constraint step_rollups_step_check CHECK ((step = ANY (ARRAY['shown'::text, 'view'::text, 'copy'::text, 'open'::text, 'continue'::text])))
) WITH (fillfactor=50);

CREATE TABLE store_assessments (
  id bigint generated always as identity not null,
  store_id text not null,
  brand_id text not null,
  kind text not null,
  score numeric,
  scale numeric,
  opened_on date,
  source text not null,
  recorded_by text not null,
  recorded_at timestamp with time zone not null default clock_timestamp(),
  constraint store_assessments_pkey PRIMARY KEY (brand_id, id),
  constraint store_assessments_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id),
  constraint store_assessments_kind_check CHECK ((((kind = 'rating'::text) AND (score IS NOT NULL) AND (scale IS NOT NULL) AND (opened_on IS NULL) AND (scale > (0)::numeric) AND (score >= (0)::numeric) AND (score <= scale)) OR ((kind = 'opened_on'::text) AND (opened_on IS NOT NULL) AND (score IS NULL) AND (scale IS NULL)))),
  constraint store_assessments_source_check CHECK ((source = ANY (ARRAY['declared'::text, 'admin'::text, 'platform'::text])))
);
CREATE INDEX store_assessments_newest_idx ON public.store_assessments USING btree (store_id, kind, recorded_at DESC, id DESC);

CREATE TABLE stores (
  id text not null,
  brand_id text not null,
  platform text not null,
  external_shop_id text not null,
  name text not null,
  order_source text not null,
  status text not null default 'active'::text,
  webhook_secret_sealed bytea not null,
  youzan_client_id text,
  youzan_client_secret_sealed bytea,
  created_at timestamp with time zone not null default now(),
  constraint stores_pkey PRIMARY KEY (brand_id, id),
  constraint stores_brand_fkey FOREIGN KEY (brand_id) REFERENCES brands(id),
  constraint stores_order_source_check CHECK ((order_source = ANY (ARRAY['youzan'::text, 'shop'::text, 'tbk'::text]))),
  constraint stores_platform_check CHECK ((platform = ANY (ARRAY['taobao'::text, 'tmall'::text, 'youzan'::text]))),
  constraint stores_status_check CHECK ((status = ANY (ARRAY['active'::text, 'closed'::text]))),
  constraint stores_youzan_check CHECK (((youzan_client_id IS NULL) = (youzan_client_secret_sealed IS NULL)))
);
CREATE UNIQUE INDEX stores_active_shop_key ON public.stores USING btree (platform, external_shop_id) WHERE (status = 'active'::text);
CREATE INDEX stores_id_idx ON public.stores USING btree (id);
CREATE INDEX stores_youzan_client_idx ON public.stores USING btree (youzan_client_id) WHERE (youzan_client_id IS NOT NULL);
CREATE TRIGGER stores_touch_links AFTER UPDATE ON public.stores FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) OR (old.platform IS DISTINCT FROM new.platform))) EXECUTE FUNCTION touch_links_of_store();

CREATE TABLE terms (
  id text not null,
  brand_id text not null,
  scope_key text not null,
  store_id text,
  product_id text,
  influencer_id text,
  basis text not null,
  rate_bp integer,
  flat_fen bigint,
  window_days integer not null,
  hold_days integer not null,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  constraint terms_pkey PRIMARY KEY (brand_id, id),
  constraint terms_no_overlap EXCLUDE USING gist (brand_id WITH =, scope_key WITH =, tstzrange(valid_from, valid_to) WITH &&),
  constraint terms_brand_fkey FOREIGN KEY (brand_id) REFERENCES brands(id),
  constraint terms_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint terms_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint terms_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id),
  constraint terms_basis_check CHECK ((basis = ANY (ARRAY['order_amount'::text, 'platform_commission'::text]))),
  constraint terms_flat_check CHECK (((flat_fen >= 0) AND (flat_fen <= '9007199254740991'::bigint))),
  constraint terms_hold_check CHECK (((hold_days >= 0) AND (hold_days <= 180))),
  constraint terms_influencer_scope_check CHECK (((influencer_id IS NULL) OR (store_id IS NOT NULL) OR (product_id IS NOT NULL))),
  constraint terms_range_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from))),
  constraint terms_rate_check CHECK (((rate_bp IS NULL) <> (flat_fen IS NULL))),
  constraint terms_rate_range_check CHECK (((rate_bp >= 0) AND (rate_bp <= 9000))),
  constraint terms_scope_check CHECK (((store_id IS NULL) OR (product_id IS NULL))),
  constraint terms_window_check CHECK (((window_days >= 1) AND (window_days <= 90)))
);
CREATE INDEX terms_product_idx ON public.terms USING btree (product_id) WHERE (product_id IS NOT NULL);
CREATE INDEX terms_store_idx ON public.terms USING btree (store_id) WHERE (store_id IS NOT NULL);

CREATE TABLE tracking_slot_owners (
  store_id text not null,
  kind text not null,
  external_id text not null,
  influencer_id text not null,
  brand_id text not null,
  constraint tracking_slot_owners_pkey PRIMARY KEY (brand_id, store_id, kind, external_id),
  constraint tracking_slot_owners_lease_key UNIQUE (brand_id, store_id, kind, external_id, influencer_id),
  constraint tracking_slot_owners_influencer_fkey FOREIGN KEY (influencer_id) REFERENCES influencers(id),
  constraint tracking_slot_owners_store_fkey FOREIGN KEY (brand_id, store_id) REFERENCES stores(brand_id, id),
  constraint tracking_slot_owners_kind_check CHECK ((kind = ANY (ARRAY['adzone'::text, 'sls'::text, 'relation'::text])))
);

CREATE TABLE tracking_slots (
  id text not null,
  brand_id text not null,
  store_id text not null,
  kind text not null,
  external_id text not null,
  influencer_id text not null,
  product_id text,
  valid_from timestamp with time zone not null default now(),
  valid_to timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint tracking_slots_pkey PRIMARY KEY (brand_id, id),
  constraint tracking_slots_no_overlap EXCLUDE USING gist (brand_id WITH =, store_id WITH =, kind WITH =, external_id WITH =, tstzrange(valid_from, valid_to) WITH &&),
  constraint tracking_slots_owner_fkey FOREIGN KEY (brand_id, store_id, kind, external_id, influencer_id) REFERENCES tracking_slot_owners(brand_id, store_id, kind, external_id, influencer_id),
  constraint tracking_slots_product_fkey FOREIGN KEY (brand_id, product_id) REFERENCES products(brand_id, id),
  constraint tracking_slots_adzone_check CHECK (((kind <> 'adzone'::text) OR (product_id IS NOT NULL))),
  constraint tracking_slots_range_check CHECK (((valid_to IS NULL) OR (valid_to > valid_from)))
);
CREATE INDEX tracking_slots_id_idx ON public.tracking_slots USING btree (id);
CREATE INDEX tracking_slots_influencer_idx ON public.tracking_slots USING btree (influencer_id, store_id);
CREATE TRIGGER tracking_slots_touch_links AFTER INSERT OR UPDATE ON public.tracking_slots FOR EACH ROW EXECUTE FUNCTION touch_links_of_slot();

CREATE TABLE unbalanced_entries (
  entry_id text not null,
  brand_id text not null,
  constraint unbalanced_entries_pkey PRIMARY KEY (brand_id, entry_id)
);
CREATE CONSTRAINT TRIGGER unbalanced_entries_checked AFTER INSERT ON public.unbalanced_entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_unbalanced_entry();

CREATE TABLE visitor_day_keys (
  day date not null,
  key bytea not null,
  constraint visitor_day_keys_pkey PRIMARY KEY (day),
  constraint visitor_day_keys_key_check CHECK ((octet_length(key) = 16))
);

CREATE VIEW posting_figures AS
 SELECT brand_id,
    entry_id,
    "position",
    line_position,
    payee_id,
        CASE
            WHEN (account = ANY (ARRAY['brand_owes'::text, 'platform_owes'::text])) THEN amount_fen
            ELSE (0)::bigint
        END AS commission_fen,
        CASE
            WHEN (account = ANY (ARRAY['pending'::text, 'fee_pending'::text])) THEN (- amount_fen)
            ELSE (0)::bigint
        END AS pending_fen,
        CASE
            WHEN (account = ANY (ARRAY['payable'::text, 'fee_earned'::text])) THEN (- amount_fen)
            ELSE (0)::bigint
        END AS payable_fen,
        CASE
            WHEN (account = 'in_payout'::text) THEN (- amount_fen)
            ELSE (0)::bigint
        END AS in_payout_fen,
        CASE
            WHEN (account <> ALL (ARRAY['cash'::text, 'written_off'::text])) THEN amount_fen
            ELSE (0)::bigint
        END AS paid_out_fen,
        CASE
            WHEN (account = 'debt'::text) THEN amount_fen
            ELSE (0)::bigint
        END AS debt_fen,
    reversed_delta_fen AS reversed_fen
   FROM postings p
  WHERE (line_position IS NOT NULL);

CREATE OR REPLACE FUNCTION public.advance_fencing_token(of_shard integer, by_worker text, latest_token bigint, next_token bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  update click_writers w set fencing_token = next_token
  where w.shard = of_shard and w.worker = by_worker and w.fencing_token = latest_token;
  if not found then
    raise exception 'token % is not the latest of shard %', latest_token, of_shard using errcode = 'object_not_in_prerequisite_state';
  end if;
end $function$;

CREATE OR REPLACE FUNCTION public.check_unbalanced_entry()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  difference bigint;
begin
  select coalesce(sum(postings.amount_fen), 0) into difference
  from postings where postings.brand_id = new.brand_id and postings.entry_id = new.entry_id;
  if difference <> 0 then
    raise exception 'journal entry % does not balance: % fen', new.entry_id, difference
      using errcode = 'check_violation', constraint = 'postings_balanced';
  end if;
  delete from unbalanced_entries where unbalanced_entries.brand_id = new.brand_id and unbalanced_entries.entry_id = new.entry_id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.delete_destination_check()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  delete from destination_checks
  where destination_checks.brand_id = new.brand_id and destination_checks.product_id = new.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.ensure_click_partitions(from_at timestamp with time zone, months_ahead integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  first_month timestamp := date_trunc('month', from_at at time zone 'Asia/Shanghai');
  month_start timestamp;
  made integer := 0;
  partition_name text;
begin
  perform pg_advisory_xact_lock(hashtextextended('ensure_click_partitions', 0));
  for offset_months in 0..months_ahead loop
    month_start := first_month + make_interval(months => offset_months);
    partition_name := 'clicks_' || to_char(month_start, 'YYYY_MM');
    if to_regclass(partition_name) is null then
      execute format('create table %I partition of clicks for values from (%L) to (%L)', partition_name,
        month_start at time zone 'Asia/Shanghai', (month_start + interval '1 month') at time zone 'Asia/Shanghai');
      execute format('create trigger clicks_no_truncate before truncate on %I for each statement execute function refuse_change()', partition_name);
      made := made + 1;
    end if;
  end loop;
  return made;
end $function$;

CREATE OR REPLACE FUNCTION public.line_stage(pending_fen numeric, payable_fen numeric, in_payout_fen numeric, paid_out_fen numeric)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (in_payout_fen > (0)::numeric) THEN 'in_payout'::text WHEN (payable_fen > (0)::numeric) THEN 'payable'::text WHEN (pending_fen > (0)::numeric) THEN 'pending'::text WHEN (paid_out_fen > (0)::numeric) THEN 'paid'::text ELSE 'none'::text END;

CREATE OR REPLACE FUNCTION public.note_unbalanced_entries()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into unbalanced_entries (brand_id, entry_id)
  select added.brand_id, added.entry_id from added group by added.brand_id, added.entry_id having sum(added.amount_fen) <> 0
  on conflict on constraint unbalanced_entries_pkey do nothing;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_link_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('links_changed', new.id || ' ' || new.version);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_link_code()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('links_changed', 'code:' || new.code);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.queue_entries_for_seal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into seal_queue (entry_id, brand_id, posted_at) select posted.id, posted.brand_id, posted.posted_at from posted;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.queue_product_picture()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if new.image_url is null then
    delete from product_pictures
    where product_pictures.brand_id = new.brand_id and product_pictures.product_id = new.id;
  else
    insert into product_pictures (product_id, brand_id, source_url) values (new.id, new.brand_id, new.image_url)
    on conflict on constraint product_pictures_pkey do update
    set source_url = excluded.source_url, sha256 = null, bytes = null, width = null, height = null, media_type = null, fetched_at = null,
      tries = 0, next_try_at = now(), problem = null;
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.raise_link_version()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.version := old.version + 1;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.record_status_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' or old.status is distinct from new.status then
    insert into status_changes (subject_id, status) values (new.id, new.status);
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.touch_links_of_influencer()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update links set version = version + 1 where links.influencer_id = new.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.touch_links_of_product()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update links set version = version + 1 where links.product_id = new.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.touch_links_of_slot()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update links set version = version + 1
  from products
  where products.store_id = new.store_id and links.product_id = products.id and links.influencer_id = new.influencer_id
    and (new.product_id is null or links.product_id = new.product_id);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.touch_links_of_store()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update links set version = version + 1
  from products where products.store_id = new.id and links.product_id = products.id;
  return null;
end $function$;
