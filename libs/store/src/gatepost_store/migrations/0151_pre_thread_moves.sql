-- migrate:up
-- Before the new code: mails that a person put into another thread, so that it can be taken back.
CREATE TABLE thread_move (
    id          text COLLATE "C" PRIMARY KEY,       -- tmv_...
    tenant_id   text COLLATE "C" NOT NULL,
    mailbox_id  text COLLATE "C" NOT NULL REFERENCES mailbox,
    kind        text NOT NULL CHECK (kind IN ('merge', 'split', 'undo')),
    from_thread text COLLATE "C" NOT NULL,
    to_thread   text COLLATE "C" NOT NULL,
    message_ids text[] NOT NULL,                    -- what was moved
    undoes      text COLLATE "C",                   -- of an undo: the move that it takes back
    by          text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX thread_move_mailbox ON thread_move (mailbox_id, at);
CREATE INDEX thread_move_from ON thread_move (from_thread, at);
CREATE UNIQUE INDEX thread_move_undoes ON thread_move (undoes) WHERE undoes IS NOT NULL;
ALTER TABLE thread ADD COLUMN merged_into text COLLATE "C"; -- where its mails went; null: they are here
