-- migrate:up
-- Free words and signed promises beside the log.

-- What people wrote about a pause or a mode. The log names it by a salted digest, so it can go while every proof holds.
CREATE TABLE audit_words (
    digest     text PRIMARY KEY,                    -- sha256 of salt, newline, text: as the record names it
    tenant_id  text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,           -- the mailbox or account whose record it is
    salt       text NOT NULL,
    text       text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_words_subject ON audit_words (subject_id);
CREATE INDEX audit_words_at ON audit_words (at);

-- The log's signed word that a delivery's record is in it, for the webhook that tells of it; kept for a week.
CREATE TABLE audit_promise (
    subject_id text COLLATE "C" NOT NULL,
    seq        integer NOT NULL,
    promise    text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject_id, seq)
);
CREATE INDEX audit_promise_at ON audit_promise (at);
