-- What the gatekeeper reads before it judges. Every change of state goes through the step functions instead.

-- case --
-- One outbound or inbound mail with the live facts of its mailbox, tenant and thread.
SELECT m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.direction, m.state, m.version, m.answers, m.in_reply_to_id,
       m.author, m.author_kind, m.revision, m.content, m.recipients, m.ask, m.send_at, m.gate_timing, m.placeholder, m.ok1, m.ok1_hash, m.ok1_key, m.ok1_for,
       m.rounds, m.release, m.category, m.system_template, m.policy_block, m.reasons, m.created_at, m.expires_at,
       m.decided_by, m.decided_at, m.released_at, m.raw_sha256, m.salt, m.automatic, m.has_attachments, m.quarantined_for,
       m.rejection_final, m.mode_grant_id, m.reviser, m.rule_category,
       NOT EXISTS (SELECT 1 FROM api_key a WHERE a.id = m.ok1_key AND a.revoked_at IS NOT NULL) AS ok1_active,
       b.address, b.display_name, b.mode, b.ceiling, b.undo_window_s, b.expires_after_s, b.rounds_max,
       b.signature_block, b.ai_disclosure, b.quote_original, b.two_person, b.policy_block AS mailbox_block, b.covers_ask AS mailbox_covers_ask, loosened_at(b) AS loosened_at, b.auto_cc, b.auto_bcc,
       e.name AS tenant_name, coalesce(b.physical_address, e.physical_address) AS physical_address, e.two_person AS tenant_two_person,
       h.head, h.participants, h.subject AS thread_subject
  FROM message m
  JOIN mailbox b ON b.id = m.mailbox_id
  JOIN tenant e ON e.id = m.tenant_id
  JOIN thread h ON h.id = m.thread_id
 WHERE m.id = $1;

-- revision --
-- One draft of a mail.
SELECT message_id, n, kind, content_sha256, content, markdown, subject, recipients, author, author_key, author_kind, ask,
       placeholder, failure, answers, evidence, category, created_at
  FROM revision WHERE message_id = $1 AND n = $2;

-- newest_draft --
-- The newest draft of the author; what a reviewer edited is adopted by a decision and never by itself.
SELECT message_id, n, kind, content_sha256, content, markdown, subject, recipients, author, author_key, author_kind, ask,
       placeholder, failure, answers, evidence, category, created_at
  FROM revision WHERE message_id = $1 AND kind <> 'edit' ORDER BY n DESC LIMIT 1;

-- original --
-- The mail being answered: where it is not among the newest of the thread, or a rule is to look at it.
SELECT id, direction, header_from, to_addresses, cc_addresses, recipients, subject, flags, automatic, rfc_message_id, text,
       envelope_to, auth, left(reply_text, 65536) AS reply_text, has_attachments, rule_category, rule_revision,
       left(coalesce(nullif(reply_text, ''), text, ''), 10001) AS said, from_name, coalesce(sent_at, created_at) AS said_at
  FROM message WHERE id = $1;

-- thread_texts --
-- What participants have said and were told on this thread, newest first.
SELECT m.id, m.direction, m.header_from, m.to_addresses, m.cc_addresses, m.recipients, m.subject, m.flags, m.automatic,
       m.rfc_message_id, left(coalesce(m.text, r.markdown, ''), 65536) AS text,
       left(coalesce(nullif(m.reply_text, ''), m.text, ''), 10001) AS said, m.from_name, coalesce(m.sent_at, m.created_at) AS said_at
  FROM message m
  LEFT JOIN revision r ON r.message_id = m.id AND r.n = m.revision AND m.direction = 'outbound'
 WHERE m.thread_id = $1 AND m.state IN ('received', 'delivered') ORDER BY m.id DESC LIMIT 50;

-- chunks_saying --
-- Knowledge of a mailbox that could support what a draft promises.
SELECT heading || E'\n' || text AS text FROM chunk
 WHERE mailbox_id = $1 AND (text ILIKE ANY($2::text[]) OR heading ILIKE ANY($2::text[])) LIMIT 200;

