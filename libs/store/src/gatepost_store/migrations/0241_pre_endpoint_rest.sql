-- migrate:up

-- An endpoint that keeps failing rests; every replica of the notifier, and one that was just started, sees until when.
ALTER TABLE endpoint
    ADD COLUMN probe_at timestamptz;                              -- tried again from then on, one at a time; null: it does not rest
