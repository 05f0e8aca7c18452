-- lock --
-- One sequencer at a time, over all replicas; given back with the transaction.
SELECT pg_try_advisory_xact_lock($1);

-- tree --
-- Where the sequencer stands.
SELECT origin, vkey, size, frontier, audited FROM audit_tree;

-- tree_locked --
-- The same, for who moves it on.
SELECT origin, vkey, size, frontier, audited FROM audit_tree FOR UPDATE;

-- plant --
-- The log gets its name once.
INSERT INTO audit_tree (origin, vkey) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- add_policy --
-- Tables that records name.
INSERT INTO audit_policy (digest, document) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- unplaced --
-- The next records to place, with the leaf computed from the record itself.
SELECT u.n, u.subject_id, u.seq, a.row_id, sha256('\x00'::bytea || convert_to(a.record, 'UTF8')) AS leaf
  FROM audit_unplaced u JOIN audit_record a ON a.subject_id = u.subject_id AND a.seq = u.seq
 ORDER BY u.n LIMIT $1;

-- place --
-- Leaves from this place on.
INSERT INTO audit_leaf (idx, subject_id, seq, hash)
SELECT $1 + x.n - 1, x.subject_id, x.seq, x.hash
  FROM unnest($2::text[], $3::integer[], $4::bytea[]) WITH ORDINALITY AS x(subject_id, seq, hash, n);

-- promise --
-- Signed promises that these records are in the log, and an end to the ones that nobody will ask for any more.
WITH gone AS (DELETE FROM audit_promise WHERE at < now() - interval '7 days')
INSERT INTO audit_promise (subject_id, seq, promise) SELECT * FROM unnest($1::text[], $2::integer[], $3::text[])
ON CONFLICT DO NOTHING;

-- promised --
SELECT promise FROM audit_promise WHERE subject_id = $1 AND seq = $2;

-- add_nodes --
INSERT INTO audit_node (level, n, hash) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]);

-- placed --
-- They no longer wait.
DELETE FROM audit_unplaced WHERE n = ANY($1::bigint[]);

-- move_on --
-- Only from where it stood: a second sequencer finds nothing to change.
UPDATE audit_tree SET size = $2, frontier = $3 WHERE size = $1 RETURNING size;

-- newest_checkpoint --
SELECT size, root, note, at FROM audit_checkpoint ORDER BY size DESC LIMIT 1;

-- checkpoint_at_least --
-- The first checkpoint that covers a record.
SELECT size, root, note, at FROM audit_checkpoint WHERE size > $1 ORDER BY size LIMIT 1;

-- checkpoints --
-- All of them up to a size, in order.
SELECT size, note FROM audit_checkpoint WHERE size <= $1 ORDER BY size;

