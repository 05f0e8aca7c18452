-- migrate:up
-- A hold of a person also keeps mails that were drafted to them and then went elsewhere, and mails on which they were copied.

CREATE OR REPLACE FUNCTION is_held_by_law(m message) RETURNS boolean LANGUAGE sql STABLE AS $f$
  SELECT EXISTS (SELECT 1 FROM legal_hold h WHERE h.tenant_id = m.tenant_id AND h.lifted_at IS NULL AND (
    h.scope = 'tenant' OR (h.scope = 'mailbox' AND h.target = m.mailbox_id)
    OR (h.scope = 'thread' AND h.target = m.thread_id)
    OR (h.scope = 'person' AND (h.target = lower(m.header_from) OR h.target = lower(m.envelope_from)
        OR h.target = ANY (m.recipients)
        OR EXISTS (SELECT 1 FROM unnest(m.to_addresses || m.cc_addresses) a WHERE lower(a) = h.target)
        OR EXISTS (SELECT 1 FROM revision r WHERE r.message_id = m.id AND h.target = ANY (r.recipients))))))
$f$;
