-- migrate:up
-- Categories, grants by name, the way up by one-time code, claims, and what the evidence is computed from.

-- What makes an inbound mail one of a category: insert only, the highest revision of a name counts, null conditions end it.
CREATE TABLE category_rule (
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL REFERENCES mailbox,
    name       text NOT NULL,
    revision   integer NOT NULL,
    conditions jsonb,                               -- all hold (gatepost_oversight.category); null: the rule is gone
    priority   integer NOT NULL DEFAULT 0,          -- the highest is tried first
    set_by     text COLLATE "C",
    set_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox_id, name, revision)
);

-- One grant per name: set again in place, so that the mail released under it stays under it.
ALTER TABLE mode_grant ADD COLUMN granted_at timestamptz NOT NULL DEFAULT now();
CREATE UNIQUE INDEX mode_grant_name ON mode_grant (mailbox_id, kind, name);
ALTER TABLE mailbox ADD COLUMN covers_ask boolean NOT NULL DEFAULT false; -- a caller's gated_send does not tighten below mode

-- An agent's wish for a looser mode. The code leaves by mail; only its hash is here.
CREATE TABLE upgrade_request (
    id          text COLLATE "C" PRIMARY KEY,
    tenant_id   text COLLATE "C" NOT NULL,
    mailbox_id  text COLLATE "C" NOT NULL REFERENCES mailbox,
    mode        text NOT NULL CHECK (mode IN ('read_only', 'gated_all', 'gated_send', 'monitored', 'autonomous')),
    why         text NOT NULL DEFAULT '',
    asked_by    text COLLATE "C",
    code_sha256 text NOT NULL,
    tries       integer NOT NULL DEFAULT 0,         -- wrong ones; five end it
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    redeemed_at timestamptz,
    redeemed_by text COLLATE "C"
);
CREATE INDEX upgrade_request_mailbox ON upgrade_request (mailbox_id, created_at);

-- Who works on a draft, until when. A lease: it ends by itself.
CREATE TABLE review_claim (
    message_id    text COLLATE "C" PRIMARY KEY,
    tenant_id     text COLLATE "C" NOT NULL,
    mailbox_id    text COLLATE "C" NOT NULL,
    principal_id  text COLLATE "C" NOT NULL,
    claimed_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz NOT NULL
);

-- The category that the gatekeeper's own rules gave, and the revision of the rule; an author's label stays in `category`.
ALTER TABLE message ADD COLUMN rule_category text;
ALTER TABLE message ADD COLUMN rule_revision integer;
ALTER TABLE message ADD COLUMN person_tags text[] NOT NULL DEFAULT '{}'; -- keys of `tags` that a person set last
ALTER TABLE decision ADD COLUMN edit_words integer;  -- words that an edit changed, punctuation and case apart; null: no edit
CREATE INDEX message_decided ON message (mailbox_id, decided_at)
 WHERE decided_at IS NOT NULL AND direction = 'outbound';
