-- key --
-- Who a key is, by the hash of it.
SELECT k.id, k.tenant_id, k.principal_id, k.name, k.prefix, k.scopes, k.mailbox_ids, p.kind, p.name AS principal_name,
       p.kind = 'person' AND 'admin' = ANY (k.scopes) AND NOT EXISTS (
           SELECT 1 FROM api_key o JOIN principal q ON q.id = o.principal_id
            WHERE o.tenant_id = k.tenant_id AND o.id < k.id AND o.revoked_at IS NULL AND 'admin' = ANY (o.scopes)
              AND q.kind = 'person') AS is_first
  FROM api_key k JOIN principal p ON p.id = k.principal_id
 WHERE k.key_sha256 = $1 AND k.revoked_at IS NULL;

-- key_used --
-- When keys were last used; written now and then, not with every call.
UPDATE api_key SET last_used_at = now() WHERE id = ANY($1::text[]);

-- mailboxes_by --
-- Mailboxes by id or address, as callers spell them; the reserved one is none of theirs.
SELECT * FROM mailbox
 WHERE tenant_id = $1 AND (id = ANY($2::text[]) OR address = ANY($3::text[]))
   AND id <> 'mbx_system' AND deleted_at IS NULL;

-- mailboxes_all --
-- Every mailbox of the account that this key may see, with its own webhook URLs.
SELECT b.*,
       (SELECT e.url FROM endpoint e WHERE e.mailbox_id = b.id AND e.source = 'mailbox' AND e.deleted_at IS NULL LIMIT 1) AS webhook_url,
       (SELECT e.url FROM endpoint e WHERE e.mailbox_id = b.id AND e.source = 'mailbox_oversight' AND e.deleted_at IS NULL LIMIT 1) AS oversight_webhook_url,
       EXISTS (SELECT 1 FROM pause p WHERE p.tenant_id = b.tenant_id AND p.lifted_at IS NULL
                  AND ((p.scope = 'tenant' AND p.target = b.tenant_id) OR (p.scope = 'mailbox' AND p.target = b.id))) AS paused
  FROM mailbox b
 WHERE b.tenant_id = $1 AND b.id <> 'mbx_system' AND b.deleted_at IS NULL
   AND ($2::text[] IS NULL OR b.id = ANY($2::text[]))
 ORDER BY b.id;

-- tenant --
SELECT * FROM tenant WHERE id = $1;

-- month_counts --
-- How much mail the account sent since a moment, by the id that such a mail would have.
SELECT count(*) FROM message WHERE tenant_id = $1 AND direction = 'outbound' AND id > $2 AND state = 'delivered';

-- add_mailbox --
INSERT INTO mailbox (id, tenant_id, address, display_name, mode, drafting, system_prompt)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (address) DO NOTHING RETURNING id;

-- update_mailbox --
-- Settings of a mailbox; what was not given stays. The mode is not among them: the gatekeeper changes it.
UPDATE mailbox SET
       display_name = coalesce($3::text, display_name),
       signature_block = coalesce($4::text, signature_block),
       auto_cc = CASE WHEN $5 THEN $6::text ELSE auto_cc END,
       auto_bcc = CASE WHEN $7 THEN $8::text ELSE auto_bcc END,
       forward_inbound = coalesce($9::boolean, forward_inbound),
       ai_disclosure = coalesce($10::boolean, ai_disclosure),
       default_gate_timing = coalesce($11::text, default_gate_timing),
       scheduling_enabled = coalesce($12::boolean, scheduling_enabled),
       mcp_configured = coalesce($13::boolean, mcp_configured),
       drafting = coalesce($14::boolean, drafting),
       undo_window_s = coalesce($15::integer, undo_window_s),
       expires_after_s = coalesce($16::integer, expires_after_s),
       rounds_max = coalesce($17::integer, rounds_max)
 WHERE tenant_id = $1 AND id = $2;

-- list_ids --
-- One page of mails, newest first. Each filter that is null filters nothing.
SELECT m.id FROM message m
 WHERE m.tenant_id = $1 AND m.mailbox_id <> 'mbx_system'
   AND ($2::text[] IS NULL OR m.mailbox_id = ANY($2::text[]))
   AND ($3::text IS NULL OR m.id < $3::text COLLATE "C")
   AND ($4::text IS NULL OR m.id > $4::text COLLATE "C")
   AND ($5::text[] IS NULL OR m.state = ANY($5::text[]))
   AND ($6::boolean IS NULL OR (m.read_at IS NOT NULL) = $6)
   AND ($7::boolean IS NULL OR ('gated_all' = ANY (m.quarantined_for)) = $7)
   AND ($8::boolean IS NULL OR coalesce(m.send_at > now(), false) = $8)
   AND ($9::boolean IS NULL OR (m.decided_by IS NOT NULL) = $9)
   AND ($10::text IS NULL OR m.direction = $10)
   AND ($11::text IS NULL OR m.header_from ILIKE '%' || $11 || '%' OR m.from_name ILIKE '%' || $11 || '%')
   AND ($12::text IS NULL OR m.subject ILIKE '%' || $12 || '%')
   AND ($13::text[] IS NULL OR m.id = ANY ($13::text[]))
   AND ($14::timestamptz IS NULL OR m.created_at >= $14)
   AND ($15::timestamptz IS NULL OR m.created_at < $15)
   AND ($16::boolean IS NULL OR m.has_attachments = $16)
   AND ($17::text IS NULL OR m.tags ? $17)
   AND ($18::jsonb IS NULL OR m.metadata @> $18)
   AND ($19::text IS NULL OR m.thread_id = $19)
   AND ($20::boolean OR NOT (m.state IN ('quarantined', 'discarded') AND 'gated_all' = ANY (m.quarantined_for)))
   AND ($21::boolean OR m.state NOT IN ('quarantined', 'discarded'))
   AND ($22::boolean IS NULL OR (m.archived_at IS NOT NULL) = $22)
   AND ($25::boolean IS NULL OR (coalesce(m.user_label = 'spam', false)
        OR (m.state = 'quarantined' AND NOT 'gated_all' = ANY (m.quarantined_for))) = $25)
 ORDER BY m.id DESC LIMIT $23 OFFSET $24;

