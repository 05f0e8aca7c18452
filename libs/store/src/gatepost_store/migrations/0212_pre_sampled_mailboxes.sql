-- migrate:up
-- The lasting sample of a mailbox whose own mode a person loosened, and its rate for who asks what a policy would do.

CREATE INDEX audit_mode_raised ON audit_record (subject_id, seq) WHERE row_id IN ('W1', 'W12');

-- When a person loosened this mailbox's own mode; null while it is gated, and where it was made loose and never raised.
CREATE FUNCTION loosened_at(b mailbox) RETURNS timestamptz LANGUAGE sql STABLE AS $f$
  SELECT CASE WHEN b.mode IN ('monitored', 'autonomous') THEN
    (SELECT a.at FROM audit_record a WHERE a.subject_id = b.id AND a.row_id IN ('W1', 'W12') ORDER BY a.seq DESC LIMIT 1) END
$f$;

-- What the gatekeeper was set to when it last started.
CREATE TABLE sample_rate (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    rate double precision NOT NULL
);

-- an agent's wish for a listed recipient: the code grants this pattern and not the mailbox's mode
ALTER TABLE upgrade_request ADD COLUMN pattern text;
