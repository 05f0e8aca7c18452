-- subscriptions --
-- Who may want to hear of an event of this tenant.
SELECT id, tenant_id, mailbox_id, source, events, payload, filter_tags, filter_threads FROM endpoint
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

-- pause --
-- What was stopped, and why, in the words of who stopped it.
SELECT target, reason FROM pause WHERE id = $1;

-- words --
-- What somebody wrote, by the digest that a record names.
SELECT text FROM audit_words WHERE digest = $1;

-- deliveries --
-- The recipients an event names.
SELECT id, recipient, reply, code, enhanced FROM delivery WHERE id = ANY($1::text[]) ORDER BY n;

-- mode_then --
-- The effective mode of a step.
SELECT record FROM audit_record WHERE subject_id = $1 AND seq = $2;

-- add_deliveries --
-- The deliveries of one event; a repeat of the event adds nothing. One without a thread waits for nobody.
INSERT INTO webhook_delivery (id, tenant_id, mailbox_id, endpoint_id, event_id, event_type, alias, message_id, thread_id,
                              place, body, is_first)
SELECT d.id, $1, $2, d.endpoint_id, $3, $4, d.alias, $5, $6, $7, d.body, $6::text IS NULL
  FROM unnest($8::text[], $9::text[], $10::text[], $11::bytea[]) AS d(id, endpoint_id, alias, body)
ON CONFLICT (id) DO NOTHING;

-- promote --
-- The oldest undelivered one of each thread is its first, unless one is already. Run after the commit of what was added or
-- ended, by both sides: the later of two that race sees what the other did.
UPDATE webhook_delivery w SET is_first = true
  FROM (SELECT DISTINCT endpoint_id, thread_id FROM unnest($1::text[], $2::text[]) AS t(endpoint_id, thread_id)
         WHERE thread_id IS NOT NULL) t,
       LATERAL (SELECT d.id FROM webhook_delivery d
                 WHERE d.endpoint_id = t.endpoint_id AND d.thread_id = t.thread_id AND d.state = 'pending'
                 ORDER BY d.place, d.id LIMIT 1) oldest
 WHERE w.id = oldest.id AND NOT w.is_first
   AND NOT EXISTS (SELECT 1 FROM webhook_delivery f
                    WHERE f.endpoint_id = t.endpoint_id AND f.thread_id = t.thread_id AND f.state = 'pending' AND f.is_first);

-- end_with_endpoint --
-- What waits for an endpoint that was switched off or ended will not arrive, and says so.
UPDATE webhook_delivery w
   SET state = CASE WHEN e.deleted_at IS NULL THEN 'disabled' ELSE 'deleted' END, claimed_until = NULL, is_first = false
  FROM endpoint e
 WHERE e.id = w.endpoint_id AND w.state = 'pending' AND NOT (e.is_active AND e.deleted_at IS NULL);

-- endpoints_due --
-- Endpoints that something is due for.
SELECT e.id, e.tenant_id, e.mailbox_id, e.url, e.signature_format, e.secret_sealed, e.old_secret_sealed,
       e.old_valid_until, e.signing_sealed, e.failing_since, e.probe_at
  FROM endpoint e
 WHERE e.is_active AND e.deleted_at IS NULL AND (e.probe_at IS NULL OR e.probe_at <= now())
   AND EXISTS (SELECT 1 FROM webhook_delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.is_first AND d.due_at <= now()
                  AND (d.claimed_until IS NULL OR d.claimed_until < now()));

-- claim --
-- Deliveries to try now, so many of each endpoint and the oldest first; nobody else takes them before the lease ends.
UPDATE webhook_delivery w
   SET claimed_until = now() + make_interval(secs => $3), attempts = w.attempts + 1, last_attempt_at = now()
  FROM unnest($1::text[], $2::integer[]) AS e(id, free),
       LATERAL (SELECT d.id FROM webhook_delivery d
                 WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.is_first AND d.due_at <= now()
                   AND (d.claimed_until IS NULL OR d.claimed_until < now())
                 ORDER BY d.due_at LIMIT e.free FOR UPDATE OF d SKIP LOCKED) due
 WHERE w.id = due.id
RETURNING w.id, w.endpoint_id, w.tenant_id, w.mailbox_id, w.event_id, w.event_type, w.thread_id, w.body, w.attempts;

