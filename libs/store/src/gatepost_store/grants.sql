-- What each service's role may do; applied whenever this file changes. The data model says who writes what.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
GRANT USAGE ON SCHEMA public TO gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
REVOKE SELECT ON api_key FROM gp_ingest, gp_drafter, gp_sender, gp_notifier;
GRANT SELECT (id, principal_id, revoked_at, test) ON api_key TO gp_sender; -- is the approver still active? a test key?
REVOKE SELECT ON dkim_key FROM gp_ingest, gp_drafter, gp_gatekeeper, gp_notifier, gp_api;
REVOKE SELECT ON endpoint FROM gp_ingest, gp_drafter, gp_gatekeeper, gp_sender;

-- every step writes its record, its outbox rows and its result; nobody changes or deletes a record
GRANT INSERT ON audit_record, audit_unplaced, outbox TO gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
GRANT DELETE ON outbox TO gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
GRANT UPDATE (at) ON outbox TO gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api; -- to lock a row
GRANT INSERT ON command_result TO gp_ingest, gp_drafter, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
GRANT UPDATE (version, last_row) ON mailbox, tenant TO gp_ingest, gp_gatekeeper, gp_sender, gp_notifier, gp_api;
GRANT INSERT ON suppression TO gp_ingest, gp_gatekeeper, gp_sender, gp_api;

-- ingest: inbound mail
GRANT INSERT (id, tenant_id, mailbox_id, thread_id, direction, state, version, last_row, created_at, rfc_message_id, answers,
    in_reply_to_id, metadata, tags, category, raw_sha256, size_bytes, envelope_from, envelope_to, header_from, from_name, to_addresses,
    cc_addresses, reply_to, subject, text, reply_text, html, in_reply_to, refs, sent_at, has_attachments, automatic, flags, auth,
    spam_score, spam_verdict, quarantined_for, expires_at) ON message TO gp_ingest;
GRANT INSERT ON raw, attachment, thread TO gp_ingest;
GRANT SELECT, INSERT, DELETE ON object_left TO gp_ingest, gp_drafter, gp_gatekeeper, gp_api;
GRANT INSERT, UPDATE ON imap_place TO gp_ingest;
GRANT UPDATE (head, head_at, last_activity, participants) ON thread TO gp_ingest;

-- drafter and api: outbound mail up to its revisions; no state, no approval, no release
GRANT INSERT (id, tenant_id, mailbox_id, thread_id, direction, state, version, last_row, created_at, answers, in_reply_to_id, metadata,
    tags, category, to_addresses, cc_addresses, subject, has_attachments, author, author_key, author_kind, ask, ask_at_submit,
    gate_timing, send_at, expires_at) ON message TO gp_drafter, gp_api;
GRANT UPDATE (version, last_row) ON message TO gp_drafter, gp_api;
GRANT INSERT ON revision, blob, attachment, thread TO gp_drafter, gp_api;
GRANT UPDATE (last_activity, participants, metadata, tags) ON thread TO gp_drafter, gp_api;
GRANT INSERT, UPDATE ON model_call TO gp_drafter;
GRANT INSERT, UPDATE, DELETE ON idempotency TO gp_drafter, gp_api;

-- api: keys, people, webhooks, contacts, labels, mailboxes in the default mode
GRANT UPDATE (tags, metadata, read_at, archived_at, user_label, person_tags, send_at) ON message TO gp_api;
GRANT INSERT, UPDATE, DELETE ON review_claim, rate_window TO gp_api;
GRANT UPDATE (undo_window_s, expires_after_s, rounds_max) ON mailbox TO gp_api; -- an operator's limits
GRANT INSERT, UPDATE ON api_use TO gp_api;
GRANT INSERT, DELETE, UPDATE (used_at) ON approval_link TO gp_api;
GRANT INSERT ON feedback TO gp_api;
GRANT INSERT, UPDATE ON api_key, principal, contact, seen, domain TO gp_api;
GRANT DELETE ON contact, domain TO gp_api;
GRANT INSERT, UPDATE ON endpoint TO gp_api;
GRANT INSERT (id, tenant_id, address, display_name, mode, drafting, provider, system_prompt, undo_window_s, expires_after_s,
    signature_block, auto_cc, auto_bcc, forward_inbound, default_gate_timing, scheduling_enabled, mcp_configured, max_size) ON mailbox TO gp_api;
GRANT UPDATE (display_name, drafting, system_prompt, signature_block, auto_cc, auto_bcc, forward_inbound, default_gate_timing,
    scheduling_enabled, mcp_configured, ai_disclosure, deleted_at, physical_address, send_window, rate_per_hour, warmup_from,
    quote_original) ON mailbox TO gp_api;
GRANT UPDATE (name, oversight_email, physical_address, pending_mail) ON tenant TO gp_api;

