-- GET /v1/audit reads the audit log newest first, whole or by brand, actor or action; by object audit_log_subject_idx serves.
create index audit_log_at_idx on audit_log (at, id);
create index audit_log_brand_idx on audit_log (brand_id, at, id);
create index audit_log_actor_idx on audit_log (actor, at, id);
create index audit_log_action_idx on audit_log (action, at, id);