-- surroundings --
-- The live facts around a draft in one look: who is suppressed, what is paused, which looser modes were granted,
-- how much left lately.
SELECT ARRAY(SELECT address FROM suppression
              WHERE tenant_id = $1 AND address = ANY($3::text[]) AND (suppression.category IS NULL OR suppression.category = $5)
                AND (mailbox_id IS NULL OR mailbox_id = $2
                     OR EXISTS (SELECT 1 FROM mailbox g WHERE g.id = suppression.mailbox_id AND g.deleted_at IS NOT NULL))) AS suppressed,
       ARRAY(SELECT scope FROM pause
              WHERE tenant_id = $1 AND lifted_at IS NULL
                AND ((scope = 'tenant' AND target = $1) OR (scope = 'mailbox' AND target = $2)
                     OR (scope = 'agent' AND target = $4))) AS stops,
       ARRAY(SELECT target FROM pause
              WHERE tenant_id = $1 AND lifted_at IS NULL AND scope = 'category') AS stopped_categories,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'name', name, 'mode', mode,
                                                     'covers_ask', covers_ask))
                   FROM mode_grant WHERE mailbox_id = $2 AND revoked_at IS NULL), '[]'::jsonb) AS grants,
       coalesce((SELECT jsonb_agg(jsonb_build_object('name', name, 'revision', revision, 'conditions', conditions,
                                                     'priority', priority))
                   FROM (SELECT DISTINCT ON (name) name, revision, conditions, priority FROM category_rule
                          WHERE mailbox_id = $2 ORDER BY name, revision DESC) newest
                  WHERE conditions IS NOT NULL), '[]'::jsonb) AS rules,
       ARRAY(SELECT DISTINCT said FROM message tagged CROSS JOIN unnest(tagged.person_tags) key
              CROSS JOIN LATERAL (VALUES (key), (key || '=' || (tagged.tags->>key))) words (said)
              WHERE tagged.thread_id = $7 AND tagged.person_tags <> '{}' AND tagged.tags ? key) AS tags,
       (SELECT count(*) FROM (SELECT 1 FROM message
                               WHERE mailbox_id = $2 AND direction = 'outbound' AND id > $5 AND released_at IS NOT NULL
                               LIMIT $6) recent) AS sent_in_hour,
       (SELECT count(*) FROM message
         WHERE thread_id = $7 AND direction = 'outbound' AND id <> $8
           AND released_at > now() - interval '1 hour') AS answered_in_hour,
       (SELECT coalesce(max(written.times), 0) FROM (SELECT count(*) AS times FROM delivery
         WHERE mailbox_id = $2 AND recipient = ANY($3::text[]) AND queued_at > now() - interval '1 hour'
           AND message_id <> $8 GROUP BY recipient) written) AS written_in_hour,
       EXISTS (SELECT 1 FROM message
                WHERE answers = $9 AND author = $4 AND id <> $8
                  AND state IN ('released', 'sending', 'deferred', 'uncertain', 'delivered')) AS is_duplicate;

-- written_to --
-- Which of these addresses this tenant has written to before.
SELECT DISTINCT recipient FROM delivery
 WHERE tenant_id = $1 AND recipient = ANY($2::text[]) AND state = 'delivered' AND message_id <> $3;

-- owners_of_attachments --
-- Who sent us these files, on other threads.
SELECT DISTINCT lower(m.header_from) AS owner
  FROM attachment a JOIN message m ON m.id = a.message_id
 WHERE a.mailbox_id = $1 AND a.sha256 = ANY($2::text[]) AND m.direction = 'inbound' AND m.thread_id <> $3;

-- owners_of_mails --
-- Who wrote these mails, on other threads.
SELECT DISTINCT lower(header_from) AS owner FROM message
 WHERE tenant_id = $1 AND id = ANY($2::text[]) AND direction = 'inbound' AND thread_id <> $3;

-- superseded --
-- Open drafts of a thread, never attempted, that answer an older mail than a later draft of the thread does.
SELECT m.id, min(n.id) AS by_message_id FROM message m
  JOIN message n ON n.thread_id = m.thread_id AND n.direction = 'outbound' AND n.answers > m.answers AND n.id <> m.id
   AND n.revision > 0
   AND n.state IN ('drafted', 'held', 'revising', 'released', 'sending', 'deferred', 'uncertain', 'delivered')
 WHERE m.thread_id = $1 AND m.direction = 'outbound' AND m.answers IS NOT NULL
   AND m.state IN ('drafting', 'drafted', 'held', 'revising', 'released')
   AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = m.id AND (d.used OR d.attempts > 0))
 GROUP BY m.id;

