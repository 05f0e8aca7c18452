-- migrate:up
-- How far each IMAP account was read. Written by ingest, after the mail it speaks of is committed.

CREATE TABLE imap_place (
    tenant_id    text COLLATE "C" NOT NULL,
    mailbox_id   text COLLATE "C" NOT NULL REFERENCES mailbox,
    account      text NOT NULL,                     -- the operator's name for it
    uid_validity bigint NOT NULL,                   -- another value: the folder was made anew (RFC 3501 2.3.1.1)
    last_uid     bigint NOT NULL,
    history_uid  bigint NOT NULL,                   -- mail up to here was there before the account was read
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox_id, account)
);
