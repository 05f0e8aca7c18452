-- migrate:up
-- The gatekeeper's sweep looks at the requests of the last hour.
CREATE INDEX upgrade_request_age ON upgrade_request (created_at);
