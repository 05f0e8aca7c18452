-- migrate:up
-- Before the new code: how often one correspondent was written to lately, and which mail a provider's id stands for.
CREATE INDEX delivery_correspondent ON delivery (mailbox_id, recipient, queued_at);
CREATE INDEX delivery_remote ON delivery (mailbox_id, remote_id) WHERE remote_id IS NOT NULL;