-- open_mails_of_mailbox --
-- What is let go and has not left, of one mailbox: looked at again when the mailbox was tightened.
SELECT id FROM message
 WHERE mailbox_id = $1 AND direction = 'outbound' AND state IN ('released', 'deferred') ORDER BY id LIMIT 2000;

-- open_mails_suppressed --
-- What waits or may still leave to an address that has just opted out.
SELECT m.id FROM suppression s JOIN message m ON m.tenant_id = s.tenant_id AND s.address = ANY(m.recipients)
 WHERE s.id = $1 AND m.mailbox_id <> 'mbx_system' AND m.direction = 'outbound' AND m.state IN ('drafted', 'held', 'released', 'deferred')
   AND (s.category IS NULL OR s.category = m.category)
   AND (s.mailbox_id IS NULL OR s.mailbox_id = m.mailbox_id OR EXISTS (SELECT 1 FROM mailbox g WHERE g.id = s.mailbox_id AND g.deleted_at IS NOT NULL))
 ORDER BY m.id LIMIT 500;

-- tightened --
-- What is let go, has not left, and may not be allowed any more; the steps decide.
SELECT m.id FROM message m JOIN mailbox b ON b.id = m.mailbox_id
  LEFT JOIN mode_grant g ON g.id = m.mode_grant_id AND g.revoked_at IS NULL
 WHERE m.state IN ('released', 'deferred') AND m.direction = 'outbound' AND NOT m.system_template
   AND ((m.ok1 IS NULL AND (coalesce(g.mode, b.mode) IN ('read_only', 'gated_all', 'gated_send')
                            OR b.ceiling IN ('read_only', 'gated_all', 'gated_send')
                            OR (m.ask = 'gated_send' AND NOT coalesce(g.covers_ask, b.covers_ask))))
        OR (m.ok1 IS NOT NULL AND m.ok2 IS NULL
            AND (b.two_person OR (SELECT t.two_person FROM tenant t WHERE t.id = m.tenant_id))) OR b.policy_block OR m.policy_block OR b.mode = 'read_only'
        OR EXISTS (SELECT 1 FROM api_key k WHERE k.id IN (m.ok1_key, m.ok2_key) AND k.revoked_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM suppression s
                    WHERE s.tenant_id = m.tenant_id AND s.address = ANY(m.recipients)
                      AND (s.category IS NULL OR s.category = m.category)
                      AND (s.mailbox_id IS NULL OR s.mailbox_id = m.mailbox_id
                           OR EXISTS (SELECT 1 FROM mailbox g WHERE g.id = s.mailbox_id AND g.deleted_at IS NOT NULL))))
 ORDER BY m.id LIMIT 500;

-- suppressed_deliveries --
-- Recipients of the present release that are not on the wire and may not be written to any more.
SELECT d.id FROM delivery d JOIN message m ON m.id = d.message_id AND m.release = d.of_release
 WHERE d.message_id = $1 AND d.state IN ('released', 'deferred') AND d.mailbox_id <> 'mbx_system'
   AND EXISTS (SELECT 1 FROM suppression s
                WHERE s.tenant_id = d.tenant_id AND s.address = d.recipient
                  AND (s.category IS NULL OR s.category = m.category)
                  AND (s.mailbox_id IS NULL OR s.mailbox_id = d.mailbox_id
                       OR EXISTS (SELECT 1 FROM mailbox g WHERE g.id = s.mailbox_id AND g.deleted_at IS NOT NULL)));

-- threads_to_supersede --
-- Threads on which an open draft answers an older mail than a later draft does.
SELECT DISTINCT m.thread_id FROM message m
 WHERE m.state IN ('drafting', 'drafted', 'held', 'revising', 'released') AND m.direction = 'outbound'
   AND m.answers IS NOT NULL
   AND EXISTS (SELECT 1 FROM message n WHERE n.thread_id = m.thread_id AND n.direction = 'outbound' AND n.id <> m.id
                AND n.answers > m.answers AND n.revision > 0
                AND n.state IN ('drafted', 'held', 'revising', 'released', 'sending', 'deferred', 'uncertain', 'delivered'))
   AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = m.id AND (d.used OR d.attempts > 0))
 LIMIT 200;

