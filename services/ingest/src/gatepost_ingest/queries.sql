-- What ingest reads before it stores a mail. Everything it writes goes through the step functions.

-- mailbox_by_address --
-- Who receives at this address. System mail has no inbox.
SELECT id, tenant_id, address, mode, max_size, expires_after_s FROM mailbox
 WHERE address = $1 AND deleted_at IS NULL AND id <> 'mbx_system';

-- domains --
-- The domains we receive for; other recipients would be relaying.
SELECT DISTINCT split_part(address, '@', 2) AS domain FROM mailbox WHERE deleted_at IS NULL AND id <> 'mbx_system';

-- named_threads --
-- The threads of this mailbox that a mail names: by our message ids, by known Message-IDs, by a plus-address, by the id
-- that a provider gave to a mail of ours.
WITH named AS (
    SELECT id AS message_id, rfc_message_id AS rfc, thread_id FROM message
     WHERE mailbox_id = $1 AND rfc_message_id = ANY($2::text[])
    UNION
    SELECT id, rfc_message_id, thread_id FROM message WHERE mailbox_id = $1 AND id = ANY($3::text[])
    UNION
    SELECT NULL, NULL, id FROM thread WHERE mailbox_id = $1 AND id = $4
    UNION
    SELECT d.message_id, d.remote_id, d.thread_id FROM delivery d
     WHERE d.mailbox_id = $1 AND d.remote_id = ANY($5::text[])
)
SELECT n.message_id, n.rfc, n.thread_id, t.participants, w.writers, w.names
  FROM named n
  JOIN thread t ON t.mailbox_id = $1 AND t.id = n.thread_id
  CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT header_from) FILTER (WHERE header_from IS NOT NULL), '{}') AS writers,
           coalesce(array_agg(DISTINCT from_name) FILTER (WHERE from_name <> ''), '{}') AS names
      FROM (SELECT header_from, from_name FROM message
             WHERE thread_id = n.thread_id AND direction = 'inbound' ORDER BY id DESC LIMIT 100) mail) w;

-- sent_deliveries --
-- What left this mailbox under these ids: a report is proven by it alone.
SELECT m.id AS message_id, d.id AS delivery_id, d.recipient, d.state
  FROM message m JOIN delivery d ON d.message_id = m.id AND d.of_release = m.release
 WHERE m.mailbox_id = $1 AND m.direction = 'outbound'
   AND (m.id = ANY($3::text[]) OR m.rfc_message_id = ANY($2::text[]));

-- imap_place --
-- How far an IMAP account was read.
SELECT uid_validity, last_uid, history_uid FROM imap_place WHERE mailbox_id = $1 AND account = $2;

-- keep_imap_place --
-- The place moves on once the mail is committed, never before.
INSERT INTO imap_place (tenant_id, mailbox_id, account, uid_validity, last_uid, history_uid)
SELECT b.tenant_id, b.id, $2, $3, $4, $5 FROM mailbox b WHERE b.id = $1
    ON CONFLICT (mailbox_id, account) DO UPDATE
   SET uid_validity = excluded.uid_validity, last_uid = excluded.last_uid, history_uid = excluded.history_uid,
       updated_at = now();

-- is_sent_by --
-- Whether this mailbox wrote the mail with this id.
SELECT true FROM message WHERE mailbox_id = $1 AND id = $2 AND direction = 'outbound';