-- outcomes --
-- What came of attempts. A failed one is added to the list of those tried, of which the last 20 are kept. One that somebody
-- gave a fresh round of attempts meanwhile has not used them up.
UPDATE webhook_delivery w
   SET state = CASE WHEN o.state = 'failed' AND w.attempts < o.attempts THEN 'pending' ELSE o.state END,
       claimed_until = NULL, response_status = o.status, excerpt = o.excerpt,
       error = nullif(o.error, ''), latency_ms = o.latency_ms,
       due_at = CASE WHEN o.state = 'pending' THEN now() + make_interval(secs => o.wait_s) ELSE w.due_at END,
       delivered_at = CASE WHEN o.state = 'delivered' THEN now() END,
       is_first = w.is_first AND (o.state = 'pending' OR (o.state = 'failed' AND w.attempts < o.attempts)),
       tried = CASE WHEN o.error = '' THEN w.tried ELSE
           (CASE WHEN jsonb_array_length(w.tried) >= 20 THEN w.tried - 0 ELSE w.tried END) || jsonb_build_object(
               'at', w.last_attempt_at, 'status', o.status, 'error', o.error, 'latency_ms', o.latency_ms) END
  FROM unnest($1::text[], $2::text[], $3::double precision[], $4::integer[], $5::text[], $6::text[], $7::integer[],
              $8::integer[]) AS o(id, state, wait_s, status, excerpt, error, latency_ms, attempts)
 WHERE w.id = o.id AND w.state = 'pending';

-- give_back --
-- Attempts that did not begin.
UPDATE webhook_delivery SET claimed_until = NULL, attempts = greatest(0, attempts - 1)
 WHERE id = ANY($1::text[]) AND state = 'pending';

-- succeeded --
-- These endpoints work.
UPDATE endpoint SET last_success_at = now(), failing_since = NULL, last_error = NULL, probe_at = NULL
 WHERE id = ANY($1::text[])
   AND (failing_since IS NOT NULL OR last_success_at IS NULL OR last_success_at < now() - interval '10 seconds');

-- failing --
-- An endpoint fails; since when, why the last time, and for how long it rests now.
UPDATE endpoint SET failing_since = coalesce(failing_since, now()), last_error = $2,
       probe_at = coalesce(now() + make_interval(secs => $3), probe_at)
 WHERE id = $1 AND (failing_since IS NULL OR last_error IS DISTINCT FROM $2 OR $3::double precision IS NOT NULL)
RETURNING failing_since;

-- how_many_fail --
-- Endpoints that are switched on and that nothing reaches.
SELECT count(*) FROM endpoint WHERE failing_since IS NOT NULL AND is_active AND deleted_at IS NULL;

-- failing_since --
SELECT failing_since FROM endpoint WHERE id = $1;

-- old_secret_used --
-- The old secret of a rotation signed once more.
UPDATE endpoint SET old_used_at = now()
 WHERE id = $1 AND (old_used_at IS NULL OR old_used_at < now() - interval '1 minute');

-- asked_endpoint --
-- An endpoint that somebody asks something of.
SELECT e.id, e.mailbox_id, e.payload, b.address FROM endpoint e LEFT JOIN mailbox b ON b.id = e.mailbox_id
 WHERE e.tenant_id = $1 AND e.id = $2 AND e.is_active AND e.deleted_at IS NULL;

-- add_sample --
-- A sample; it belongs to no thread and waits for nothing.
INSERT INTO webhook_delivery (id, tenant_id, mailbox_id, endpoint_id, event_id, event_type, alias, place, body, is_first)
VALUES ($1, $2, $3, $4, 'test.' || $1, $5, $6, 0, $7, true) ON CONFLICT (id) DO NOTHING;

-- again --
-- One once more from the first attempt, with the same id and bytes. One that is on the wire is left alone.
UPDATE webhook_delivery w SET state = 'pending', attempts = 0, due_at = now(), claimed_until = NULL,
       redeliveries = w.redeliveries + CASE WHEN w.state = 'pending' THEN 0 ELSE 1 END,
       is_first = CASE WHEN w.state = 'pending' THEN w.is_first ELSE w.thread_id IS NULL END
  FROM endpoint e
 WHERE w.tenant_id = $1 AND w.id = $2 AND e.id = w.endpoint_id AND e.is_active AND e.deleted_at IS NULL
   AND (w.claimed_until IS NULL OR w.claimed_until < now())
