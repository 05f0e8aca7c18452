-- migrate:up

-- Webhook deliveries are claimed by endpoint and due time, and only the first undelivered one of a thread may be
-- claimed: it carries the mark, so that a thread with a long backlog costs no more than a short one.
ALTER TABLE webhook_delivery
    ADD COLUMN is_first     boolean NOT NULL DEFAULT false,       -- nothing undelivered stands before it in its thread
    ADD COLUMN redeliveries integer NOT NULL DEFAULT 0,           -- how often a person asked for it again
    ADD COLUMN tried        jsonb NOT NULL DEFAULT '[]',          -- the failed attempts: at, status, error, latency_ms
    DROP CONSTRAINT webhook_delivery_state_check,
    ADD CONSTRAINT webhook_delivery_state_check
        CHECK (state IN ('pending', 'delivered', 'failed',        -- failed: its attempts are used up
                         'disabled', 'deleted'));                 -- its endpoint was switched off, or ended, before it arrived
UPDATE webhook_delivery w SET is_first = true
 WHERE w.state = 'pending'
   AND NOT EXISTS (SELECT 1 FROM webhook_delivery f WHERE f.endpoint_id = w.endpoint_id AND f.thread_id = w.thread_id
                      AND f.state = 'pending' AND (f.place, f.id) < (w.place, w.id));
CREATE INDEX webhook_endpoint_due ON webhook_delivery (endpoint_id, due_at) WHERE state = 'pending' AND is_first;
CREATE INDEX webhook_first ON webhook_delivery (endpoint_id, thread_id) WHERE state = 'pending' AND is_first;
CREATE INDEX webhook_log ON webhook_delivery (endpoint_id, created_at);

ALTER TABLE endpoint
    ADD COLUMN filter_tags    text[] NOT NULL DEFAULT '{}',       -- `key` or `key=value`; any of them is enough
    ADD COLUMN filter_threads text[] NOT NULL DEFAULT '{}',       -- thread ids, ours or the caller's own
    ADD COLUMN signing_sealed bytea,                              -- Ed25519 for the v1a signature, sealed to the notifier
    ADD COLUMN public_key     text,                               -- its public half, whpk_ and base64
    ADD COLUMN old_used_at    timestamptz,                        -- when the old secret of a rotation last signed
    ADD COLUMN last_error     text;                               -- why the last attempt failed; null after a success