-- emails --
-- Mails by id, with all that their views show: thread, adopted (else newest) revision, last decision, deliveries.
-- One statement for any number of mails.
SELECT m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.direction, m.state, m.version, m.created_at, m.rfc_message_id,
       m.answers, m.in_reply_to_id, m.metadata, m.tags, m.category, m.raw_sha256, m.size_bytes, m.header_from,
       m.from_name, m.to_addresses, m.cc_addresses, m.reply_to, m.subject, m.text, m.reply_text, m.html, m.in_reply_to,
       m.refs, m.sent_at, m.has_attachments, m.automatic, m.flags, m.auth, m.spam_score, m.spam_verdict, m.user_label,
       m.quarantined_for, m.read_at, m.archived_at, m.author, m.author_key, m.author_kind, m.revision, m.content,
       m.recipients, m.ask, m.ask_at_submit, m.gate_timing, m.send_at, m.placeholder, m.ok1, m.ok2, m.rounds,
       m.release, m.reason, m.reasons, m.held_at, m.expires_at, m.decided_by, m.decided_at, m.released_at,
       m.delivered_at, m.rejection_final, m.reviser,
       b.address AS mailbox_address, b.display_name AS mailbox_name, b.mode AS mailbox_mode, b.ceiling, b.two_person,
       b.rounds_max, t.external_id, t.metadata AS thread_metadata, t.head AS thread_head, t.head_at AS thread_head_at,
       r.n AS shown_revision, r.markdown, r.content AS content_json, r.content_sha256 AS shown_sha256,
       r.subject AS revision_subject, r.evidence AS revision_evidence, r.answers AS revision_answers, r.failure, r.created_at AS revision_at,
       r.author AS revision_author, r.author_kind AS revision_author_kind, r.category AS revision_category,
       a.prefix AS key_prefix, c.provider, c.model, c.prompt_version,
       d.action AS decision_action, d.note AS decision_note, d.reason_code AS decision_reason_code,
       w.deliveries, w.due_at AS next_due_at, w.bounced_at, w.deferred_at, w.bounce_code, w.via,
       f.attachments, y.principal_id AS claimed_by, y.claimed_until, p.markdown AS former_markdown,
       CASE WHEN m.ok1_hash = m.content AND m.ok1_for = m.release + 1 AND NOT EXISTS (
            SELECT 1 FROM api_key k WHERE k.id = m.ok1_key AND k.revoked_at IS NOT NULL) THEN m.ok1 END AS first_approval,
       g.mode AS granted_mode, CASE WHEN g.id IS NULL THEN b.covers_ask ELSE g.covers_ask END AS covers_ask,
       m.rule_category, m.rule_revision
  FROM message m
  JOIN mailbox b ON b.id = m.mailbox_id
  JOIN thread t ON t.id = m.thread_id
  LEFT JOIN LATERAL (
       SELECT * FROM revision r WHERE r.message_id = m.id AND r.kind <> 'edit' AND (m.revision = 0 OR r.n = m.revision)
        UNION ALL
       SELECT * FROM revision r WHERE r.message_id = m.id AND r.kind = 'edit' AND r.n = m.revision
        ORDER BY n DESC LIMIT 1) r ON m.direction = 'outbound'
  LEFT JOIN api_key a ON a.id = m.author_key
  LEFT JOIN model_call c ON c.id = r.model_call_id
  LEFT JOIN LATERAL (
       SELECT * FROM decision d WHERE d.message_id = m.id ORDER BY d.seq DESC LIMIT 1) d ON true
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_object('id', v.id, 'recipient', v.recipient, 'state', v.state, 'attempts', v.attempts,
                        'next_attempt_at', CASE WHEN v.state IN ('released', 'deferred') THEN v.due_at END, 'via', v.via,
                        'code', v.code, 'enhanced', v.enhanced, 'stage', v.stage, 'ended_at', v.ended_at,
                        'reply', v.reply, 'remote_id', v.remote_id) ORDER BY v.n) AS deliveries,
              min(v.due_at) FILTER (WHERE v.state IN ('released', 'deferred')) AS due_at,
              max(v.ended_at) FILTER (WHERE v.state = 'bounced') AS bounced_at,
              max(v.due_at) FILTER (WHERE v.state = 'deferred') AS deferred_at,
              max(v.code) FILTER (WHERE v.state = 'bounced') AS bounce_code,
              max(v.via) FILTER (WHERE v.state = 'delivered') AS via
         FROM delivery v WHERE v.message_id = m.id AND v.of_release = m.release) w ON m.direction = 'outbound' AND m.release > 0
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_object('n', x.n, 'name', x.name, 'size', x.size_bytes, 'content_type', x.content_type,
                        'sha256', x.sha256) ORDER BY x.n) AS attachments
         FROM attachment x WHERE x.message_id = m.id) f ON m.has_attachments
  LEFT JOIN LATERAL (
       SELECT o.markdown FROM revision o WHERE o.message_id = m.id AND o.n < m.revision ORDER BY o.n DESC LIMIT 1) p
       ON m.state = 'held' AND m.revision > 1
  LEFT JOIN review_claim y ON y.message_id = m.id AND m.state = 'held' AND y.claimed_until > now()
  LEFT JOIN mode_grant g ON g.id = m.mode_grant_id AND g.revoked_at IS NULL
 WHERE m.tenant_id = $1 AND m.id = ANY($2::text[]) AND m.mailbox_id <> 'mbx_system';

-- search --
-- The newest mails that hold all the words: inbound mail by its own text, ours by its revisions.
SELECT x.id FROM (
       (SELECT m.id FROM message m
         WHERE m.direction = 'inbound' AND m.tenant_id = $1 AND m.mailbox_id <> 'mbx_system' AND ($2::text[] IS NULL OR m.mailbox_id = ANY ($2::text[]))
           AND to_tsvector('simple', left(m.subject || ' ' || coalesce(m.text, ''), 50000)) @@ websearch_to_tsquery('simple', $3)
         ORDER BY m.id DESC LIMIT $4)
        UNION
       (SELECT DISTINCT r.message_id FROM revision r
         WHERE r.tenant_id = $1 AND r.mailbox_id <> 'mbx_system' AND ($2::text[] IS NULL OR r.mailbox_id = ANY ($2::text[]))
           AND to_tsvector('simple', left(r.subject || ' ' || r.markdown, 50000)) @@ websearch_to_tsquery('simple', $3)
         ORDER BY r.message_id DESC LIMIT $4)) x
 ORDER BY x.id DESC LIMIT $4;

