-- migrate:up
-- What concerns a whole account (its pauses, holds, erasures, suppressions) has records of its own, numbered per account.

ALTER TABLE tenant ADD COLUMN version integer NOT NULL DEFAULT 0; -- the audit seq of world steps on this account
ALTER TABLE tenant ADD COLUMN last_row text NOT NULL DEFAULT '';

-- How the newest mail to an oversight address ended.
CREATE INDEX delivery_notices ON delivery (tenant_id, ended_at) WHERE mailbox_id = 'mbx_system' AND ended_at IS NOT NULL;
