-- migrate:up
-- The tree over the audit records (RFC 9162). A step queues its record; the gatekeeper's sequencer gives it a place.

-- Records without a place yet, in the order in which their steps were decided.
CREATE TABLE audit_unplaced (
    n          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id text COLLATE "C" NOT NULL,
    seq        integer NOT NULL
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
INSERT INTO audit_unplaced (subject_id, seq) SELECT subject_id, seq FROM audit_record ORDER BY at, subject_id, seq;

-- The leaves, gap-free from 0. Insert only.
CREATE TABLE audit_leaf (
    idx        bigint PRIMARY KEY,
    subject_id text COLLATE "C" NOT NULL,
    seq        integer NOT NULL,
    hash       bytea NOT NULL,                      -- sha256(0x00 || record)
    UNIQUE (subject_id, seq)
);

-- Roots of complete subtrees of 256, 65,536 ... leaves, so that no proof reads more than some hundred hashes.
CREATE TABLE audit_node (
    level smallint NOT NULL,                        -- 8, 16, 24 ...: 2^level leaves
    n     bigint NOT NULL,                          -- the n-th subtree of that level
    hash  bytea NOT NULL,
    PRIMARY KEY (level, n)
);

-- Signed statements of size and root (C2SP tlog-checkpoint in a signed note).
CREATE TABLE audit_checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    note text NOT NULL,
    at   timestamptz NOT NULL DEFAULT now()
);

-- Where the sequencer stands: one row, moved on with the leaves in one transaction.
CREATE TABLE audit_tree (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    origin   text NOT NULL,                         -- the log's name; never changes
    vkey     text NOT NULL,                         -- its verifier key (C2SP signed-note)
    size     bigint NOT NULL DEFAULT 0,
    frontier bytea NOT NULL DEFAULT '',             -- hashes of the complete subtrees at the right edge, largest first
    audited  bigint NOT NULL DEFAULT 0              -- records replayed by the live auditor
);

-- The tables that records name by digest, so that an export can be judged by the rules of its time.
CREATE TABLE audit_policy (
    digest   text PRIMARY KEY,
    document text NOT NULL,                         -- canonical JSON of both tables
    at       timestamptz NOT NULL DEFAULT now()
);