-- attempts --
-- Every try of these mails on the wire.
SELECT a.delivery_id, a.message_id, a.n, a.at, a.stage, a.code, a.enhanced, a.reply, a.outcome, a.unknown, d.recipient
  FROM attempt a JOIN delivery d ON d.id = a.delivery_id
 WHERE a.tenant_id = $1 AND a.message_id = ANY($2::text[]) ORDER BY a.delivery_id, a.n;

-- mark_read --
UPDATE message SET read_at = now() WHERE tenant_id = $1 AND id = $2 AND read_at IS NULL AND direction = 'inbound';

-- set_tags --
-- Which of them a person set last ($5) is kept beside them: our rules believe those alone.
UPDATE message SET tags = CASE WHEN $4 THEN $3::jsonb ELSE tags || $3::jsonb END,
       person_tags = CASE WHEN $5 THEN ARRAY(SELECT jsonb_object_keys($3::jsonb)) ELSE '{}' END
         || CASE WHEN $4 THEN '{}' ELSE ARRAY(SELECT t FROM unnest(person_tags) t WHERE NOT $3::jsonb ? t) END
 WHERE tenant_id = $1 AND id = $2 RETURNING tags;

-- delete_tag --
UPDATE message SET tags = tags - $3::text, person_tags = array_remove(person_tags, $3::text) WHERE tenant_id = $1 AND id = $2 RETURNING tags;

-- mail_of_attachment --
-- Where the bytes of a signed address lie.
SELECT m.id, m.tenant_id, m.mailbox_id, m.direction, m.raw_sha256 FROM message m WHERE m.id = $1;

-- raw --
SELECT r.sha256, r.bytes, r.object FROM raw r WHERE r.tenant_id = $1 AND r.mailbox_id = $2 AND r.sha256 = $3;

-- blob --
SELECT b.sha256, b.bytes, b.object FROM blob b WHERE b.tenant_id = $1 AND b.mailbox_id = $2 AND b.sha256 = $3;

-- thread --
-- By our id or the caller's own.
SELECT * FROM thread WHERE tenant_id = $1 AND (id = $2 OR external_id = $2) AND mailbox_id <> 'mbx_system' LIMIT 1;

-- thread_ids --
-- The newest mails of a thread.
SELECT m.id FROM message m WHERE m.tenant_id = $1 AND m.thread_id = $2
   AND ($3::boolean OR m.state NOT IN ('quarantined', 'discarded'))
 ORDER BY m.id DESC LIMIT $4;

-- threads_tail --
-- The last mails of several threads at once.
SELECT x.id, x.thread_id FROM unnest($2::text[]) AS wanted (thread_id)
  CROSS JOIN LATERAL (SELECT m.id, m.thread_id FROM message m WHERE m.tenant_id = $1 AND m.thread_id = wanted.thread_id
         AND ($3::boolean OR m.state NOT IN ('quarantined', 'discarded'))
       ORDER BY m.id DESC LIMIT $4) x;

-- threads_by_id --
SELECT * FROM thread WHERE tenant_id = $1 AND id = ANY($2::text[]);

-- thread_history --
-- What was drafted and decided on a thread.
SELECT r.message_id, r.n, r.kind, r.subject, r.markdown, r.content_sha256, r.author, r.created_at
  FROM revision r JOIN message m ON m.id = r.message_id WHERE m.tenant_id = $1 AND m.thread_id = $2 ORDER BY r.created_at LIMIT 500;

-- thread_decisions --
SELECT d.message_id, d.action, d.revision, d.principal, d.note, d.at
  FROM decision d JOIN message m ON m.id = d.message_id WHERE m.tenant_id = $1 AND m.thread_id = $2 ORDER BY d.at LIMIT 500;

-- pending_ids --
-- One page of what waits in the whole account, newest first: the head of each of two indexes, however long the queue.
-- What is not asked for folds away when it is planned, which Postgres does anew with each call: a plan for all cases would
-- guess that the filters leave next to nothing, and sort the whole queue. The collation names the queue's own indexes.
SELECT x.id FROM (
       (SELECT m.id FROM message m
         WHERE m.tenant_id = $1 AND m.state = 'held' AND m.mailbox_id <> 'mbx_system'
           AND m.id < coalesce($2::text, '~') COLLATE "POSIX"
           AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
         ORDER BY m.id COLLATE "POSIX" DESC LIMIT $6::integer + $7::integer)
        UNION ALL
       (SELECT m.id FROM message m
         WHERE $5::boolean AND m.tenant_id = $1 AND m.state = 'quarantined' AND 'gated_all' = ANY (m.quarantined_for)
           AND m.mailbox_id <> 'mbx_system' AND m.id < coalesce($2::text, '~') COLLATE "POSIX"
           AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
         ORDER BY m.id COLLATE "POSIX" DESC LIMIT $6::integer + $7::integer)) x
 ORDER BY x.id COLLATE "POSIX" DESC LIMIT $6::integer OFFSET $7::integer;

-- pending_ids_of --
-- The same of some mailboxes ($8): the head of each.
SELECT x.id FROM unnest($8::text[]) AS box (id) CROSS JOIN LATERAL (
       (SELECT m.id FROM message m
         WHERE m.mailbox_id = box.id AND m.tenant_id = $1 AND m.state = 'held' AND m.mailbox_id <> 'mbx_system'
           AND m.id < coalesce($2::text, '~') COLLATE "POSIX"
           AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
         ORDER BY m.id COLLATE "POSIX" DESC LIMIT $6::integer + $7::integer)
        UNION ALL
       (SELECT m.id FROM message m
         WHERE $5::boolean AND m.mailbox_id = box.id AND m.tenant_id = $1 AND m.state = 'quarantined'
           AND 'gated_all' = ANY (m.quarantined_for) AND m.mailbox_id <> 'mbx_system'
           AND m.id < coalesce($2::text, '~') COLLATE "POSIX"
           AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
         ORDER BY m.id COLLATE "POSIX" DESC LIMIT $6::integer + $7::integer)) x
 ORDER BY x.id COLLATE "POSIX" DESC LIMIT $6::integer OFFSET $7::integer;