-- add_checkpoint --
INSERT INTO audit_checkpoint (size, root, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- backlog --
-- How many records wait for a place, and for how long the oldest has.
SELECT (SELECT count(*) FROM (SELECT 1 FROM audit_unplaced LIMIT 100000) x) AS waiting,
       (SELECT extract(epoch FROM clock_timestamp() - a.at)::float8 FROM audit_unplaced u
          JOIN audit_record a ON a.subject_id = u.subject_id AND a.seq = u.seq ORDER BY u.n LIMIT 1) AS oldest_s;

-- hashes --
-- Leaves (level 0) and stored subtrees of these ranges.
SELECT 0 AS level, l.idx AS n, l.hash FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS r(level, first, last)
  JOIN audit_leaf l ON r.level = 0 AND l.idx >= r.first AND l.idx < r.last
UNION ALL
SELECT s.level, s.n, s.hash FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS r(level, first, last)
  JOIN audit_node s ON s.level = r.level AND s.n >= r.first AND s.n < r.last;

-- leaf_of --
-- The place of a record.
SELECT idx, hash FROM audit_leaf WHERE subject_id = $1 AND seq = $2;

-- log_page --
-- Records in their order, from a place on.
SELECT l.idx, a.record FROM audit_leaf l JOIN audit_record a ON a.subject_id = l.subject_id AND a.seq = l.seq
 WHERE l.idx >= $1 AND l.idx < $2 ORDER BY l.idx LIMIT $3;

-- records_of --
-- All records of these mails and mailboxes, with their places.
SELECT l.idx, a.record FROM audit_record a JOIN audit_leaf l ON l.subject_id = a.subject_id AND l.seq = a.seq
 WHERE a.subject_id = ANY($1::text[]) AND l.idx < $2 ORDER BY l.idx;

-- policies --
-- The tables that records were made under.
SELECT digest, document FROM audit_policy WHERE digest = ANY($1::text[]) ORDER BY digest;

-- record --
-- One record.
SELECT record FROM audit_record WHERE subject_id = $1 AND seq = $2;

-- policies_of_log --
-- The digests that the records up to a size name; the few there are, found by jumping from one to the next.
SELECT p.digest AS policy FROM audit_policy p
 WHERE EXISTS (SELECT 1 FROM audit_record a JOIN audit_leaf l ON l.subject_id = a.subject_id AND l.seq = a.seq
                WHERE l.idx < $1 AND a.record LIKE '%"policy":"' || p.digest || '"%');

-- subjects --
-- Mails that concern somebody, with their mailboxes and, for keys that see all of it, their account. What is null selects nothing away.
WITH mails AS (
  SELECT m.id, m.mailbox_id, m.tenant_id FROM message m
   WHERE ($1::text IS NULL OR m.tenant_id = $1)
     AND ($2::text IS NULL OR lower(m.header_from) = $2 OR lower(m.envelope_from) = $2 OR $2 = ANY (m.recipients)
          OR EXISTS (SELECT 1 FROM revision r WHERE r.message_id = m.id AND $2 = ANY (r.recipients)))
     AND ($3::text IS NULL OR m.thread_id IN (SELECT t.id FROM thread t WHERE (t.id = $3 OR t.external_id = $3)
          AND ($1::text IS NULL OR t.tenant_id = $1)))
     AND ($4::text IS NULL OR m.author = $4 OR m.author_key = $4)
     AND ($5::text IS NULL OR m.tags ? $5)
     AND ($6::jsonb IS NULL OR m.metadata @> $6)
     AND ($9::text[] IS NULL OR m.mailbox_id = ANY ($9))
     AND (($7::timestamptz IS NULL AND $8::timestamptz IS NULL) OR EXISTS (
          SELECT 1 FROM audit_record a WHERE a.subject_id = m.id
             AND ($7::timestamptz IS NULL OR a.at >= $7) AND ($8::timestamptz IS NULL OR a.at < $8))))
SELECT id FROM mails UNION SELECT mailbox_id FROM mails WHERE mailbox_id <> 'mbx_system'
UNION SELECT tenant_id FROM mails WHERE $9::text[] IS NULL;

-- texts_of --
-- Texts that records of these subjects name: mails as they leave, and what people wrote about pauses and modes.
SELECT r.message_id AS of, r.content AS text, NULL AS salt FROM revision r WHERE r.message_id = ANY($1::text[]) AND r.content <> ''
UNION ALL SELECT w.subject_id, w.text, w.salt FROM audit_words w WHERE w.subject_id = ANY($1::text[]);

-- bytes_of --
-- Raw mails that came in, with their salts, and the files that mails which leave name in their texts.
SELECT m.id AS of, r.sha256, r.bytes, r.object, m.salt FROM message m
  JOIN raw r ON r.mailbox_id = m.mailbox_id AND r.sha256 = m.raw_sha256
 WHERE m.id = ANY($1::text[]) AND m.direction = 'inbound'
UNION ALL SELECT m.id, b.sha256, b.bytes, b.object, NULL FROM message m JOIN attachment a ON a.message_id = m.id
  JOIN blob b ON b.mailbox_id = m.mailbox_id AND b.sha256 = a.sha256
 WHERE m.id = ANY($1::text[]) AND m.direction = 'outbound';

-- vkey --
-- The log's verifier key.
SELECT vkey FROM audit_tree;

-- trace_records --
-- All records of some mails and mailboxes, each one's in order.
SELECT subject_id, record FROM audit_record WHERE subject_id = ANY($1::text[]) ORDER BY subject_id, seq;

-- trace_mails --
-- What the log must lead to, in one snapshot: the mail, its deliveries, and whether its content is what its digest says.
SELECT m.id, m.state, m.version, m.last_row, m.content, m.ok1, m.ok1_hash, m.ok1_for, m.ok2, m.ok2_hash, m.ok2_for,
       m.release, m.system_template, m.rounds,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'state', d.state, 'of_release', d.of_release, 'used', d.used,
          'phase', d.phase, 'attempts', d.attempts, 'sent_hash', d.sent_hash)), '[]')
          FROM delivery d WHERE d.message_id = m.id) AS deliveries,
       coalesce((SELECT encode(sha256(convert_to(r.content, 'UTF8')), 'hex') = m.content AND r.content_sha256 = m.content
          AND r.recipients = m.recipients FROM revision r
         WHERE r.message_id = m.id AND r.n = m.revision AND r.content <> ''), true) AS is_content,
       (m.erased_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = m.id
          AND d.of_release = m.release AND d.recipient <> ALL (m.recipients))) AS is_addressed
  FROM message m WHERE m.id = ANY($1::text[]);

-- trace_carriers --
-- The mailboxes and accounts that carry records of the world.
SELECT id, mode, version, last_row FROM mailbox WHERE id = ANY($1::text[])
UNION ALL SELECT id, NULL, version, last_row FROM tenant WHERE id = ANY($1::text[]);

-- subjects_after --
-- Mailboxes, mails and accounts from an id on, for the rounds of the auditor.
SELECT id FROM ((SELECT id FROM mailbox WHERE id > $1 AND (version > 0 OR last_row <> '') ORDER BY id LIMIT $2)
      UNION ALL (SELECT id FROM message WHERE id > $1 ORDER BY id LIMIT $2)
      UNION ALL (SELECT id FROM tenant WHERE id > $1 AND (version > 0 OR last_row <> '') ORDER BY id LIMIT $2)) x ORDER BY id LIMIT $2;

-- newest_numbers --
-- The number of the newest record of each of these.
SELECT s.id, coalesce((SELECT max(a.seq) FROM audit_record a WHERE a.subject_id = s.id), 0) AS seq
  FROM unnest($1::text[]) s(id);

-- account_of --
-- Whose mail or mailbox it is.
SELECT coalesce((SELECT tenant_id FROM message WHERE id = $1), (SELECT tenant_id FROM mailbox WHERE id = $1),
                (SELECT id FROM tenant WHERE id = $1));

-- subjects_with_records --
SELECT DISTINCT subject_id FROM audit_record WHERE subject_id > $1 ORDER BY subject_id LIMIT $2;

-- audited --
UPDATE audit_tree SET audited = $2 WHERE audited = $1;