RETURNING w.endpoint_id;

-- all_again --
-- The same for all that fit, a piece at a time in order of their birth, so that none that arrives meanwhile is taken twice.
-- What waits gets its attempts back; one on the wire then is not exhausted by what it comes back with.
WITH chosen AS (
  SELECT w.id, w.state, w.created_at FROM webhook_delivery w
    JOIN endpoint e ON e.id = w.endpoint_id AND e.is_active AND e.deleted_at IS NULL
   WHERE w.tenant_id = $1 AND ($2::text IS NULL OR w.endpoint_id = $2) AND ($3::text[] IS NULL OR w.mailbox_id = ANY($3))
     AND (w.state = ANY($4::text[]) OR (w.state = 'pending' AND (w.due_at > now() OR w.attempts > 0)))
     AND ($5::timestamptz IS NULL OR w.created_at >= $5) AND ($6::timestamptz IS NULL OR w.created_at < $6)
     AND ($7::text IS NULL OR w.event_type = $7 OR w.alias = $7) AND ($8::text IS NULL OR w.message_id = $8)
     AND ($9::text IS NULL OR w.thread_id = $9)
     AND ($10::timestamptz IS NULL OR (w.created_at, w.id) > ($10, $11::text))
   ORDER BY w.created_at, w.id LIMIT $12 FOR UPDATE OF w)
UPDATE webhook_delivery w SET state = 'pending', attempts = 0, due_at = now(),
       claimed_until = CASE WHEN c.state = 'pending' THEN w.claimed_until END,
       redeliveries = w.redeliveries + CASE WHEN c.state = 'pending' THEN 0 ELSE 1 END,
       is_first = CASE WHEN c.state = 'pending' THEN w.is_first ELSE w.thread_id IS NULL END
  FROM chosen c WHERE w.id = c.id
RETURNING w.id, w.endpoint_id, w.created_at, c.state = 'pending' AS waited;

-- would_go_again --
-- What `all_again` would touch.
SELECT count(*) FILTER (WHERE w.state <> 'pending') AS again, count(*) FILTER (WHERE w.state = 'pending') AS hurried
  FROM webhook_delivery w JOIN endpoint e ON e.id = w.endpoint_id AND e.is_active AND e.deleted_at IS NULL
 WHERE w.tenant_id = $1 AND ($2::text IS NULL OR w.endpoint_id = $2) AND ($3::text[] IS NULL OR w.mailbox_id = ANY($3))
   AND (w.state = ANY($4::text[]) OR (w.state = 'pending' AND (w.due_at > now() OR w.attempts > 0)))
   AND ($5::timestamptz IS NULL OR w.created_at >= $5) AND ($6::timestamptz IS NULL OR w.created_at < $6)
   AND ($7::text IS NULL OR w.event_type = $7 OR w.alias = $7) AND ($8::text IS NULL OR w.message_id = $8)
   AND ($9::text IS NULL OR w.thread_id = $9);

-- look_again --
-- Endpoints that somebody says are back are tried at once, not at the next probe.
UPDATE endpoint SET failing_since = NULL, probe_at = NULL WHERE id = ANY($1::text[]) AND failing_since IS NOT NULL;

-- promote_endpoints --
-- The same for every thread of these endpoints, or of all: what a crash left without a first one.
UPDATE webhook_delivery w SET is_first = true
  FROM (SELECT DISTINCT ON (d.endpoint_id, d.thread_id) d.id, d.endpoint_id, d.thread_id FROM webhook_delivery d
         WHERE ($1::text[] IS NULL OR d.endpoint_id = ANY($1)) AND d.state = 'pending' ORDER BY d.endpoint_id, d.thread_id, d.place, d.id) oldest
 WHERE w.id = oldest.id AND NOT w.is_first
   AND NOT EXISTS (SELECT 1 FROM webhook_delivery f WHERE f.endpoint_id = oldest.endpoint_id
                      AND f.thread_id = oldest.thread_id AND f.state = 'pending' AND f.is_first);
