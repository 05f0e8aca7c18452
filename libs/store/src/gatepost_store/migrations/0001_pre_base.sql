-- migrate:up
-- The data model. Every table names its only writers (docs/internals/data.md); column rights are in ../grants.sql.
-- Ids are text and sort by time under COLLATE "C". Message state is moved by the generated step functions alone.

CREATE TABLE tenant (
    id               text COLLATE "C" PRIMARY KEY,
    name             text NOT NULL,
    slug             text NOT NULL UNIQUE,
    oversight_email  text,                          -- where notices and codes go
    physical_address text,                          -- footer of outbound mail, where set
    two_person       boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now()
);

-- Who acts. Kind never changes; four eyes is counted per principal.
CREATE TABLE principal (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant,
    kind       text NOT NULL CHECK (kind IN ('agent', 'person', 'service')),
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Credentials: hashed, scoped, tied to one principal. No row holds both send and oversight.
CREATE TABLE api_key (
    id           text COLLATE "C" PRIMARY KEY,
    tenant_id    text COLLATE "C" NOT NULL REFERENCES tenant,
    principal_id text COLLATE "C" NOT NULL REFERENCES principal,
    name         text NOT NULL,
    prefix       text NOT NULL,                     -- shown, e.g. gp_live_ab12
    key_sha256   text NOT NULL UNIQUE,              -- hex of the whole key; keys have 256 bits of entropy
    scopes       text[] NOT NULL,
    mailbox_ids  text[] NOT NULL DEFAULT '{}',      -- empty: all of the tenant
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CHECK (NOT ('send' = ANY (scopes) AND 'oversight' = ANY (scopes)))
);

-- One address we receive for and send from. mode, ceiling, two_person, policy_block are live facts of every step.
CREATE TABLE mailbox (
    id                    text COLLATE "C" PRIMARY KEY,
    tenant_id             text COLLATE "C" NOT NULL REFERENCES tenant,
    address               text NOT NULL,            -- lower case
    display_name          text NOT NULL DEFAULT '',
    mode                  text NOT NULL DEFAULT 'gated_send'
                          CHECK (mode IN ('read_only', 'gated_all', 'gated_send', 'monitored', 'autonomous')),
    ceiling               text NOT NULL DEFAULT 'autonomous'
                          CHECK (ceiling IN ('read_only', 'gated_all', 'gated_send', 'monitored', 'autonomous')),
    two_person            boolean NOT NULL DEFAULT false,
    policy_block          boolean NOT NULL DEFAULT false,
    version               integer NOT NULL DEFAULT 0, -- the audit seq of world steps on this mailbox
    last_row              text NOT NULL DEFAULT '',
    drafting              boolean NOT NULL DEFAULT false,  -- our drafter answers its mail
    provider              text NOT NULL DEFAULT '',        -- empty: the installation's default
    system_prompt         text NOT NULL DEFAULT '',
    undo_window_s         integer NOT NULL DEFAULT 0,      -- monitored mode: seconds between release and the first attempt
    expires_after_s       integer NOT NULL DEFAULT 604800, -- a held mail ends unsent after this
    rounds_max            integer NOT NULL DEFAULT 3,      -- how often a draft may be sent back
    signature_block       text NOT NULL DEFAULT '',
    ai_disclosure         boolean NOT NULL DEFAULT true,
    auto_cc               text,
    auto_bcc              text,
    forward_inbound       boolean NOT NULL DEFAULT false,
    default_gate_timing   text NOT NULL DEFAULT 'gate_first',
    scheduling_enabled    boolean NOT NULL DEFAULT true,
    mcp_configured        boolean NOT NULL DEFAULT false,
    max_size              integer NOT NULL DEFAULT 26214400, -- bytes of one inbound mail
    created_at            timestamptz NOT NULL DEFAULT now(),
    deleted_at            timestamptz                       -- soft; the address is never given again
);
CREATE UNIQUE INDEX mailbox_address ON mailbox (address);
CREATE INDEX mailbox_tenant ON mailbox (tenant_id, id);

-- A looser mode that a person granted for a category or for recipients (the rules themselves deepen later).
CREATE TABLE mode_grant (
    id          text COLLATE "C" PRIMARY KEY,
    tenant_id   text COLLATE "C" NOT NULL,
    mailbox_id  text COLLATE "C" NOT NULL REFERENCES mailbox,
    kind        text NOT NULL CHECK (kind IN ('category', 'allowlist')),
    name        text NOT NULL,                      -- category name, or the address pattern
    conditions  jsonb NOT NULL DEFAULT '{}',
    priority    integer NOT NULL DEFAULT 0,
    revision    integer NOT NULL DEFAULT 1,
    mode        text CHECK (mode IN ('read_only', 'gated_all', 'gated_send', 'monitored', 'autonomous')),
    covers_ask  boolean NOT NULL DEFAULT false,
    granted_by  text COLLATE "C",
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz
);
CREATE INDEX mode_grant_mailbox ON mode_grant (mailbox_id) WHERE revoked_at IS NULL;

-- Stops. In force while lifted_at is null; only an operator lifts.
CREATE TABLE pause (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,                         -- where its audit records stand; mbx_system for tenant wide ones
    scope      text NOT NULL CHECK (scope IN ('tenant', 'mailbox', 'agent', 'category')),
    target     text NOT NULL,                       -- tenant id, mailbox id, principal id or category name
    reason     text NOT NULL DEFAULT '',
    by         text COLLATE "C" NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    lifted_at  timestamptz,
    lifted_by  text COLLATE "C"
);
CREATE INDEX pause_in_force ON pause (tenant_id, scope, target) WHERE lifted_at IS NULL;

-- Nobody here is written to. mailbox_id null: by no mailbox of the tenant. Anyone inserts, the gatekeeper alone removes.
CREATE TABLE suppression (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C",
    address    text NOT NULL,                       -- lower case
    reason     text NOT NULL CHECK (reason IN ('unsubscribed', 'bounced', 'complained', 'manual')),
    message_id text COLLATE "C",                                  -- the mail it came of, where known
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX suppression_address ON suppression (tenant_id, address, (coalesce(mailbox_id, '')));

CREATE TABLE thread (
    id                text COLLATE "C" NOT NULL,
    tenant_id         text COLLATE "C" NOT NULL,
    mailbox_id        text COLLATE "C" NOT NULL REFERENCES mailbox,
    external_id       text COLLATE "C",             -- the caller's own id, e.g. zd-123
    subject           text NOT NULL DEFAULT '',
    head              text COLLATE "C",                           -- newest inbound mail that agents may see: thread_head
    head_at           timestamptz,
    participants      text[] NOT NULL DEFAULT '{}', -- addresses that wrote or were addressed, lower case, bounded
    metadata          jsonb NOT NULL DEFAULT '{}',
    tags              jsonb NOT NULL DEFAULT '{}',
    related_thread_id text COLLATE "C",                           -- where a stranger's mail would have joined
    created_at        timestamptz NOT NULL DEFAULT now(),
    last_activity     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox_id, id)
);
CREATE UNIQUE INDEX thread_id ON thread (id);
CREATE UNIQUE INDEX thread_external ON thread (tenant_id, external_id) WHERE external_id IS NOT NULL;

-- Every mail, in or out. state, version and last_row move through the step functions alone.
CREATE TABLE message (
    id               text COLLATE "C" NOT NULL,
    tenant_id        text COLLATE "C" NOT NULL,
    mailbox_id       text COLLATE "C" NOT NULL REFERENCES mailbox,
    thread_id        text COLLATE "C" NOT NULL,
    direction        text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    state            text NOT NULL DEFAULT 'drafting',
    version          integer NOT NULL DEFAULT 1,    -- the audit seq; each step raises it by one
    last_row         text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    rfc_message_id   text,                          -- fixed with the message
    answers          text COLLATE "C",                            -- outbound: the inbound mail it replies to
    in_reply_to_id   text COLLATE "C",                            -- the mail of ours (in or out) that it replies to
    metadata         jsonb NOT NULL DEFAULT '{}',
    tags             jsonb NOT NULL DEFAULT '{}',
    category         text,
    -- inbound
    raw_sha256       text,
    size_bytes       integer,
    envelope_from    text,
    envelope_to      text,
    header_from      text,
    from_name        text,
    to_addresses     text[] NOT NULL DEFAULT '{}',
    cc_addresses     text[] NOT NULL DEFAULT '{}',
    reply_to         text,
    subject          text NOT NULL DEFAULT '',      -- inbound: as it stood; outbound: of the adopted revision
    text             text,
    reply_text       text,
    html             text,                          -- cleaned
    in_reply_to      text,
    refs             text[] NOT NULL DEFAULT '{}',  -- References and In-Reply-To, oldest first
    sent_at          timestamptz,                   -- its Date header, as claimed
    has_attachments  boolean NOT NULL DEFAULT false,
    automatic        text[] NOT NULL DEFAULT '{}',  -- reasons never to answer it (RFC 3834)
    flags            text[] NOT NULL DEFAULT '{}',  -- hidden_text, lookalike, first_from_address ...
    auth             jsonb NOT NULL DEFAULT '{}',   -- {spf, dkim, dmarc}
    spam_score       integer,
    spam_verdict     text,                          -- clean, flagged, quarantined
    user_label       text,
    quarantined_for  text[] NOT NULL DEFAULT '{}',
    read_at          timestamptz,
    archived_at      timestamptz,
    -- outbound: what steps read and set
    author           text COLLATE "C",                            -- drafter: the principal whose draft this is
    author_key       text COLLATE "C",
    author_kind      text,                          -- drafter, agent, person, service
    revision         integer NOT NULL DEFAULT 0,    -- adopted revision; 0: none yet
    content          text,                          -- content_sha256 of the adopted revision
    recipients       text[] NOT NULL DEFAULT '{}',  -- of the adopted revision: to, cc, bcc, lower case, no repeats
    ask              text,                          -- mode the caller asked for
    ask_at_submit    text,
    gate_timing      text NOT NULL DEFAULT 'gate_first',
    send_at          timestamptz,
    placeholder      boolean NOT NULL DEFAULT false,
    ok1              text COLLATE "C",                            -- first approval: principal
    ok1_hash         text,
    ok1_key          text COLLATE "C",
    ok2              text COLLATE "C",
    ok2_hash         text,
    ok2_key          text COLLATE "C",
    rounds           integer NOT NULL DEFAULT 0,
    release          integer NOT NULL DEFAULT 0,
    grant_token      text,                          -- signed statement of the present release
    system_template  boolean NOT NULL DEFAULT false,
    policy_block     boolean NOT NULL DEFAULT false,
    mode_grant_id    text COLLATE "C",                            -- the rule the gatekeeper matched
    reason           text,                          -- of the last refusal, rejection or resolution
    reasons          text[] NOT NULL DEFAULT '{}',  -- why it is held or refused, the deciding one first
    evidence         jsonb NOT NULL DEFAULT '{}',
    held_at          timestamptz,
    expires_at       timestamptz,                   -- when waiting ends unsent
    decided_by       text COLLATE "C",
    decided_at       timestamptz,
    released_at      timestamptz,
    delivered_at     timestamptz,
    rejection_final  boolean,
    reviser          text COLLATE "C",                            -- last reviewer that edited
    PRIMARY KEY (mailbox_id, id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX message_id ON message (id);
CREATE UNIQUE INDEX message_raw ON message (mailbox_id, raw_sha256) WHERE direction = 'inbound';
CREATE INDEX message_thread ON message (thread_id, id);
CREATE INDEX message_rfc ON message (mailbox_id, rfc_message_id) WHERE rfc_message_id IS NOT NULL;
CREATE INDEX message_answers ON message (answers) WHERE answers IS NOT NULL;
CREATE INDEX message_held ON message (mailbox_id, id) WHERE state IN ('held', 'quarantined', 'uncertain');
CREATE INDEX message_open ON message (state, id) WHERE state IN ('drafting', 'drafted', 'held', 'revising', 'released', 'sending', 'deferred', 'uncertain', 'quarantined');
CREATE INDEX message_expiry ON message (expires_at) WHERE expires_at IS NOT NULL AND state IN ('drafting', 'drafted', 'held', 'revising', 'released', 'quarantined');
CREATE INDEX message_inbox ON message (mailbox_id, direction, id);
CREATE INDEX message_author ON message (author, id) WHERE author IS NOT NULL;

-- What is decided on: an immutable draft of an outbound message. Written by its author; adopted by the gatekeeper.
CREATE TABLE revision (
    tenant_id      text COLLATE "C" NOT NULL,
    mailbox_id     text COLLATE "C" NOT NULL,
    message_id     text COLLATE "C" NOT NULL,
    n              integer NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('draft', 'edit', 'failed')),
    content_sha256 text NOT NULL,
    content        text NOT NULL,                   -- canonical JSON of gatepost_mail.content.Content
    markdown       text NOT NULL,                   -- what the author wrote
    subject        text NOT NULL,
    recipients     text[] NOT NULL,                 -- to, cc, bcc, lower case, no repeats
    author         text COLLATE "C" NOT NULL,                     -- principal
    author_key     text COLLATE "C",
    author_kind    text NOT NULL,
    ask            text,
    placeholder    boolean NOT NULL DEFAULT false,
    failure        text,                            -- kind failed: why there is no text
    answers        text COLLATE "C",                              -- newest inbound mail of the thread that the author had seen
    evidence       jsonb NOT NULL DEFAULT '{}',     -- per sentence: message, article or fact; placeholders; commitments
    category       text,                            -- the author's label; it can only tighten
    model_call_id  text COLLATE "C",
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (message_id, n)
);

-- One recipient of one release. Inserted by the gatekeeper, moved by the sender from its claim on.
CREATE TABLE delivery (
    id          text COLLATE "C" PRIMARY KEY,                     -- <message_id>.<release>.<n>
    tenant_id   text COLLATE "C" NOT NULL,
    mailbox_id  text COLLATE "C" NOT NULL,
    message_id  text COLLATE "C" NOT NULL REFERENCES message (id),
    thread_id   text COLLATE "C" NOT NULL,
    of_release  integer NOT NULL,
    n           integer NOT NULL,
    recipient   text NOT NULL,                      -- lower case addr-spec
    domain      text NOT NULL,
    state       text NOT NULL DEFAULT 'released',
    last_row    text NOT NULL,
    used        boolean NOT NULL DEFAULT false,     -- an attempt has begun under this approval
    sent_hash   text,
    phase       text NOT NULL DEFAULT 'none' CHECK (phase IN ('none', 'claimed', 'announced')),
    owner       text,
    lease_until timestamptz,
    attempts    integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    queued_at   timestamptz NOT NULL DEFAULT now(),
    via         text,
    stage       text,                               -- of the last attempt
    code        integer,
    enhanced    text,
    reply       text,                               -- the other side's words, cut and redacted
    remote_id   text,                               -- its queue id, where it told one
    ended_at    timestamptz
) WITH (fillfactor = 70);
CREATE INDEX delivery_message ON delivery (message_id, of_release);
CREATE INDEX delivery_due ON delivery (due_at) WHERE state IN ('released', 'deferred');
CREATE INDEX delivery_wire ON delivery (lease_until) WHERE state = 'sending';
CREATE INDEX delivery_turn ON delivery (thread_id, recipient, queued_at) WHERE state IN ('released', 'sending', 'deferred');

-- Each try of a delivery, as the wire told it.
CREATE TABLE attempt (
    tenant_id   text COLLATE "C" NOT NULL,
    mailbox_id  text COLLATE "C" NOT NULL,
    message_id  text COLLATE "C" NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    n           integer NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    stage       text NOT NULL,                      -- connect, ehlo, tls, auth, mail, rcpt, data, dot, quit
    code        integer,
    enhanced    text,
    reply       text,
    outcome     text NOT NULL,                      -- delivered, deferred, bounced, uncertain
    unknown     boolean NOT NULL DEFAULT false,     -- nobody can know what the other side did
    PRIMARY KEY (delivery_id, n)
);
CREATE INDEX attempt_message ON attempt (message_id, n);

CREATE TABLE raw (
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,
    sha256     text NOT NULL,
    bytes      bytea NOT NULL,
    PRIMARY KEY (mailbox_id, sha256)
);

-- Inbound: cut from raw on demand. Outbound: bytes in blob.
CREATE TABLE attachment (
    tenant_id    text COLLATE "C" NOT NULL,
    mailbox_id   text COLLATE "C" NOT NULL,
    message_id   text COLLATE "C" NOT NULL,
    n            integer NOT NULL,
    name         text NOT NULL,
    content_type text NOT NULL,
    size_bytes   integer NOT NULL,
    sha256       text NOT NULL,
    inline       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (message_id, n)
);

CREATE TABLE blob (
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,
    sha256     text NOT NULL,
    bytes      bytea NOT NULL,
    PRIMARY KEY (mailbox_id, sha256)
);

-- One row per step: the canonical record, insert only. subject_id is a message, a mailbox for world steps.
CREATE TABLE audit_record (
    subject_id text COLLATE "C" NOT NULL,
    seq        integer NOT NULL,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,
    row_id     text NOT NULL,
    record     text NOT NULL,
    leaf       bytea NOT NULL,                      -- sha256(0x00 || record), RFC 9162
    at         timestamptz NOT NULL DEFAULT now(),
    idx        bigint,                              -- place in the tree, set by the sequencer
    PRIMARY KEY (subject_id, seq)
);
CREATE INDEX audit_tenant ON audit_record (tenant_id, at);
CREATE INDEX audit_mailbox ON audit_record (mailbox_id, at);

-- Events decided and not yet published. id is the event id.
CREATE TABLE outbox (
    id         text COLLATE "C" PRIMARY KEY,        -- <subject_id>.<seq>.<type>
    service    text NOT NULL,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    seq        integer NOT NULL,
    type       text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_service ON outbox (service, at);

CREATE TABLE command_result (
    command_id text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    seq        integer NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);

-- The whole history of decisions as people see it; the audit record holds the digests.
CREATE TABLE decision (
    id             text COLLATE "C" PRIMARY KEY,
    tenant_id      text COLLATE "C" NOT NULL,
    mailbox_id     text COLLATE "C" NOT NULL,
    message_id     text COLLATE "C" NOT NULL,
    seq            integer NOT NULL,
    action         text NOT NULL,                   -- approve, edit_approve, reject, send_back, admit, discard, resolve, cancel
    revision       integer,
    content_sha256 text,
    principal      text COLLATE "C" NOT NULL,
    key_id         text COLLATE "C",
    door           text NOT NULL,
    note           text,
    reason_code    text,
    seen_given     boolean NOT NULL DEFAULT true,   -- the caller named the hash it saw
    at             timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX decision_message ON decision (message_id, seq);

-- When a principal last looked at a mailbox's queue, or at one mail of it.
CREATE TABLE seen (
    tenant_id    text COLLATE "C" NOT NULL,
    mailbox_id   text COLLATE "C" NOT NULL,
    principal_id text COLLATE "C" NOT NULL,
    seen_at      timestamptz NOT NULL,
    PRIMARY KEY (mailbox_id, principal_id)
);

CREATE TABLE idempotency (
    tenant_id      text COLLATE "C" NOT NULL,
    principal_id   text COLLATE "C" NOT NULL,
    key            text NOT NULL,
    request_sha256 text NOT NULL,
    message_id     text COLLATE "C",
    status         integer,
    reply          jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, principal_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE model_call (
    id             text COLLATE "C" PRIMARY KEY,
    tenant_id      text COLLATE "C" NOT NULL,
    mailbox_id     text COLLATE "C" NOT NULL,
    message_id     text COLLATE "C",                              -- the inbound mail it was made for
    provider       text NOT NULL,
    model          text NOT NULL,
    prompt_version text NOT NULL,
    input_tokens   integer NOT NULL DEFAULT 0,
    output_tokens  integer NOT NULL DEFAULT 0,
    cost_micro_usd bigint,
    latency_ms     integer NOT NULL,
    given          text[] NOT NULL DEFAULT '{}',    -- ids of all it was given
    outcome        text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_call_mailbox ON model_call (mailbox_id, created_at);

-- Knowledge: markdown per mailbox, in chunks found by full-text search.
CREATE TABLE article (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL REFERENCES mailbox,
    name       text NOT NULL,                       -- file name or title
    title      text NOT NULL,
    markdown   text NOT NULL,
    sha256     text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mailbox_id, name)
);
CREATE TABLE chunk (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    mailbox_id text COLLATE "C" NOT NULL,
    article_id text COLLATE "C" NOT NULL REFERENCES article ON DELETE CASCADE,
    n          integer NOT NULL,
    heading    text NOT NULL,
    text       text NOT NULL,
    words      tsvector GENERATED ALWAYS AS (setweight(to_tsvector('english', heading), 'A') || to_tsvector('english', text)) STORED
);
CREATE INDEX chunk_words ON chunk USING gin (words);
CREATE INDEX chunk_mailbox ON chunk (mailbox_id);

-- Webhook endpoints. The secret is sealed to the notifier; nobody else can read it back.
CREATE TABLE endpoint (
    id               text COLLATE "C" PRIMARY KEY,
    tenant_id        text COLLATE "C" NOT NULL,
    mailbox_id       text COLLATE "C",                            -- null: every mailbox of the tenant
    url              text NOT NULL,
    events           text[] NOT NULL,               -- the words the subscriber used
    source           text NOT NULL DEFAULT 'api' CHECK (source IN ('api', 'mailbox', 'mailbox_oversight')),
    signature_format text NOT NULL DEFAULT 'sha256' CHECK (signature_format IN ('sha256', 'hex')),
    payload          text NOT NULL DEFAULT 'full' CHECK (payload IN ('full', 'thin')),
    secret_sealed    bytea NOT NULL,
    secret_hint      text NOT NULL,
    old_secret_sealed bytea,
    old_valid_until  timestamptz,
    is_active        boolean NOT NULL DEFAULT true,
    disabled_reason  text,
    failing_since    timestamptz,
    last_success_at  timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    deleted_at       timestamptz
);
CREATE INDEX endpoint_tenant ON endpoint (tenant_id) WHERE deleted_at IS NULL;

CREATE TABLE webhook_delivery (
    id              text COLLATE "C" PRIMARY KEY,                 -- whd_ and a digest of event, endpoint and alias: stable
    tenant_id       text COLLATE "C" NOT NULL,
    mailbox_id      text COLLATE "C" NOT NULL,
    endpoint_id     text COLLATE "C" NOT NULL REFERENCES endpoint,
    event_id        text NOT NULL,
    event_type      text NOT NULL,
    alias           text NOT NULL,
    message_id      text COLLATE "C",
    thread_id       text COLLATE "C",
    place           bigint NOT NULL,                -- order within endpoint and thread: the stream's sequence
    body            bytea NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    claimed_until   timestamptz,
    response_status integer,
    excerpt         text,
    error           text,
    latency_ms      integer,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_attempt_at timestamptz,
    delivered_at    timestamptz
) WITH (fillfactor = 70);
CREATE INDEX webhook_due ON webhook_delivery (due_at) WHERE state = 'pending';
CREATE INDEX webhook_turn ON webhook_delivery (endpoint_id, thread_id, place) WHERE state = 'pending';
CREATE INDEX webhook_tenant ON webhook_delivery (tenant_id, created_at);
CREATE INDEX webhook_message ON webhook_delivery (message_id) WHERE message_id IS NOT NULL;

-- Domains we sign for; the private half is sealed to the sender.
CREATE TABLE domain (
    id              text COLLATE "C" PRIMARY KEY,
    tenant_id       text COLLATE "C" NOT NULL,
    domain          text NOT NULL UNIQUE,
    status          text NOT NULL DEFAULT 'pending',
    created_at      timestamptz NOT NULL DEFAULT now(),
    verified_at     timestamptz
);
CREATE TABLE dkim_key (
    id             text COLLATE "C" PRIMARY KEY,
    tenant_id      text COLLATE "C" NOT NULL,
    domain         text NOT NULL,
    selector       text NOT NULL,
    algorithm      text NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    private_sealed bytea NOT NULL,
    public_record  text NOT NULL,                   -- the DNS text record
    active         boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain, selector)
);

CREATE TABLE contact (
    id         text COLLATE "C" PRIMARY KEY,
    tenant_id  text COLLATE "C" NOT NULL,
    email      text NOT NULL,
    name       text NOT NULL,
    tags       text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, email)
);

-- What this installation is: read at start, compared with the data folder.
CREATE TABLE installation (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    token      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
