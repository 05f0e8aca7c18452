-- due --
-- What may be tried now: a random $4 of the oldest 400, so that several senders seldom want the same one.
-- $1: deliveries to leave alone for a moment, with commas between, $2: domains with no room, $3: how long a mail lives in the queue,
-- $5: mailboxes whose pace lets nothing begin now, $6: rows that end a delivery.
-- Paused tenants and mailboxes are left out here only to save tries; the claim step decides.
WITH oldest AS (
  SELECT d.id FROM delivery d
   WHERE d.state IN ('released', 'deferred') AND d.due_at <= now()
     AND d.id <> ALL (string_to_array($1, ',')) AND d.domain <> ALL ($2::text[]) AND d.mailbox_id <> ALL ($5::text[])
     AND NOT EXISTS (SELECT 1 FROM pause p WHERE p.tenant_id = d.tenant_id AND p.lifted_at IS NULL
       AND d.mailbox_id <> 'mbx_system'
       AND (p.scope = 'tenant' OR (p.scope = 'mailbox' AND p.target = d.mailbox_id)))
   ORDER BY d.due_at LIMIT 400),
picked AS (SELECT id FROM oldest ORDER BY random() LIMIT $4)
SELECT d.id, d.tenant_id, d.mailbox_id, d.message_id, d.thread_id, d.recipient, d.domain, d.state, d.attempts,
       d.of_release, d.due_at, m.grant_token, m.content AS content_sha256, m.rfc_message_id,
       b.address AS mailbox_address, b.mode, t.name AS operator, m.author_kind, m.category, r.content,
       (m.ok1_hash IS NOT NULL AND m.ok1_hash = m.content) AS is_approved, b.send_window, b.rate_per_hour, b.warmup_from,
       EXISTS (SELECT 1 FROM api_key k WHERE k.id IN (m.author_key, r.author_key) AND k.test) AS is_test,
       (d.of_release > 1 AND EXISTS (SELECT 1 FROM delivery o JOIN attempt e ON e.delivery_id = o.id AND e.unknown
         WHERE o.message_id = m.id AND o.recipient = d.recipient)) AS is_again,
       a.row_id AS logged_row, EXISTS (SELECT 1 FROM audit_record e WHERE e.subject_id = m.id
         AND e.row_id = ANY ($6::text[]) AND e.record LIKE '%"delivery":"' || d.id || '"%') AS logged_end,
       greatest(d.queued_at, coalesce(m.send_at, d.queued_at)) + $3::interval AS gives_up_at
  FROM picked JOIN delivery d ON d.id = picked.id JOIN message m ON m.id = d.message_id
       JOIN mailbox b ON b.id = m.mailbox_id JOIN tenant t ON t.id = d.tenant_id
       LEFT JOIN revision r ON r.message_id = m.id AND r.n = m.revision
       LEFT JOIN audit_record a ON a.subject_id = m.id AND a.seq = m.version
 ORDER BY d.due_at;

-- one --
-- The same facts of one delivery, whatever its state. $2: how long a mail lives in the queue, $3: rows that end a delivery.
SELECT d.id, d.tenant_id, d.mailbox_id, d.message_id, d.thread_id, d.recipient, d.domain, d.state, d.attempts,
       d.of_release, d.due_at, m.grant_token, m.content AS content_sha256, m.rfc_message_id,
       b.address AS mailbox_address, b.mode, t.name AS operator, m.author_kind, m.category, r.content,
       (m.ok1_hash IS NOT NULL AND m.ok1_hash = m.content) AS is_approved, b.send_window, b.rate_per_hour, b.warmup_from,
       EXISTS (SELECT 1 FROM api_key k WHERE k.id IN (m.author_key, r.author_key) AND k.test) AS is_test,
       (d.of_release > 1 AND EXISTS (SELECT 1 FROM delivery o JOIN attempt e ON e.delivery_id = o.id AND e.unknown
         WHERE o.message_id = m.id AND o.recipient = d.recipient)) AS is_again,
       a.row_id AS logged_row, EXISTS (SELECT 1 FROM audit_record e WHERE e.subject_id = m.id
         AND e.row_id = ANY ($3::text[]) AND e.record LIKE '%"delivery":"' || d.id || '"%') AS logged_end,
       greatest(d.queued_at, coalesce(m.send_at, d.queued_at)) + $2::interval AS gives_up_at
  FROM delivery d JOIN message m ON m.id = d.message_id
       JOIN mailbox b ON b.id = m.mailbox_id JOIN tenant t ON t.id = d.tenant_id
       LEFT JOIN revision r ON r.message_id = m.id AND r.n = m.revision
       LEFT JOIN audit_record a ON a.subject_id = m.id AND a.seq = m.version
 WHERE d.id = $1;

-- loose --
-- Deliveries on the wire whose sender was not heard of: taken over before the intent, uncertain after it.
SELECT id, message_id, of_release, phase, lease_until FROM delivery
 WHERE state = 'sending' AND lease_until <= now() AND id <> ALL ($1::text[])
 ORDER BY lease_until LIMIT 100;

-- lapsed --
-- Deferred deliveries whose life in the queue is over. $1: that life.
SELECT d.id, d.message_id, d.of_release, d.code, d.enhanced FROM delivery d JOIN message m ON m.id = d.message_id
 WHERE d.state = 'deferred' AND d.due_at <= now()
   AND greatest(d.queued_at, coalesce(m.send_at, d.queued_at)) + $1::interval <= now()
 ORDER BY d.due_at LIMIT 100;

-- renew --
-- This process lives: its running attempts stay its own.
UPDATE delivery SET lease_until = $3 WHERE id = ANY ($1::text[]) AND owner = $2 AND state = 'sending';

