-- migrate:up
-- What delivery needs to know beside the mail itself: its schedule, its keys, its policies, and who must not be written to.

-- A mailbox's own pace. Unset means: no limit, at any hour.
ALTER TABLE mailbox
    ADD COLUMN physical_address text,                           -- footer; null: the account's, empty: none
    ADD COLUMN send_window text,                                -- e.g. Mon-Fri 08:00-18:00 Europe/Berlin
    ADD COLUMN rate_per_hour integer CHECK (rate_per_hour > 0), -- attempts begun in any hour
    ADD COLUMN warmup_from date;                                -- first day of the warm-up ladder

-- An opt-out may concern one kind of mail only. category null: all of it.
ALTER TABLE suppression ADD COLUMN category text;
DROP INDEX suppression_address;
CREATE UNIQUE INDEX suppression_address
    ON suppression (tenant_id, address, (coalesce(mailbox_id, '')), (coalesce(category, '')));

-- Keys that run the whole flow and deliver only to the catcher.
ALTER TABLE api_key ADD COLUMN test boolean NOT NULL DEFAULT false;

CREATE INDEX delivery_recipient ON delivery (tenant_id, recipient);
CREATE INDEX delivery_uncertain ON delivery (queued_at) WHERE state = 'uncertain';
CREATE INDEX attempt_unknown ON attempt (delivery_id) WHERE unknown;
CREATE INDEX attempt_mailbox ON attempt (mailbox_id, at);

-- What the verifier found, record by record, and when it looked.
ALTER TABLE domain
    ADD COLUMN checks jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN checked_at timestamptz;
-- A pair is made, published, checked in the DNS, and only then signs; the old one stays published until it is retired.
ALTER TABLE dkim_key
    ADD COLUMN activated_at timestamptz,
    ADD COLUMN retired_at timestamptz;
UPDATE dkim_key SET activated_at = created_at WHERE active;

-- MTA-STS policies of the domains we write to (RFC 8461); kept, so that a restart forgets none.
CREATE TABLE sts_policy (
    domain     text PRIMARY KEY,
    policy_id  text NOT NULL,
    mode       text NOT NULL CHECK (mode IN ('enforce', 'testing', 'none')),
    mx         text[] NOT NULL,
    expires_at timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);

-- TLS sessions by day, domain and policy, as TLS-RPT counts them (RFC 8460). result: success, or a failure type of 4.3.
CREATE TABLE tls_session (
    day      date NOT NULL,
    domain   text NOT NULL,
    policy   text NOT NULL CHECK (policy IN ('sts', 'tlsa', 'no-policy-found')),
    mx       text NOT NULL,
    result   text NOT NULL,
    sessions bigint NOT NULL,
    PRIMARY KEY (day, domain, policy, mx, result)
);