-- overdue --
-- What has waited longer than it may.
SELECT id, version FROM message
 WHERE expires_at < now() AND state IN ('drafting', 'drafted', 'held', 'revising', 'released', 'quarantined')
 ORDER BY expires_at LIMIT 200;

-- stuck --
-- Drafts whose event was lost: a revision nobody has adopted, older than some seconds. What is held has adopted one before,
-- so there only rewrites can be lost, and they are few: a long queue costs this look nothing.
SELECT x.id, x.n FROM (
       (SELECT m.id, r.n FROM message m
          JOIN LATERAL (SELECT n, created_at FROM revision
                         WHERE message_id = m.id AND kind <> 'edit' ORDER BY n DESC LIMIT 1) r ON true
         WHERE m.state IN ('drafting', 'drafted', 'revising') AND m.direction = 'outbound'
           AND (m.state = 'drafted' OR r.n > m.revision)
           AND (m.state <> 'drafted' OR m.gate_timing <> 'schedule_first' OR m.send_at IS NULL OR m.send_at <= now())
           AND r.created_at < now() - make_interval(secs => $1) ORDER BY m.id LIMIT 200)
        UNION ALL
       (SELECT m.id, r.n FROM revision r JOIN message m ON m.id = r.message_id
         WHERE r.n > 1 AND r.kind <> 'edit' AND r.created_at > now() - interval '30 days'
           AND r.created_at < now() - make_interval(secs => $1) AND m.state = 'held' AND r.n > m.revision
           AND NOT EXISTS (SELECT 1 FROM revision l WHERE l.message_id = r.message_id AND l.kind <> 'edit' AND l.n > r.n)
         ORDER BY m.id LIMIT 200)) x
 ORDER BY x.id LIMIT 200;

-- credential --
-- Who holds a key, and what it may.
SELECT k.id, k.tenant_id, k.principal_id, k.scopes, k.mailbox_ids, k.revoked_at, p.kind, p.name
  FROM api_key k JOIN principal p ON p.id = k.principal_id WHERE k.id = $1;

-- decision_result --
-- What a command with this id did.
SELECT subject_id, seq FROM command_result WHERE command_id = $1 AND tenant_id = $2;

-- audit_record --
-- One step of one subject.
SELECT record FROM audit_record WHERE subject_id = $1 AND seq = $2;

-- last_decision --
-- Who decided last, and what.
SELECT seq, action, revision, content_sha256, principal, key_id, at FROM decision
 WHERE message_id = $1 ORDER BY seq DESC LIMIT 1;

-- was_attempted --
-- Whether any delivery of a mail was ever tried.
SELECT EXISTS (SELECT 1 FROM delivery WHERE message_id = $1 AND attempts > 0);

-- ended_recipients --
-- Recipients of a mail that need no further delivery.
SELECT coalesce(array_agg(DISTINCT recipient), '{}') FROM delivery
 WHERE message_id = $1 AND state IN ('delivered', 'bounced', 'refused');

-- mailbox --
-- One mailbox of a tenant, as world steps see it.
SELECT id, tenant_id, address, mode, ceiling, version FROM mailbox
 WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL;

-- pause --
-- One stop.
SELECT id, tenant_id, mailbox_id, scope, target, lifted_at FROM pause WHERE id = $1 AND tenant_id = $2;

-- suppressions_of --
-- The entries that stop mail to one address.
SELECT id, mailbox_id, reason FROM suppression WHERE tenant_id = $1 AND address = $2;

-- deliveries --
-- What became of each recipient of the present release.
SELECT id, recipient, state, used, attempts FROM delivery WHERE message_id = $1 AND of_release = $2;

-- grant --
-- What a person granted under a name, in force or not.
SELECT id, mode, covers_ask, revision, revoked_at FROM mode_grant WHERE mailbox_id = $1 AND kind = $2 AND name = $3;

-- categorise --
-- The category of an inbound mail as our rules see it now, for those who list it.
UPDATE message SET rule_category = $2, rule_revision = $3
 WHERE id = $1 AND direction = 'inbound' AND (rule_category, rule_revision) IS DISTINCT FROM ($2, $3::integer);

