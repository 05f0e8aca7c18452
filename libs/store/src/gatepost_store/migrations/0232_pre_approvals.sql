-- migrate:up
-- Links to the page of one draft that waits. The link itself is stored nowhere, only its digest.
CREATE TABLE approval_link (
    token_sha256 text PRIMARY KEY,
    tenant_id    text COLLATE "C" NOT NULL,
    message_id   text COLLATE "C" NOT NULL,
    key_id       text COLLATE "C" NOT NULL,         -- who had it made
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz                        -- when somebody decided by it
);
CREATE INDEX approval_link_expiry ON approval_link (expires_at);

-- Administrative acts that wait for a code: what exactly was asked, by which key, and the digest of the code.
CREATE TABLE approval_request (
    id             text COLLATE "C" PRIMARY KEY,
    tenant_id      text COLLATE "C" NOT NULL,
    key_id         text COLLATE "C" NOT NULL,
    action         text NOT NULL,
    request_sha256 text NOT NULL,                   -- of the canonical parameters
    code_sha256    text NOT NULL,
    tries          integer NOT NULL DEFAULT 0,      -- wrong ones; five end it
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    redeemed_at    timestamptz
);
CREATE INDEX approval_request_key ON approval_request (key_id, created_at);
