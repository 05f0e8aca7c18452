-- migrate:up
-- Erasing what is personal while every record of the log stays: records hold digests over content that carries its own salt.

ALTER TABLE message ADD COLUMN salt text;                 -- inbound: records hold sha256(salt, raw digest); goes with the mail
ALTER TABLE message ADD COLUMN erased_at timestamptz;     -- its content, addresses and salts are gone
CREATE INDEX message_retention ON message (created_at) WHERE erased_at IS NULL;

-- What must be kept whatever a clock or a person says. In force while lifted_at is null.
CREATE TABLE legal_hold (
    id        text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    scope     text NOT NULL CHECK (scope IN ('tenant', 'mailbox', 'thread', 'person')),
    target    text NOT NULL,                              -- tenant, mailbox or thread id, or an address in lower case
    reason    text NOT NULL DEFAULT '',
    by        text COLLATE "C" NOT NULL,
    since     timestamptz NOT NULL DEFAULT now(),
    lifted_at timestamptz,
    lifted_by text COLLATE "C"
);
CREATE INDEX legal_hold_in_force ON legal_hold (tenant_id, scope, target) WHERE lifted_at IS NULL;

-- Is this mail kept by a hold?
CREATE FUNCTION is_held_by_law(m message) RETURNS boolean LANGUAGE sql STABLE AS $f$
  SELECT EXISTS (SELECT 1 FROM legal_hold h WHERE h.tenant_id = m.tenant_id AND h.lifted_at IS NULL AND (
    h.scope = 'tenant' OR (h.scope = 'mailbox' AND h.target = m.mailbox_id)
    OR (h.scope = 'thread' AND h.target = m.thread_id)
    OR (h.scope = 'person' AND (h.target = lower(m.header_from) OR h.target = lower(m.envelope_from)
        OR h.target = ANY (m.recipients)))))
$f$;

-- May it go? Only what has ended; what waits or is on its way keeps its content.
CREATE FUNCTION has_ended(m message) RETURNS boolean LANGUAGE sql IMMUTABLE AS $f$
  SELECT m.state IN ('received', 'discarded', 'delivered', 'bounced', 'rejected', 'refused', 'cancelled', 'expired', 'superseded')
$f$;

-- Take the content, the addresses and the salts of these mails away; those that a hold keeps, or that have not ended, stay.
CREATE FUNCTION erase_mails(ids text[]) RETURNS integer LANGUAGE plpgsql AS $f$
DECLARE gone text[];
BEGIN
  SELECT array_agg(x.id) INTO gone FROM (SELECT m.id FROM message m WHERE m.id = ANY (ids) AND m.erased_at IS NULL
    AND has_ended(m) AND NOT is_held_by_law(m) ORDER BY m.id FOR NO KEY UPDATE) x;
  IF gone IS NULL THEN RETURN 0; END IF;
  DELETE FROM raw r USING message m WHERE m.id = ANY (gone) AND r.mailbox_id = m.mailbox_id AND r.sha256 = m.raw_sha256;
  DELETE FROM blob b USING attachment a, message m WHERE m.id = ANY (gone) AND a.message_id = m.id
    AND b.mailbox_id = m.mailbox_id AND b.sha256 = a.sha256 AND NOT EXISTS (SELECT 1 FROM attachment o
      WHERE o.mailbox_id = m.mailbox_id AND o.sha256 = a.sha256 AND o.message_id <> ALL (gone));
  DELETE FROM attachment a WHERE a.message_id = ANY (gone);
  UPDATE revision r SET content = '', markdown = '', subject = '', recipients = '{}', evidence = '{}', failure = NULL
    WHERE r.message_id = ANY (gone);
  UPDATE delivery d SET recipient = 'erased', domain = '', reply = NULL WHERE d.message_id = ANY (gone);
  UPDATE attempt a SET reply = NULL WHERE a.message_id = ANY (gone);
  UPDATE decision d SET note = NULL WHERE d.message_id = ANY (gone);
  UPDATE webhook_delivery w SET body = '', excerpt = NULL WHERE w.message_id = ANY (gone) AND w.state <> 'pending';
  UPDATE message m SET salt = NULL, raw_sha256 = NULL, envelope_from = NULL, envelope_to = NULL, header_from = NULL,
      from_name = NULL, to_addresses = '{}', cc_addresses = '{}', reply_to = NULL, subject = '', text = NULL,
      reply_text = NULL, html = NULL, in_reply_to = NULL, refs = '{}', recipients = '{}', metadata = '{}', tags = '{}',
      evidence = '{}', erased_at = now()
    WHERE m.id = ANY (gone);
  UPDATE thread t SET subject = '', participants = '{}', metadata = '{}' FROM message m
    WHERE m.id = ANY (gone) AND t.id = m.thread_id
      AND NOT EXISTS (SELECT 1 FROM message o WHERE o.thread_id = t.id AND o.erased_at IS NULL);
  RETURN cardinality(gone);
END $f$;

-- A revision never changes; it can only be emptied.
CREATE FUNCTION refuse_revision() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN RAISE EXCEPTION 'a revision is never changed' USING ERRCODE = 'GP003'; END $f$;
CREATE TRIGGER revision_fixed BEFORE UPDATE ON revision FOR EACH ROW
WHEN (NOT (NEW.content = '' AND NEW.markdown = '' AND NEW.subject = '' AND NEW.recipients = '{}'
  AND NEW.content_sha256 = OLD.content_sha256 AND NEW.author = OLD.author AND NEW.n = OLD.n))
EXECUTE FUNCTION refuse_revision();