-- inbound_with_rules --
-- An inbound mail with the rules of its mailbox and the tags that people set on its thread; none where there are no rules.
SELECT m.id, m.header_from, m.envelope_to, m.to_addresses, m.auth, m.subject, m.has_attachments,
       left(m.reply_text, 65536) AS reply_text, left(m.text, 65536) AS text, r.rules,
       ARRAY(SELECT DISTINCT said FROM message tagged CROSS JOIN unnest(tagged.person_tags) key
              CROSS JOIN LATERAL (VALUES (key), (key || '=' || (tagged.tags->>key))) words (said)
              WHERE tagged.thread_id = m.thread_id AND tagged.person_tags <> '{}' AND tagged.tags ? key) AS tags
  FROM message m
  JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('name', name, 'revision', revision, 'conditions', conditions,
                                                    'priority', priority)) AS rules
                  FROM (SELECT DISTINCT ON (name) name, revision, conditions, priority FROM category_rule
                         WHERE mailbox_id = m.mailbox_id ORDER BY name, revision DESC) newest
                 WHERE conditions IS NOT NULL) r ON r.rules IS NOT NULL
 WHERE m.id = $1 AND m.direction = 'inbound';

-- mailboxes_of --
-- Every mailbox of an account.
SELECT id FROM mailbox WHERE tenant_id = $1 AND id <> 'mbx_system' AND deleted_at IS NULL ORDER BY id;

-- is_there --
-- Whether a mail of this id exists.
SELECT EXISTS (SELECT 1 FROM message WHERE id = $1);

-- oversight_email --
-- Where codes and notices of an account go.
SELECT oversight_email FROM tenant WHERE id = $1;

-- last_bounce --
-- Why the newest mail to the oversight address that has an end did not arrive; none where it did.
SELECT d.code, d.enhanced, d.ended_at FROM (
  SELECT d.state, d.code, d.enhanced, d.ended_at FROM delivery d JOIN tenant t ON t.id = d.tenant_id
   WHERE d.tenant_id = $1 AND d.mailbox_id = 'mbx_system' AND d.recipient = lower(t.oversight_email) AND d.ended_at IS NOT NULL
   ORDER BY d.ended_at DESC LIMIT 1) d WHERE d.state = 'bounced';

-- unreached --
-- Accounts whose newest notice with an end bounced.
SELECT t.id AS tenant_id, t.oversight_email, d.code, d.enhanced, d.ended_at FROM tenant t JOIN LATERAL (
  SELECT d.state, d.code, d.enhanced, d.ended_at FROM delivery d
   WHERE d.tenant_id = t.id AND d.mailbox_id = 'mbx_system' AND d.recipient = lower(t.oversight_email) AND d.ended_at IS NOT NULL
   ORDER BY d.ended_at DESC LIMIT 1) d ON d.state = 'bounced';

-- system_mailbox --
-- As whom the installation writes, and to whom.
SELECT b.address, b.display_name, t.name AS tenant_name, t.oversight_email
  FROM tenant t JOIN mailbox b ON b.id = 'mbx_system' WHERE t.id = $1;

-- upgrade_request --
-- One request with the address of its mailbox.
SELECT u.id, u.tenant_id, u.mode, u.pattern, u.created_at, u.expires_at, b.address
  FROM upgrade_request u JOIN mailbox b ON b.id = u.mailbox_id WHERE u.id = $1;

-- fresh_requests --
-- Requests of the last hour that may still be redeemed: each must have its mail.
SELECT u.id, u.tenant_id, u.mode, u.pattern, u.created_at, u.expires_at, b.address
  FROM upgrade_request u JOIN mailbox b ON b.id = u.mailbox_id
 WHERE u.created_at > now() - interval '1 hour' AND u.created_at < now() - interval '5 seconds' AND u.redeemed_at IS NULL
 ORDER BY u.created_at LIMIT 200;

-- count_try --
-- The requests of a mailbox that a code may belong to; the try is counted on each of them first.
UPDATE upgrade_request SET tries = tries + 1
 WHERE mailbox_id = $1 AND redeemed_at IS NULL AND expires_at > now() AND tries <= 5
RETURNING id, mode, pattern, code_sha256;