-- pending_count --
-- How many wait, counted no further than to $5; of some mailboxes where they are given ($2). A longer queue is a long queue.
SELECT count(*) FROM (
       (SELECT 1 FROM message m
         WHERE m.tenant_id = $1 AND m.state = 'held' AND m.mailbox_id <> 'mbx_system' AND $2::text[] IS NULL
           AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
         ORDER BY m.id COLLATE "POSIX" DESC LIMIT $5)
        UNION ALL
       (SELECT 1 FROM message m
         WHERE $6::boolean AND m.tenant_id = $1 AND m.state = 'quarantined' AND 'gated_all' = ANY (m.quarantined_for)
           AND m.mailbox_id <> 'mbx_system' AND ($2::text[] IS NULL OR m.mailbox_id = ANY ($2))
           AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
         ORDER BY m.id COLLATE "POSIX" DESC LIMIT $5)
        UNION ALL
       (SELECT 1 FROM unnest($2::text[]) AS box (id) CROSS JOIN LATERAL (
                SELECT 1 FROM message m
                 WHERE m.mailbox_id = box.id AND m.tenant_id = $1 AND m.state = 'held' AND m.mailbox_id <> 'mbx_system'
                   AND ($3::text IS NULL OR $3 = ANY (m.reasons)) AND ($4::text IS NULL OR m.category = $4)
                 ORDER BY m.id COLLATE "POSIX" DESC LIMIT $5) h LIMIT $5)) x;

-- saw --
-- A reviewer looked at these mailboxes now. Written before the look, so that what comes later is younger.
INSERT INTO seen (tenant_id, mailbox_id, principal_id, seen_at)
SELECT b.tenant_id, b.id, $3::text, now() FROM mailbox b
 WHERE b.tenant_id = $1 AND b.deleted_at IS NULL AND ($2::text[] IS NULL OR b.id = ANY($2::text[]))
    ON CONFLICT (mailbox_id, principal_id) DO UPDATE SET seen_at = excluded.seen_at
RETURNING seen_at;

-- seen_at --
-- The later of this person's last look and the first time their receiver took the webhook of what waits now.
SELECT greatest(
       (SELECT s.seen_at FROM seen s WHERE s.tenant_id = $1 AND s.mailbox_id = $2 AND s.principal_id = $3),
       (SELECT min(w.delivered_at) FROM webhook_delivery w WHERE w.tenant_id = $1 AND w.message_id = $4
           AND w.state = 'delivered' AND w.event_type IN ('email.held', 'email.quarantined')
           AND w.created_at >= $5::timestamptz));

-- answering --
-- Our drafts that answer one inbound mail.
SELECT m.id, m.state, m.author, m.author_kind, m.decided_by, m.version, m.rounds FROM message m
 WHERE m.tenant_id = $1 AND m.answers = $2 AND m.direction = 'outbound' ORDER BY m.id;

-- newest_revision --
SELECT max(n) FROM revision WHERE tenant_id = $1 AND message_id = $2;

-- state --
SELECT m.state, m.version, m.rfc_message_id FROM message m WHERE m.tenant_id = $1 AND m.id = $2;

-- suppressed --
-- Which of these addresses may not be written to by this mailbox, in mail of this category.
SELECT DISTINCT address FROM suppression s
 WHERE tenant_id = $1 AND address = ANY($3::text[]) AND (category IS NULL OR category = $4)
   AND (mailbox_id IS NULL OR mailbox_id = $2 OR EXISTS (SELECT 1 FROM mailbox g WHERE g.id = s.mailbox_id AND g.deleted_at IS NOT NULL));

-- suppressions --
-- $5 mailbox, $6 category, $7 reason, $8 part of the address, each where given.
SELECT * FROM suppression WHERE tenant_id = $1 AND ($2::text IS NULL OR id < $2::text COLLATE "C")
   AND ($5::text IS NULL OR mailbox_id = $5) AND ($6::text IS NULL OR category = $6)
   AND ($7::text IS NULL OR reason = $7) AND ($8::text IS NULL OR position(lower($8) IN address) > 0)
 ORDER BY id DESC LIMIT $3 OFFSET $4;

-- suppressions_of --
SELECT * FROM suppression WHERE tenant_id = $1 AND address = $2;

-- pauses --
SELECT * FROM pause WHERE tenant_id = $1 AND lifted_at IS NULL ORDER BY id DESC;

-- pause --
SELECT * FROM pause WHERE tenant_id = $1 AND id = $2;

-- why --
-- The audit records of one mail, in order.
SELECT record FROM audit_record WHERE tenant_id = $1 AND subject_id = $2 ORDER BY seq;

-- revisions_of --
-- Every text that was written for a mail.
SELECT n, kind, content_sha256, content, markdown, subject, author, author_kind, created_at, evidence FROM revision
 WHERE tenant_id = $1 AND message_id = $2 ORDER BY n;

-- decisions_of --
SELECT * FROM decision WHERE tenant_id = $1 AND message_id = $2 ORDER BY seq;

-- grant_of --
-- The signed statement by which a mail may leave.
SELECT grant_token FROM message WHERE tenant_id = $1 AND id = $2;

-- add_approval_link --
INSERT INTO approval_link (token_sha256, tenant_id, message_id, key_id, expires_at) VALUES ($1, $2, $3, $4, $5);

-- approval_link --
-- A link that is still good, by the digest of its token.
SELECT * FROM approval_link WHERE token_sha256 = $1 AND expires_at > now();

-- use_approval_link --
UPDATE approval_link SET used_at = now() WHERE token_sha256 = $1;

-- forget_approval_links --
DELETE FROM approval_link WHERE expires_at < now();

-- principals --
SELECT id, name, kind FROM principal WHERE tenant_id = $1;

