-- What the gatekeeper reads before it judges. Every change of state goes through the step functions instead.

-- case --
-- One outbound or inbound mail with the live facts of its mailbox, tenant and thread.
SELECT m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.direction, m.state, m.version, m.answers, m.in_reply_to_id,
       m.author, m.author_kind, m.revision, m.content, m.recipients, m.ask, m.send_at, m.gate_timing, m.placeholder, m.ok1, m.ok1_hash, m.ok1_key, m.ok1_for,
       m.rounds, m.release, m.category, m.system_template, m.policy_block, m.reasons, m.created_at, m.expires_at,
       m.decided_by, m.decided_at, m.released_at, m.raw_sha256, m.automatic, m.has_attachments, m.quarantined_for,
       m.rejection_final, m.mode_grant_id, m.reviser,
       b.address, b.display_name, b.mode, b.ceiling, b.undo_window_s, b.expires_after_s, b.rounds_max,
       b.signature_block, b.ai_disclosure, b.two_person, b.policy_block AS mailbox_block, b.auto_cc, b.auto_bcc,
       e.name AS tenant_name, e.physical_address, e.two_person AS tenant_two_person,
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
-- The mail being answered, where it is not among the newest of the thread.
SELECT id, direction, header_from, to_addresses, cc_addresses, recipients, subject, flags, automatic, rfc_message_id, text
  FROM message WHERE id = $1;

-- thread_texts --
-- What participants have said and were told on this thread, newest first.
SELECT m.id, m.direction, m.header_from, m.to_addresses, m.cc_addresses, m.recipients, m.subject, m.flags, m.automatic,
       m.rfc_message_id, left(coalesce(m.text, r.markdown, ''), 65536) AS text
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
                     OR (scope = 'agent' AND target = $4) OR (scope = 'category' AND target = $5))) AS stops,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'name', name, 'conditions', conditions,
                                                     'mode', mode, 'covers_ask', covers_ask) ORDER BY priority DESC, id)
                   FROM mode_grant WHERE mailbox_id = $2 AND revoked_at IS NULL), '[]'::jsonb) AS mode_grants,
       (SELECT count(*) FROM (SELECT 1 FROM message
                               WHERE mailbox_id = $2 AND direction = 'outbound' AND id > $6 AND released_at IS NOT NULL
                               LIMIT $7) recent) AS sent_in_hour,
       (SELECT count(*) FROM message
         WHERE thread_id = $8 AND direction = 'outbound' AND id <> $9
           AND released_at > now() - interval '1 hour') AS answered_in_hour,
       EXISTS (SELECT 1 FROM message
                WHERE answers = $10 AND author = $4 AND id <> $9
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
 WHERE s.id = $1 AND m.direction = 'outbound' AND m.state IN ('drafted', 'held', 'released', 'deferred')
   AND (s.category IS NULL OR s.category = m.category)
   AND (s.mailbox_id IS NULL OR s.mailbox_id = m.mailbox_id OR EXISTS (SELECT 1 FROM mailbox g WHERE g.id = s.mailbox_id AND g.deleted_at IS NOT NULL))
 ORDER BY m.id LIMIT 500;

-- tightened --
-- What is let go, has not left, and may not be allowed any more; the steps decide.
SELECT m.id FROM message m JOIN mailbox b ON b.id = m.mailbox_id
 WHERE m.state IN ('released', 'deferred') AND m.direction = 'outbound' AND NOT m.system_template
   AND ((m.ok1 IS NULL AND (b.mode IN ('read_only', 'gated_all', 'gated_send')
                            OR b.ceiling IN ('read_only', 'gated_all', 'gated_send')))
        OR (b.two_person AND m.ok2 IS NULL) OR b.policy_block OR m.policy_block OR b.mode = 'read_only'
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
 WHERE d.message_id = $1 AND d.state IN ('released', 'deferred')
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
-- Drafts whose event was lost: a revision nobody has adopted, older than some seconds.
SELECT m.id, r.n FROM message m
  JOIN LATERAL (SELECT n, created_at FROM revision
                 WHERE message_id = m.id AND kind <> 'edit' ORDER BY n DESC LIMIT 1) r ON true
 WHERE m.state IN ('drafting', 'drafted', 'held', 'revising') AND m.direction = 'outbound'
   AND (m.state = 'drafted' OR r.n > m.revision)
   AND r.created_at < now() - make_interval(secs => $1) ORDER BY m.id LIMIT 200;

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
