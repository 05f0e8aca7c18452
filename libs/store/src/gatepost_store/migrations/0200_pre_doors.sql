-- migrate:up
-- What the doors count and find: rate windows, calls by day, words told to the operator, and the words of mails.

-- Permits taken in a window, by all replicas together. Lost in a crash: then a window begins anew.
CREATE UNLOGGED TABLE rate_window (
    name    text NOT NULL,                          -- what is counted, e.g. key:key_...
    ends_at timestamptz NOT NULL,
    taken   integer NOT NULL,
    PRIMARY KEY (name, ends_at)
);

CREATE TABLE api_use (
    tenant_id text COLLATE "C" NOT NULL,
    key_id    text COLLATE "C" NOT NULL,
    day       date NOT NULL,
    calls     bigint NOT NULL,
    PRIMARY KEY (key_id, day)
);
CREATE INDEX api_use_tenant ON api_use (tenant_id, day);

-- What somebody told the operator through the doors.
CREATE TABLE feedback (
    id           text COLLATE "C" PRIMARY KEY,
    tenant_id    text COLLATE "C" NOT NULL,
    principal_id text COLLATE "C" NOT NULL,
    severity     text NOT NULL DEFAULT '',
    text         text NOT NULL,
    context      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX feedback_tenant ON feedback (tenant_id, id);

-- Search: the head of a mail's text is enough to find it, and keeps a huge mail from failing. Mail in is never rewritten,
-- and neither is a revision, so each is indexed once.
CREATE INDEX message_words ON message USING gin (to_tsvector('simple', left(subject || ' ' || coalesce(text, ''), 50000)))
 WHERE direction = 'inbound';
CREATE INDEX revision_words ON revision USING gin (to_tsvector('simple', left(subject || ' ' || markdown, 50000)));

-- The queue of a whole account, newest first, whatever its length.
CREATE INDEX message_pending ON message (tenant_id, id DESC) WHERE state = 'held';
CREATE INDEX message_gated ON message (tenant_id, id DESC) WHERE state = 'quarantined' AND 'gated_all' = ANY (quarantined_for);
CREATE INDEX decision_tenant ON decision (tenant_id, at);
