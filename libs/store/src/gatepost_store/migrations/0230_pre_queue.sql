-- migrate:up
-- The review queue, newest first: of an account, of one mailbox, and the inbound mail among it. The collation orders ids as
-- "C" does; being another one it keeps the planner from walking the index of all ids instead, past everything newer that
-- does not wait.
CREATE INDEX queue_held ON message (tenant_id, id COLLATE "POSIX" DESC) WHERE state = 'held';
CREATE INDEX queue_gated ON message (tenant_id, id COLLATE "POSIX" DESC) WHERE state = 'quarantined' AND 'gated_all' = ANY (quarantined_for);
-- by state as well: spam that is kept aside does not stand between the drafts of a mailbox
CREATE INDEX queue_mailbox ON message (mailbox_id, state, id COLLATE "POSIX" DESC) WHERE state IN ('held', 'quarantined', 'uncertain');