-- blobs --
-- The bytes of attachments.
SELECT sha256, bytes, object FROM blob WHERE mailbox_id = $1 AND sha256 = ANY ($2::text[]);

-- reported_delivery --
-- The delivery that a report speaks of.
SELECT id, message_id, of_release, state, via, code FROM delivery WHERE id = $1 AND message_id = $2;

-- dkim_keys_of --
-- The pairs we sign with for one domain.
SELECT selector, algorithm, private_sealed, public_record FROM dkim_key WHERE domain = $1 AND active ORDER BY selector;

-- dkim_key_add --
-- A new pair; whoever comes second keeps the first one's.
INSERT INTO dkim_key (id, tenant_id, domain, selector, algorithm, private_sealed, public_record, active, activated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $8 THEN now() END) ON CONFLICT (domain, selector) DO NOTHING;

-- dkim_records --
-- Every public record, for the mail catcher.
SELECT domain, selector, public_record FROM dkim_key WHERE retired_at IS NULL ORDER BY domain, selector;

-- dkim_records_of --
-- The public halves of one domain: those that sign, those to come, those that signed and are not retired.
SELECT selector, algorithm, public_record, active, activated_at FROM dkim_key
 WHERE domain = $1 AND retired_at IS NULL ORDER BY length(selector), selector;

-- dkim_selectors --
-- Every selector that was ever used: none is used twice.
SELECT selector FROM dkim_key WHERE domain = $1;

-- dkim_switch --
-- The waiting pairs sign, the others stop, at once; nothing happens where none waits.
UPDATE dkim_key SET active = (activated_at IS NULL), activated_at = coalesce(activated_at, now())
 WHERE domain = $1 AND retired_at IS NULL
   AND EXISTS (SELECT 1 FROM dkim_key k WHERE k.domain = $1 AND k.activated_at IS NULL AND k.retired_at IS NULL)
RETURNING selector;

-- dkim_retire --
-- What stopped signing a week ago: every mail signed with it has arrived or bounced.
UPDATE dkim_key SET retired_at = now()
 WHERE domain = $1 AND NOT active AND activated_at IS NOT NULL AND retired_at IS NULL
   AND (SELECT max(k.activated_at) FROM dkim_key k WHERE k.domain = $1 AND k.active) < now() - interval '7 days'
RETURNING selector, public_record;

-- domain_tenant --
-- Whose domain it is.
SELECT tenant_id FROM domain WHERE domain = $1;

-- queue_age --
-- The oldest delivery that is due, in seconds.
SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM delivery
 WHERE state IN ('released', 'deferred') AND due_at <= now();

-- clock --
-- The time by which leases and due times are judged.
SELECT clock_timestamp();

-- sts_kept --
-- The MTA-STS policy that was fetched last.
SELECT policy_id, mode, mx, expires_at FROM sts_policy WHERE domain = $1;

-- sts_keep --
-- A policy replaces the one before.
INSERT INTO sts_policy (domain, policy_id, mode, mx, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (domain) DO UPDATE SET policy_id = excluded.policy_id, mode = excluded.mode, mx = excluded.mx,
  expires_at = excluded.expires_at, fetched_at = now();

-- tls_sessions_add --
-- Sessions counted since the last time, added up.
INSERT INTO tls_session AS t (day, domain, policy, mx, result, sessions)
SELECT $1::date, x.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) x
ON CONFLICT (day, domain, policy, mx, result) DO UPDATE SET sessions = t.sessions + excluded.sessions;

-- mailbox_hour --
-- How much a mailbox began since $2, and when the first of it was.
SELECT count(*)::int AS attempts, min(at) AS first_at FROM attempt WHERE mailbox_id = $1 AND at > $2;

-- mailbox_days --
-- What each day from $2 to $3 brought a mailbox, the oldest first. Deferred attempts are neither good nor bad.
WITH days AS (SELECT generate_series(greatest($2::date, $3::date - 60), $3::date, interval '1 day')::date AS day)
SELECT day,
       (SELECT count(*) FROM attempt a WHERE a.mailbox_id = $1 AND a.outcome <> 'deferred'
          AND a.at >= day AT TIME ZONE 'UTC' AND a.at < (day + 1) AT TIME ZONE 'UTC')::int AS sent,
       (SELECT count(*) FROM attempt a WHERE a.mailbox_id = $1 AND a.outcome = 'bounced'
          AND a.at >= day AT TIME ZONE 'UTC' AND a.at < (day + 1) AT TIME ZONE 'UTC')::int AS bounced,
       (SELECT count(*) FROM suppression s JOIN message m ON m.id = s.message_id AND m.mailbox_id = $1
         WHERE s.reason = 'complained' AND s.tenant_id = m.tenant_id
           AND s.created_at >= day AT TIME ZONE 'UTC' AND s.created_at < (day + 1) AT TIME ZONE 'UTC')::int AS complained,
       (SELECT count(*) FROM decision c WHERE c.mailbox_id = $1
          AND c.action IN ('approve', 'edit_approve', 'reject', 'send_back')
          AND c.at >= day AT TIME ZONE 'UTC' AND c.at < (day + 1) AT TIME ZONE 'UTC')::int AS decided,
       (SELECT count(*) FROM decision c WHERE c.mailbox_id = $1 AND c.action IN ('reject', 'send_back')
          AND c.at >= day AT TIME ZONE 'UTC' AND c.at < (day + 1) AT TIME ZONE 'UTC')::int AS rejected
  FROM days ORDER BY day;

-- uncertain_now --
-- What waits for a person to say whether it left, and for how long.
SELECT count(*)::int AS deliveries, coalesce(extract(epoch FROM now() - min(queued_at)), 0)::float8 AS oldest_s
  FROM delivery WHERE state = 'uncertain';