-- endpoints --
SELECT e.*, b.address AS mailbox_address FROM endpoint e LEFT JOIN mailbox b ON b.id = e.mailbox_id
 WHERE e.tenant_id = $1 AND e.deleted_at IS NULL AND ($2::text IS NULL OR e.id = $2)
   AND ($3::text[] IS NULL OR e.mailbox_id = ANY($3::text[])) ORDER BY e.id DESC;

-- add_endpoint --
INSERT INTO endpoint (id, tenant_id, mailbox_id, url, events, source, signature_format, payload, secret_sealed, secret_hint,
                      signing_sealed, public_key, filter_tags, filter_threads)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- update_endpoint --
UPDATE endpoint SET url = coalesce($3::text, url), events = coalesce($4::text[], events),
       is_active = coalesce($5::boolean, is_active), filter_tags = coalesce($6::text[], filter_tags),
       filter_threads = coalesce($7::text[], filter_threads),
       disabled_reason = CASE WHEN $5::boolean THEN NULL ELSE disabled_reason END,
       failing_since = CASE WHEN $5::boolean THEN NULL ELSE failing_since END,
       probe_at = CASE WHEN $5::boolean THEN NULL ELSE probe_at END
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL;

-- rotate_secret --
-- A new secret; the old one stays valid for the grace. While a rotation is under way only a grace of zero starts another.
UPDATE endpoint
   SET old_secret_sealed = CASE WHEN $5 > 0 THEN secret_sealed END, old_used_at = NULL,
       old_valid_until = CASE WHEN $5 > 0 THEN now() + make_interval(secs => $5) END,
       secret_sealed = $3, secret_hint = $4
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
   AND ($5 = 0 OR old_secret_sealed IS NULL OR old_valid_until <= now());

-- complete_rotation --
-- The receiver knows the new secret: the old one signs no more.
UPDATE endpoint SET old_secret_sealed = NULL, old_valid_until = NULL WHERE tenant_id = $1 AND id = $2;

-- end_endpoint --
UPDATE endpoint SET deleted_at = now(), is_active = false WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING id;

-- end_mailbox_endpoint --
UPDATE endpoint SET deleted_at = now(), is_active = false
 WHERE tenant_id = $1 AND mailbox_id = $2 AND source = $3 AND deleted_at IS NULL;

-- webhook_deliveries --
SELECT w.id, w.endpoint_id, w.event_id, w.event_type, w.alias, w.message_id, w.thread_id, w.state, w.attempts, w.redeliveries,
       w.response_status, w.error, w.excerpt, w.latency_ms, w.tried, w.is_first, w.created_at, w.last_attempt_at, w.due_at,
       w.delivered_at, e.url
  FROM webhook_delivery w JOIN endpoint e ON e.id = w.endpoint_id
 WHERE w.tenant_id = $1 AND ($2::text IS NULL OR w.endpoint_id = $2) AND ($3::text IS NULL OR w.state = $3)
   AND ($4::text IS NULL OR w.event_type = $4 OR w.alias = $4) AND ($5::text IS NULL OR w.message_id = $5)
   AND ($7::timestamptz IS NULL OR (w.created_at, w.id) < ($7, $8::text))
   AND ($9::text[] IS NULL OR w.mailbox_id = ANY($9))
 ORDER BY w.created_at DESC, w.id DESC LIMIT $6;

-- webhook_delivery --
SELECT w.*, e.url, e.is_active AND e.deleted_at IS NULL AS is_active
  FROM webhook_delivery w JOIN endpoint e ON e.id = w.endpoint_id
 WHERE w.tenant_id = $1 AND w.id = $2 AND ($3::text[] IS NULL OR w.mailbox_id = ANY($3));

-- deliveries_of_event --
-- Every delivery that an event made, found by its mail; one of a mailbox by the time it happened ($4).
SELECT w.id, w.endpoint_id, e.is_active AND e.deleted_at IS NULL AS is_active
  FROM webhook_delivery w JOIN endpoint e ON e.id = w.endpoint_id
 WHERE w.tenant_id = $1 AND w.event_id = $2
   AND CASE WHEN $3::text LIKE 'msg%' THEN w.message_id = $3 ELSE w.created_at >= $4::timestamptz - interval '1 minute' END
   AND ($5::text[] IS NULL OR w.mailbox_id = ANY ($5))
 ORDER BY w.id LIMIT 500;

-- keys --
SELECT k.*, p.name AS principal_name, p.kind FROM api_key k JOIN principal p ON p.id = k.principal_id
 WHERE k.tenant_id = $1 ORDER BY k.id DESC;

-- principal --
SELECT id, kind, name FROM principal WHERE tenant_id = $1 AND (id = $2 OR name = $2) LIMIT 1;

-- add_principal --
INSERT INTO principal (id, tenant_id, kind, name) VALUES ($1, $2, $3, $4);

-- add_key --
INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes, mailbox_ids, test)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- revoke_key --
UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND id = $2 RETURNING id;

-- claim_request --
-- The first of equal requests gets the row; `mine` tells who it was.
INSERT INTO idempotency AS i (tenant_id, principal_id, key, request_sha256, message_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, principal_id, key) DO UPDATE
       SET request_sha256 = excluded.request_sha256, message_id = excluded.message_id, status = NULL, reply = NULL,
           created_at = now()
     WHERE i.created_at < now() - make_interval(secs => $6)
RETURNING i.key;

-- request --
SELECT i.request_sha256, i.message_id, i.status, i.reply, i.created_at, now() - i.created_at > interval '30 seconds' AS is_old,
       EXISTS (SELECT 1 FROM message m WHERE m.id = i.message_id) AS is_stored
  FROM idempotency i WHERE i.tenant_id = $1 AND i.principal_id = $2 AND i.key = $3;

-- finish_request --
UPDATE idempotency SET status = $4, reply = $5, message_id = coalesce($6::text, message_id)
 WHERE tenant_id = $1 AND principal_id = $2 AND key = $3;

-- drop_request --
DELETE FROM idempotency WHERE tenant_id = $1 AND principal_id = $2 AND key = $3 AND status IS NULL;