-- gatekeeper: every state of outbound mail up to released, decisions, grants, modes, pauses
GRANT UPDATE (state, version, last_row, revision, content, recipients, subject, to_addresses, cc_addresses, has_attachments, placeholder,
    ask, ask_at_submit, category, ok1, ok1_hash, ok1_key, ok1_for, ok2, ok2_hash, ok2_key, ok2_for, rounds, release, grant_token, mode_grant_id, reason, reasons, evidence,
    held_at, expires_at, decided_by, decided_at, released_at, rejection_final, reviser, policy_block,
    flags, delivered_at, rule_category, rule_revision) ON message TO gp_gatekeeper;
GRANT INSERT ON delivery TO gp_gatekeeper;
GRANT UPDATE (state, last_row, phase, ended_at) ON delivery TO gp_gatekeeper;
GRANT UPDATE (head, head_at, last_activity, participants) ON thread TO gp_gatekeeper;
GRANT UPDATE (thread_id) ON message, delivery TO gp_gatekeeper; -- a person puts mails into another thread
GRANT UPDATE (merged_into) ON thread TO gp_gatekeeper;
GRANT INSERT ON thread_move TO gp_gatekeeper;
GRANT UPDATE (mode, ceiling, two_person, policy_block, covers_ask) ON mailbox TO gp_gatekeeper;
GRANT INSERT, UPDATE ON pause, mode_grant, upgrade_request TO gp_gatekeeper;
GRANT INSERT, DELETE, UPDATE (tries, redeemed_at) ON approval_request TO gp_gatekeeper; -- codes for administrative acts
GRANT INSERT ON category_rule TO gp_gatekeeper;
GRANT INSERT ON decision TO gp_gatekeeper;
GRANT DELETE ON suppression TO gp_gatekeeper;
GRANT UPDATE (pending_told_at) ON tenant TO gp_gatekeeper; -- how far it has told what waits

-- gatekeeper: the tree over the records; nobody changes a leaf, a node or a checkpoint
GRANT INSERT ON audit_leaf, audit_node, audit_checkpoint, audit_tree, audit_policy TO gp_gatekeeper;
GRANT UPDATE (vkey, size, frontier, audited) ON audit_tree TO gp_gatekeeper;
GRANT DELETE ON audit_unplaced TO gp_gatekeeper;
GRANT INSERT, DELETE ON audit_words, audit_promise TO gp_gatekeeper;
GRANT INSERT, UPDATE ON sample_rate TO gp_gatekeeper;

-- gatekeeper: mail of the system mailbox, born released
GRANT INSERT (id, tenant_id, mailbox_id, thread_id, direction, state, version, last_row, revision, release, system_template, grant_token,
    released_at, answers, in_reply_to_id, metadata, tags, subject, to_addresses, cc_addresses, has_attachments, author, author_key,
    author_kind, ask, ask_at_submit, gate_timing, send_at, category, expires_at, content, recipients) ON message TO gp_gatekeeper;
GRANT INSERT ON revision, thread TO gp_gatekeeper;

-- sender: deliveries from the claim on, and the state of a mail that follows them
GRANT UPDATE (state, version, last_row, rfc_message_id, delivered_at) ON message TO gp_sender;
GRANT UPDATE (state, last_row, used, sent_hash, phase, owner, lease_until, attempts, due_at, via, stage, code, enhanced, reply, remote_id,
    ended_at) ON delivery TO gp_sender;
GRANT INSERT ON attempt TO gp_sender;
GRANT INSERT, UPDATE ON dkim_key, sts_policy, tls_session TO gp_sender;

-- notifier: its own queue
GRANT INSERT, UPDATE ON webhook_delivery TO gp_notifier;
GRANT UPDATE (is_active, disabled_reason, failing_since, last_success_at, last_error, old_used_at, probe_at) ON endpoint TO gp_notifier;

-- gatekeeper: erasure; a revision can only be emptied
GRANT UPDATE (salt, raw_sha256, envelope_from, envelope_to, header_from, from_name, reply_to, text, reply_text, html, in_reply_to, refs,
    metadata, tags, erased_at) ON message TO gp_gatekeeper;
GRANT UPDATE (content, markdown, subject, recipients, evidence, failure) ON revision TO gp_gatekeeper;
GRANT UPDATE (recipient, domain, reply) ON delivery TO gp_gatekeeper;
GRANT UPDATE (reply) ON attempt TO gp_gatekeeper;
GRANT UPDATE (note) ON decision TO gp_gatekeeper;
GRANT UPDATE (body, excerpt) ON webhook_delivery TO gp_gatekeeper;
GRANT UPDATE (subject, metadata) ON thread TO gp_gatekeeper;
GRANT DELETE ON raw, blob, attachment, contact TO gp_gatekeeper;
GRANT INSERT, UPDATE ON legal_hold TO gp_gatekeeper;
GRANT INSERT (salt) ON message TO gp_ingest;
