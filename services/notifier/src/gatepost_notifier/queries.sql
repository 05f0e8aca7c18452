-- subscriptions --
-- Who may want to hear of an event of this tenant.
SELECT id, tenant_id, mailbox_id, source, events, payload FROM endpoint
 WHERE tenant_id = $1 AND is_active AND deleted_at IS NULL AND created_at <= $2::timestamptz + interval '5 seconds';

-- mailbox --
-- The mailbox an event is of.
SELECT id, tenant_id, address, mode FROM mailbox WHERE id = $1;

-- message --
-- A mail, as payloads show it.
SELECT id, mailbox_id, thread_id, direction, state, rfc_message_id, answers, in_reply_to_id, metadata, tags, category,
       header_from, from_name, to_addresses, subject, text, has_attachments, revision
  FROM message WHERE id = $1;

-- thread --
-- The thread of a mail.
SELECT id, external_id, metadata FROM thread WHERE id = $1;

-- revision --
-- The draft an event speaks of.
SELECT message_id, n, content, markdown, subject FROM revision WHERE message_id = $1 AND n = $2;

-- decision --
-- What a person said in this step.
SELECT action, note, reason_code, principal FROM decision WHERE message_id = $1 AND seq = $2;

-- suppression --
-- The address that opted out.
SELECT address, reason FROM suppression WHERE id = $1;

-- deliveries --
-- The recipients an event names.
SELECT id, recipient, reply, code, enhanced FROM delivery WHERE id = ANY($1::text[]) ORDER BY n;

-- mode_then --
-- The effective mode of a step.
SELECT record FROM audit_record WHERE subject_id = $1 AND seq = $2;

-- add_delivery --
-- One delivery to be; a repeat of the event adds nothing.
INSERT INTO webhook_delivery (id, tenant_id, mailbox_id, endpoint_id, event_id, event_type, alias, message_id, thread_id,
                              place, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO NOTHING;

-- endpoints_due --
-- Endpoints that something is due for.
SELECT e.id, e.tenant_id, e.mailbox_id, e.url, e.signature_format, e.secret_sealed, e.old_secret_sealed,
       e.old_valid_until, e.failing_since
  FROM endpoint e
 WHERE e.is_active AND e.deleted_at IS NULL
   AND EXISTS (SELECT 1 FROM webhook_delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at <= now()
                  AND (d.claimed_until IS NULL OR d.claimed_until < now()));

-- claim --
-- Deliveries of one endpoint to try now, one per thread and the oldest first; nobody else takes them before the lease ends.
UPDATE webhook_delivery w
   SET claimed_until = now() + make_interval(secs => $3), attempts = w.attempts + 1, last_attempt_at = now()
  FROM (SELECT d.id FROM webhook_delivery d
         WHERE d.endpoint_id = $1 AND d.state = 'pending' AND d.due_at <= now()
           AND (d.claimed_until IS NULL OR d.claimed_until < now())
           AND NOT EXISTS (SELECT 1 FROM webhook_delivery f
                            WHERE f.endpoint_id = d.endpoint_id AND f.thread_id = d.thread_id AND f.state = 'pending'
                              AND (f.place, f.id) < (d.place, d.id))
         ORDER BY d.due_at, d.place LIMIT $2 FOR UPDATE OF d SKIP LOCKED) due
 WHERE w.id = due.id
RETURNING w.id, w.endpoint_id, w.tenant_id, w.mailbox_id, w.event_id, w.event_type, w.body, w.attempts;

-- delivered --
-- The receiver took it.
UPDATE webhook_delivery
   SET state = 'delivered', delivered_at = now(), claimed_until = NULL, response_status = $2, excerpt = $3, error = NULL,
       latency_ms = $4
 WHERE id = $1 AND state = 'pending';

-- retry --
-- It did not; again later.
UPDATE webhook_delivery
   SET due_at = now() + make_interval(secs => $2), claimed_until = NULL, response_status = $3, excerpt = $4, error = $5,
       latency_ms = $6
 WHERE id = $1 AND state = 'pending';

-- failed --
-- It was the last attempt; kept for redelivery.
UPDATE webhook_delivery
   SET state = 'failed', claimed_until = NULL, response_status = $2, excerpt = $3, error = $4, latency_ms = $5
 WHERE id = $1 AND state = 'pending'
RETURNING id;

-- give_back --
-- An attempt that did not begin.
UPDATE webhook_delivery SET claimed_until = NULL, attempts = greatest(0, attempts - 1) WHERE id = $1 AND state = 'pending';

-- succeeded --
-- The endpoint works.
UPDATE endpoint SET last_success_at = now(), failing_since = NULL
 WHERE id = $1 AND (failing_since IS NOT NULL OR last_success_at IS NULL OR last_success_at < now() - interval '10 seconds');

-- failing --
-- The endpoint fails; since when, if it was not failing before.
UPDATE endpoint SET failing_since = now() WHERE id = $1 AND failing_since IS NULL;