-- forget_requests --
DELETE FROM idempotency WHERE created_at < now() - make_interval(hours => $1);

-- left --
-- What is left to do, by stage. The stages of open mail come from the index of open states.
SELECT (SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox_id JOIN thread t ON t.id = m.thread_id
         WHERE m.direction = 'inbound' AND m.state = 'received' AND b.drafting AND b.mode <> 'read_only'
           AND m.tenant_id = $1 AND m.automatic = '{}' AND t.head = m.id AND m.id > $2
           AND NOT EXISTS (SELECT 1 FROM message o WHERE o.answers = m.id)) AS received,
       (SELECT coalesce(jsonb_object_agg(s.stage, s.n), '{}') FROM (
           SELECT CASE WHEN m.state = 'revising' AND m.author_kind <> 'drafter' THEN 'revising_by_agent'
                       WHEN m.state = 'released' AND m.send_at > now() THEN 'scheduled' ELSE m.state END AS stage, count(*) AS n
             FROM message m
            WHERE m.tenant_id = $1
              AND m.state IN ('drafting', 'drafted', 'held', 'revising', 'released', 'sending', 'deferred', 'uncertain', 'quarantined')
            GROUP BY 1) s) AS stages,
       (SELECT count(*) FROM outbox WHERE tenant_id = $1) AS outbox,
       (SELECT count(*) FROM webhook_delivery WHERE tenant_id = $1 AND state = 'pending') AS webhook_pending;

-- webhooks_of --
-- What subscribers were told of a mail, and whether it arrived; where to is for operators alone.
SELECT id, endpoint_id AS webhook_id, event_type, state AS status, attempts, response_status, error
  FROM webhook_delivery WHERE tenant_id = $1 AND message_id = $2 ORDER BY created_at, id LIMIT 200;

-- in_outbox --
-- Does this event wait to be published?
SELECT EXISTS (SELECT 1 FROM outbox WHERE id = $1);

-- mailbox_of_token --
-- The mailbox that an unsubscribe link speaks of; a link outlives its mailbox.
SELECT id, tenant_id FROM mailbox WHERE id = $1;

-- drop_expired --
DELETE FROM idempotency WHERE tenant_id = $1 AND principal_id = $2 AND key = $3 AND created_at < now() - make_interval(secs => $4);

-- thread_metadata --
-- The newest metadata of a thread stays with it.
UPDATE thread SET metadata = metadata || $3::jsonb WHERE tenant_id = $1 AND id = $2;

-- audit_page --
-- One page of the account's audit records, newest first.
SELECT a.subject_id, a.seq, a.row_id, a.record, a.leaf, a.at, l.idx
  FROM audit_record a LEFT JOIN audit_leaf l ON l.subject_id = a.subject_id AND l.seq = a.seq
 WHERE a.tenant_id = $1
   AND ($2::text IS NULL OR a.subject_id = $2)
   AND ($3::text[] IS NULL OR a.row_id = ANY($3::text[]))
   AND ($4::timestamptz IS NULL OR (a.at, a.subject_id, a.seq) < ($4::timestamptz, $5::text COLLATE "C", $6::integer))
   AND ($7::text[] IS NULL OR a.mailbox_id = ANY($7::text[]))
 ORDER BY a.at DESC, a.subject_id DESC, a.seq DESC LIMIT $8;

-- events_page --
-- Records behind a place of the log, in its order.
SELECT l.idx, a.record, a.at FROM audit_leaf l JOIN audit_record a ON a.subject_id = l.subject_id AND a.seq = l.seq
 WHERE l.idx > $2 AND a.tenant_id = $1 AND a.at >= $3 AND ($4::text[] IS NULL OR a.mailbox_id = ANY ($4::text[]))
 ORDER BY l.idx LIMIT $5;

-- event_record --
SELECT a.record, a.at, a.mailbox_id, l.idx FROM audit_record a
  LEFT JOIN audit_leaf l ON l.subject_id = a.subject_id AND l.seq = a.seq
 WHERE a.tenant_id = $1 AND a.subject_id = $2 AND a.seq = $3;

-- next_mail --
-- The first mail that came in after an id.
SELECT m.id FROM message m
 WHERE m.tenant_id = $1 AND m.direction = 'inbound' AND m.state = 'received' AND m.mailbox_id <> 'mbx_system'
   AND ($2::text[] IS NULL OR m.mailbox_id = ANY ($2::text[])) AND m.id > $3::text COLLATE "C"
   AND ($4::text IS NULL OR m.header_from ILIKE '%' || $4 || '%' OR m.from_name ILIKE '%' || $4 || '%')
   AND ($5::text IS NULL OR m.subject ILIKE '%' || $5 || '%')
 ORDER BY m.id LIMIT 1;

-- set_label --
UPDATE message SET user_label = $3 WHERE tenant_id = $1 AND id = $2 AND direction = 'inbound';

-- set_send_at --
-- Only while nobody let it go; the row's lock orders this against the release.
UPDATE message SET send_at = $3 WHERE tenant_id = $1 AND id = $2 AND direction = 'outbound'
   AND state IN ('drafting', 'drafted', 'held', 'revising') RETURNING id;

-- contacts --
SELECT * FROM contact WHERE tenant_id = $1
   AND ($2::text IS NULL OR email ILIKE '%' || $2 || '%' OR name ILIKE '%' || $2 || '%')
   AND ($3::text IS NULL OR id < $3::text COLLATE "C")
 ORDER BY id DESC LIMIT $4 OFFSET $5;

-- add_contact --
-- An address that is known keeps what was not given.
INSERT INTO contact (id, tenant_id, email, name, tags) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, email) DO UPDATE
       SET name = CASE WHEN $7::boolean THEN excluded.name ELSE contact.name END,
           tags = CASE WHEN $6::boolean THEN excluded.tags ELSE contact.tags END
RETURNING *;

-- drop_contact --
DELETE FROM contact WHERE tenant_id = $1 AND (id = $2 OR email = $3) RETURNING id;

-- update_account --
UPDATE tenant SET name = coalesce($2::text, name), oversight_email = coalesce($3::text, oversight_email),
       pending_mail = coalesce($6::text, pending_mail),
       physical_address = CASE WHEN $4::boolean THEN $5::text ELSE physical_address END
 WHERE id = $1;

