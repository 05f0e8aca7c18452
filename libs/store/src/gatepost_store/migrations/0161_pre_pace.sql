-- migrate:up
-- What the warm-up ladder looks at: decisions of a mailbox by day, and complaints.
CREATE INDEX IF NOT EXISTS decision_mailbox ON decision (mailbox_id, at);
CREATE INDEX suppression_complained ON suppression (tenant_id, created_at) WHERE reason = 'complained';