-- ask_approval --
-- A request for an administrative act's code, unless this key has asked too often in the past hour ($9).
INSERT INTO approval_request (id, tenant_id, key_id, action, request_sha256, code_sha256, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7::timestamptz, $8
 WHERE (SELECT count(*) FROM approval_request a WHERE a.key_id = $3 AND a.created_at > $7::timestamptz - interval '1 hour') < $9::integer
RETURNING id;

-- key_name --
SELECT name FROM api_key WHERE id = $1;

-- count_approval_try --
-- The open requests of this key for this very act; the try is counted on each of them first.
UPDATE approval_request SET tries = tries + 1
 WHERE key_id = $1 AND action = $2 AND request_sha256 = $3 AND redeemed_at IS NULL AND expires_at > now() AND tries < 5
RETURNING id, code_sha256;

-- redeem_approval --
UPDATE approval_request SET redeemed_at = now() WHERE id = $1 AND redeemed_at IS NULL RETURNING id;

-- forget_approvals --
DELETE FROM approval_request WHERE expires_at < now() - interval '7 days';

-- redeemed_by_command --
-- The request that this very command has redeemed.
SELECT u.id, u.mode, u.pattern, u.code_sha256
  FROM command_result p JOIN audit_record a ON a.subject_id = p.subject_id AND a.seq = p.seq
  JOIN upgrade_request u ON u.id = a.record::jsonb->'data'->>'request_id'
 WHERE p.command_id = $1 AND p.tenant_id = $2 AND a.row_id IN ('W12', 'W12g');

-- loosened --
-- Categories, and mailboxes by their own mode (no name), that a person let go alone: one, or all.
SELECT g.id, g.mailbox_id, g.name, g.mode, g.revision, g.granted_at FROM mode_grant g
 WHERE g.kind = 'category' AND g.revoked_at IS NULL AND g.mode IN ('monitored', 'autonomous')
   AND ($1::text IS NULL OR (g.mailbox_id = $1 AND g.name = $2))
UNION ALL SELECT b.id, b.id, NULL, b.mode, extract(epoch FROM loosened_at(b))::bigint, loosened_at(b) FROM mailbox b
 WHERE b.mode IN ('monitored', 'autonomous') AND b.deleted_at IS NULL AND loosened_at(b) IS NOT NULL
   AND ($1::text IS NULL OR (b.id = $1 AND $2::text IS NULL));

-- tell_sample_rate --
INSERT INTO sample_rate (rate) VALUES ($1) ON CONFLICT (one) DO UPDATE SET rate = excluded.rate;

-- sample_reviews --
-- What people said of the lasting sample of a category, or of a mailbox's own mode, since it was loosened, oldest first;
-- the newest 500 count.
SELECT m.id, m.decided_at, d.approved, d.rejected, d.edit_words
  FROM (SELECT id, decided_at FROM message
         WHERE mailbox_id = $1 AND decided_at >= $3 AND 'sampled' = ANY (reasons)
           AND (rule_category = $2 OR ($2::text IS NULL AND mode_grant_id IS NULL))
         ORDER BY decided_at DESC LIMIT 500) m
  JOIN LATERAL (SELECT bool_or(action IN ('approve', 'edit_approve')) AS approved,
                       bool_or(action IN ('reject', 'send_back')) AS rejected,
                       max(coalesce(edit_words, CASE WHEN action = 'edit_approve' THEN 1 END)) AS edit_words
                  FROM decision WHERE message_id = m.id) d ON d.approved OR d.rejected
 ORDER BY m.decided_at, m.id;

-- accounts_waiting --
-- Accounts that want to hear of it where a mail has waited for a person since before $1.
SELECT t.id FROM tenant t
 WHERE t.oversight_email IS NOT NULL AND t.pending_mail <> 'off'
   AND EXISTS (SELECT 1 FROM message m WHERE m.tenant_id = t.id AND m.state = 'held' AND m.held_at < $1);

-- waiting_of --
-- How many mails of an account wait for a person in each mailbox, and since when.
SELECT b.address, count(*) AS n, min(m.held_at) AS oldest_at FROM message m JOIN mailbox b ON b.id = m.mailbox_id
 WHERE m.tenant_id = $1 AND m.state = 'held' GROUP BY 1 ORDER BY 1;

-- accounts_with_news --
-- Accounts that want to hear at once, or once in each hour, and where something waits that they were not told of.
SELECT t.id, t.pending_told_at AS told_at FROM tenant t
 WHERE t.oversight_email IS NOT NULL
   AND (t.pending_mail = 'at_once' OR (t.pending_mail = 'hourly'
        AND (t.pending_told_at IS NULL OR date_trunc('hour', t.pending_told_at) < date_trunc('hour', $1::timestamptz))))
   AND EXISTS (SELECT 1 FROM message m WHERE m.tenant_id = t.id AND m.state = 'held'
                AND m.held_at > coalesce(t.pending_told_at, '-infinity') AND m.held_at <= $1);

-- news_of --
-- What began to wait in an account between two moments, the first $4 of them, and how many in all.
SELECT b.address, m.id, m.reasons, m.held_at, count(*) OVER () AS n FROM message m JOIN mailbox b ON b.id = m.mailbox_id
 WHERE m.tenant_id = $1 AND m.state = 'held' AND m.held_at > coalesce($2::timestamptz, '-infinity') AND m.held_at <= $3
 ORDER BY m.held_at, m.id LIMIT $4;

-- was_told --
-- This account knows of all that waits since before $2.
UPDATE tenant SET pending_told_at = $2 WHERE id = $1 AND (pending_told_at IS NULL OR pending_told_at < $2);

-- thread_of_tenant --
-- A thread and the mailbox it belongs to.
SELECT id, mailbox_id FROM thread WHERE id = $1 AND tenant_id = $2;

-- thread_move --
-- A move that a person made, to be taken back.
SELECT id, mailbox_id, kind, from_thread, to_thread, message_ids FROM thread_move WHERE id = $1 AND tenant_id = $2;

-- mails_of_person --
-- What an address wrote or was written, by what may become of it.
WITH theirs AS (
  SELECT m.id, has_ended(m) AS ended, is_held_by_law(m) AS held FROM message m
   WHERE m.tenant_id = $1 AND m.erased_at IS NULL
     AND (lower(m.header_from) = $2 OR lower(m.envelope_from) = $2 OR $2 = ANY (m.recipients)
          OR EXISTS (SELECT 1 FROM revision r WHERE r.message_id = m.id AND $2 = ANY (r.recipients))))
SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE ended AND NOT held), '{}') AS ids,
       count(*) FILTER (WHERE held) AS held, count(*) FILTER (WHERE NOT held AND NOT ended) AS open FROM theirs;