-- end_mailbox --
UPDATE mailbox SET deleted_at = now() WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING id;

-- restore_mailbox --
UPDATE mailbox SET deleted_at = NULL WHERE tenant_id = $1 AND (id = $2 OR address = $2) AND id <> 'mbx_system' RETURNING id;

-- update_key --
UPDATE api_key SET name = coalesce($3::text, name), scopes = coalesce($4::text[], scopes)
 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING id;

-- usage --
-- What happened between two moments, by day; ids of mails sort by time, so the mail's part is a range of ids.
SELECT u.event_type, u.day, sum(u.n)::bigint AS count FROM (
       SELECT CASE m.direction WHEN 'inbound' THEN 'emails_received' ELSE 'emails_sent' END AS event_type,
              (m.created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS n
         FROM mailbox b JOIN message m ON m.mailbox_id = b.id
        WHERE b.tenant_id = $1 AND b.id <> 'mbx_system' AND m.id >= $2 COLLATE "C" AND m.id < $3 COLLATE "C"
          AND (m.direction = 'inbound' OR m.state = 'delivered') GROUP BY 1, 2
        UNION ALL
       SELECT 'oversight_actions', (d.at AT TIME ZONE 'UTC')::date, count(*) FROM decision d
        WHERE d.tenant_id = $1 AND d.at >= $4 AND d.at < $5 GROUP BY 2
        UNION ALL
       SELECT 'api_calls', c.day, sum(c.calls) FROM api_use c
        WHERE c.tenant_id = $1 AND c.day >= ($4::timestamptz AT TIME ZONE 'UTC')::date AND c.day <= ($5::timestamptz AT TIME ZONE 'UTC')::date GROUP BY 2) u
 GROUP BY 1, 2 ORDER BY 2, 1;

-- queue_figures --
SELECT count(*) AS pending, min(coalesce(m.held_at, m.created_at)) AS oldest,
       count(*) FILTER (WHERE t.head IS DISTINCT FROM m.answers AND m.answers IS NOT NULL) AS stale
  FROM message m JOIN thread t ON t.id = m.thread_id
 WHERE m.tenant_id = $1 AND m.state = 'held' AND m.mailbox_id <> 'mbx_system'
   AND ($2::text[] IS NULL OR m.mailbox_id = ANY ($2::text[]));

-- decision_figures --
SELECT count(*) AS decided, count(*) FILTER (WHERE d.action IN ('approve', 'edit_approve')) AS approved,
       count(*) FILTER (WHERE d.action = 'edit_approve') AS edited,
       avg(extract(epoch FROM d.at - m.created_at)) AS mean_wait_s
  FROM decision d JOIN message m ON m.id = d.message_id
 WHERE d.tenant_id = $1 AND d.at >= $3 AND d.action IN ('approve', 'edit_approve', 'reject', 'send_back')
   AND ($2::text[] IS NULL OR d.mailbox_id = ANY ($2::text[]));

-- export_ids --
SELECT m.id FROM message m
 WHERE m.tenant_id = $1 AND m.mailbox_id <> 'mbx_system' AND ($2::text[] IS NULL OR m.mailbox_id = ANY ($2::text[]))
   AND m.id > $3::text COLLATE "C" ORDER BY m.id LIMIT $4;

-- add_issue --
INSERT INTO feedback (id, tenant_id, principal_id, severity, text, context) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *;

-- issues --
SELECT * FROM feedback WHERE tenant_id = $1 AND ($2::text IS NULL OR id < $2::text COLLATE "C") ORDER BY id DESC LIMIT $3;

-- take_permits --
-- A block of permits of one window, for all replicas; how many are taken now.
INSERT INTO rate_window AS w (name, ends_at, taken) VALUES ($1, to_timestamp($2), $3)
    ON CONFLICT (name, ends_at) DO UPDATE SET taken = w.taken + excluded.taken RETURNING w.taken;

-- forget_windows --
DELETE FROM rate_window WHERE ends_at < now();

-- calls_made --
-- How often each key called today, told now and then by each replica.
INSERT INTO api_use AS u (tenant_id, key_id, day, calls)
SELECT x.tenant_id, x.key_id, (now() AT TIME ZONE 'UTC')::date, x.calls
  FROM unnest($1::text[], $2::text[], $3::bigint[]) AS x (tenant_id, key_id, calls)
    ON CONFLICT (key_id, day) DO UPDATE SET calls = u.calls + excluded.calls;

-- claim --
-- A lease on a draft that waits: the claimant's own, or one that has ended.
INSERT INTO review_claim AS y (message_id, tenant_id, mailbox_id, principal_id, claimed_until)
SELECT m.id, m.tenant_id, m.mailbox_id, $3::text, now() + make_interval(secs => $4)
  FROM message m WHERE m.tenant_id = $1 AND m.id = $2 AND m.state = 'held'
    ON CONFLICT (message_id) DO UPDATE
       SET principal_id = excluded.principal_id, claimed_at = now(), claimed_until = excluded.claimed_until
     WHERE y.principal_id = excluded.principal_id OR y.claimed_until <= now()
RETURNING claimed_until;

-- drop_claim --
DELETE FROM review_claim WHERE tenant_id = $1 AND message_id = $2 AND principal_id = $3;

-- forget_claims --
-- Leases that ended long ago.
DELETE FROM review_claim WHERE claimed_until < now() - interval '1 day';

-- category_rules --
-- The rules of a mailbox as they stand.
SELECT * FROM (SELECT DISTINCT ON (name) name, revision, conditions, priority, set_by, set_at FROM category_rule
                WHERE mailbox_id = $1 ORDER BY name, revision DESC) newest WHERE conditions IS NOT NULL
 ORDER BY priority DESC, name;

-- mode_grants --
-- What people granted in a mailbox, by kind and name.
SELECT id, kind, name, mode, covers_ask, revision, granted_by, granted_at, created_at FROM mode_grant
 WHERE mailbox_id = $1 AND revoked_at IS NULL ORDER BY kind, name;

-- reviews --
-- What people said of the newest drafts of a mailbox, by the category that our rules gave.
SELECT m.id, coalesce(m.rule_category, '') AS category, m.decided_at, d.approved, d.rejected, d.edit_words
  FROM (SELECT id, rule_category, decided_at FROM message
         WHERE mailbox_id = $1 AND direction = 'outbound' AND decided_at IS NOT NULL
         ORDER BY decided_at DESC LIMIT $2) m
  JOIN LATERAL (SELECT bool_or(action IN ('approve', 'edit_approve')) AS approved,
                       bool_or(action IN ('reject', 'send_back')) AS rejected,
                       max(coalesce(edit_words, CASE WHEN action = 'edit_approve' THEN 1 END)) AS edit_words
                  FROM decision WHERE message_id = m.id) d ON d.approved OR d.rejected
 ORDER BY m.decided_at DESC;

-- asks --
-- Which mode each agent asked for on its last 100 sends of a mailbox, among the newest 5,000.
SELECT author, coalesce(ask_at_submit, '') AS ask, count(*) AS n
  FROM (SELECT author, ask_at_submit, row_number() OVER (PARTITION BY author ORDER BY id DESC) AS place
          FROM (SELECT id, author, ask_at_submit FROM message
                 WHERE mailbox_id = $1 AND direction = 'outbound' AND author IS NOT NULL
                 ORDER BY id DESC LIMIT 5000) newest) placed
 WHERE place <= 100 GROUP BY 1, 2 ORDER BY 1, 3 DESC;

-- sampling --
-- Whether two people approve in a mailbox, how much the lasting sample takes, and whether a person loosened its own mode.
SELECT b.two_person OR t.two_person AS two_person, coalesce((SELECT rate FROM sample_rate), 0)::float8 AS sample_rate,
       loosened_at(b) IS NOT NULL AS is_loosened
  FROM mailbox b JOIN tenant t ON t.id = b.tenant_id WHERE b.id = $1;

-- judged --
-- How drafts were judged since a moment, newest first, with what is needed to judge them again under another policy.
SELECT m.id, a.row_id, a.record::jsonb->'data'->'facts' AS facts, m.ask, m.recipients, m.category,
       r.category AS revision_category, m.state, coalesce(m.answers = r.answers, false) AS answers_newest,
       o.id AS original_id, o.header_from, o.envelope_to, o.to_addresses, o.auth, o.subject, o.has_attachments,
       left(o.reply_text, 20000) AS reply_text, left(o.text, 20000) AS text,
       CASE WHEN o.id IS NOT NULL THEN ARRAY(
            SELECT DISTINCT said FROM message tagged CROSS JOIN unnest(tagged.person_tags) key
             CROSS JOIN LATERAL (VALUES (key), (key || '=' || (tagged.tags->>key))) words (said)
             WHERE tagged.thread_id = m.thread_id AND tagged.person_tags <> '{}' AND tagged.tags ? key) ELSE '{}' END AS tags,
       d.approved, d.rejected, d.edit_words
  FROM audit_record a
  JOIN message m ON m.id = a.subject_id
  LEFT JOIN revision r ON r.message_id = m.id AND r.n = 1
  LEFT JOIN message o ON o.id = m.answers
  LEFT JOIN LATERAL (SELECT bool_or(action IN ('approve', 'edit_approve')) AS approved,
                            bool_or(action IN ('reject', 'send_back')) AS rejected,
                            max(coalesce(edit_words, CASE WHEN action = 'edit_approve' THEN 1 END)) AS edit_words
                       FROM decision WHERE message_id = m.id) d ON true
 WHERE a.mailbox_id = $1 AND a.at > now() - make_interval(days => $2) AND a.row_id IN ('T08', 'T09', 'T10')
   AND m.tenant_id = $3
 ORDER BY a.at DESC LIMIT $4;

-- domains --
SELECT id, domain, status, checks, checked_at, created_at, verified_at FROM domain WHERE tenant_id = $1 ORDER BY domain;

-- add_domain --
-- The account's own, new or known; null where it is another account's.
INSERT INTO domain (id, tenant_id, domain) VALUES ($1, $2, $3)
ON CONFLICT (domain) DO UPDATE SET domain = excluded.domain WHERE domain.tenant_id = $2 RETURNING id;

-- domain_checked --
-- What the verifier found. verified_at is the first time that it was active.
UPDATE domain SET checks = $3, checked_at = now(), status = $4,
       verified_at = CASE WHEN $4 = 'active' THEN coalesce(verified_at, now()) ELSE verified_at END
 WHERE tenant_id = $1 AND id = $2;

-- delete_domain --
DELETE FROM domain WHERE tenant_id = $1 AND id = $2;

-- update_pace --
-- How a mailbox's mail leaves; what was not given stays.
UPDATE mailbox SET physical_address = CASE WHEN $3 THEN $4 ELSE physical_address END,
       send_window = CASE WHEN $5 THEN $6 ELSE send_window END, rate_per_hour = CASE WHEN $7 THEN $8 ELSE rate_per_hour END,
       warmup_from = CASE WHEN $9 THEN $10 ELSE warmup_from END,
       quote_original = coalesce($11::boolean, quote_original)
 WHERE tenant_id = $1 AND id = $2;

-- person --
-- The mails of one address, newest first, and what may become of them.
SELECT m.id, m.mailbox_id, m.thread_id, m.direction, m.state, m.created_at, has_ended(m) AS ended, is_held_by_law(m) AS held
  FROM message m
 WHERE m.tenant_id = $1 AND m.erased_at IS NULL
   AND (lower(m.header_from) = $2 OR lower(m.envelope_from) = $2 OR $2 = ANY (m.recipients)
        OR EXISTS (SELECT 1 FROM revision r WHERE r.message_id = m.id AND $2 = ANY (r.recipients)))
   AND ($3::text[] IS NULL OR m.mailbox_id = ANY($3::text[]))
 ORDER BY m.id DESC LIMIT $4;

-- legal_holds --
SELECT id, scope, target, reason, by, since FROM legal_hold WHERE tenant_id = $1 AND lifted_at IS NULL ORDER BY id;
