-- What the drafter reads, and the one table that it writes plainly. Drafts go through the step functions.

-- case --
-- A mail with what is known of its mailbox, tenant and thread.
SELECT m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.direction, m.state, m.header_from, m.from_name, m.reply_to,
       m.subject, m.rfc_message_id, m.refs, m.automatic, m.answers, m.author, m.revision, m.created_at,
       b.address, b.display_name, b.mode, b.ceiling, b.drafting, b.provider, b.system_prompt, b.signature_block,
       b.ai_disclosure, b.auto_cc, b.auto_bcc, b.deleted_at, b.quote_original,
       left(coalesce(nullif(m.reply_text, ''), m.text, ''), 10001) AS said, coalesce(m.sent_at, m.created_at) AS said_at,
       e.name AS tenant_name, coalesce(b.physical_address, e.physical_address) AS physical_address, h.head
  FROM message m
  JOIN mailbox b ON b.id = m.mailbox_id
  JOIN tenant e ON e.id = m.tenant_id
  JOIN thread h ON h.mailbox_id = m.mailbox_id AND h.id = m.thread_id
 WHERE m.id = $1;

-- newest_of_thread --
-- The newest mail of a thread that a person may have written and agents may see.
SELECT id FROM message
 WHERE thread_id = $1 AND direction = 'inbound' AND state = 'received' AND automatic = '{}' ORDER BY id DESC LIMIT 1;

-- is_answered --
-- Whether we have drafted an answer to this mail, whatever became of it, or somebody else's answer is under way.
SELECT EXISTS (SELECT 1 FROM message
 WHERE answers = $1 AND direction = 'outbound'
   AND (author = $2 OR state NOT IN ('rejected', 'refused', 'cancelled', 'expired', 'superseded')));

-- turns --
-- What was said on a thread and seen by both sides, newest first: never a draft that did not leave.
SELECT m.id, m.direction, m.from_name, m.header_from, coalesce(m.sent_at, m.created_at) AS at, m.subject,
       CASE WHEN m.direction = 'inbound' THEN coalesce(nullif(m.reply_text, ''), m.text, '')
            ELSE coalesce(r.markdown, '') END AS text
  FROM message m
  LEFT JOIN revision r ON r.message_id = m.id AND r.n = m.revision AND m.direction = 'outbound'
 WHERE m.thread_id = $1 AND m.id <= $2
   AND ((m.direction = 'inbound' AND m.state = 'received') OR (m.direction = 'outbound' AND m.state = 'delivered'))
 ORDER BY m.id DESC LIMIT $3;

-- attachment_names --
-- What is attached to a mail.
SELECT name FROM attachment WHERE message_id = $1 ORDER BY n LIMIT 20;

-- knowledge --
-- Pieces of the mailbox's knowledge that share words with a text, the closest first. Each word counts once, and only the
-- first ones: the rank's cost grows with words times places, and a long mail that repeats itself took 600 ms.
SELECT c.id, c.article_id, a.title, c.heading, c.text, ts_rank_cd(c.words, q.query) AS rank
  FROM (SELECT string_agg('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery AS query
          FROM (SELECT lexeme FROM unnest(to_tsvector('english', $2)) ORDER BY positions[1] LIMIT 128) w) q
  JOIN chunk c ON c.mailbox_id = $1 AND c.words @@ q.query
  JOIN article a ON a.id = c.article_id
 WHERE ts_rank_cd(c.words, q.query) >= $3
 ORDER BY rank DESC, c.id LIMIT $4;

-- revisions --
-- How far the drafts of a mail are: the highest number, and the highest that is not a reviewer's edit.
SELECT coalesce(max(n), 0) AS newest, coalesce(max(n) FILTER (WHERE kind <> 'edit'), 0) AS drafted
  FROM revision WHERE message_id = $1;

-- revision --
-- One draft of a mail.
SELECT n, kind, markdown, ask FROM revision WHERE message_id = $1 AND n = $2;

-- note --
-- Why a reviewer sent a draft back, the last time.
SELECT note FROM decision WHERE message_id = $1 AND action IN ('send_back', 'reject') ORDER BY seq DESC LIMIT 1;

-- undrafted --
-- Mail that should have a draft by now and has none: its event was lost.
SELECT DISTINCT ON (m.thread_id) m.id, m.thread_id FROM message m
  JOIN mailbox b ON b.id = m.mailbox_id AND b.drafting AND b.deleted_at IS NULL
   AND b.mode <> 'read_only' AND b.ceiling <> 'read_only'
 WHERE m.direction = 'inbound' AND m.state = 'received' AND m.automatic = '{}'
   AND m.created_at < now() - make_interval(secs => $1) AND m.created_at > now() - make_interval(secs => $2)
   AND NOT EXISTS (SELECT 1 FROM message o WHERE o.answers = m.id AND o.direction = 'outbound'
     AND (o.author = $3 OR o.state NOT IN ('rejected', 'refused', 'cancelled', 'expired', 'superseded')))
   AND NOT EXISTS (SELECT 1 FROM message n WHERE n.thread_id = m.thread_id AND n.id > m.id
     AND n.direction = 'inbound' AND n.state = 'received' AND n.automatic = '{}')
 ORDER BY m.thread_id, m.id DESC LIMIT 100;

-- unrevised --
-- Drafts of ours that were sent back and have no newer revision: their event was lost.
SELECT m.id, m.thread_id, m.revision FROM message m
 WHERE m.state = 'revising' AND m.direction = 'outbound' AND m.author = $2
   AND m.decided_at < now() - make_interval(secs => $1)
   AND NOT EXISTS (SELECT 1 FROM revision r WHERE r.message_id = m.id AND r.kind <> 'edit' AND r.n > m.revision)
 ORDER BY m.id LIMIT 100;

-- add_model_call --
-- What a draft cost, and the ids of all that the model was given.
INSERT INTO model_call (id, tenant_id, mailbox_id, message_id, provider, model, prompt_version, input_tokens,
                        output_tokens, latency_ms, given, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