-- erase_mails --
SELECT erase_mails($1::text[]);

-- erase_elsewhere --
-- The address where it stands beside mails. A suppression stays: without it they would be written to again.
WITH known AS (DELETE FROM contact WHERE tenant_id = $1 AND lower(email) = $2)
UPDATE thread SET participants = array_remove(participants, $2) WHERE tenant_id = $1 AND $2 = ANY (participants);

-- mails_past_retention --
-- The oldest that may go, by account.
SELECT o.tenant_id, array_agg(o.id ORDER BY o.id) AS ids FROM (
  SELECT m.id, m.tenant_id FROM message m
   WHERE m.erased_at IS NULL AND m.created_at < $1 AND has_ended(m) AND NOT is_held_by_law(m)
   ORDER BY m.created_at LIMIT $2) o GROUP BY o.tenant_id;

-- webhooks_past_retention --
-- The bodies of webhooks that need not be sent any more.
WITH gone AS (UPDATE webhook_delivery SET body = '', excerpt = NULL WHERE id IN (
    SELECT w.id FROM webhook_delivery w LEFT JOIN message m ON m.id = w.message_id
     WHERE w.created_at < $1 AND w.state <> 'pending' AND w.body <> '' AND (m.id IS NULL OR NOT is_held_by_law(m)) LIMIT $2)
  RETURNING tenant_id)
SELECT tenant_id, count(*)::integer AS erased FROM gone GROUP BY tenant_id;

-- keep_words --
INSERT INTO audit_words (digest, tenant_id, subject_id, salt, text) VALUES ($1, $2, $3, $4, $5);

-- words_past_retention --
WITH gone AS (DELETE FROM audit_words w WHERE w.digest IN (SELECT o.digest FROM audit_words o
   WHERE o.at < $1 AND NOT EXISTS (SELECT 1 FROM legal_hold h WHERE h.tenant_id = o.tenant_id AND h.lifted_at IS NULL
     AND (h.scope = 'tenant' OR (h.scope = 'mailbox' AND h.target = o.subject_id))) LIMIT $2) RETURNING tenant_id)
SELECT tenant_id, count(*)::integer AS erased FROM gone GROUP BY tenant_id;

-- legal_hold --
SELECT id, scope FROM legal_hold WHERE id = $1 AND tenant_id = $2;
