-- tenant --
-- The one tenant of a local installation.
SELECT id FROM tenant WHERE slug = 'default';

-- add_tenant --
INSERT INTO tenant (id, name, slug, oversight_email) VALUES ($1, $2, 'default', $3) ON CONFLICT (slug) DO NOTHING;

-- add_principal --
INSERT INTO principal (id, tenant_id, kind, name) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING;

-- add_key --
-- A key made outside the API: by the first start, or by an operator at the machine.
INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes, test)
VALUES ($1, $2, $3, $4, $5, $6, $7, left($5, 8) = 'gp_test_') ON CONFLICT (key_sha256) DO NOTHING;

-- keys --
SELECT k.id, k.name, k.prefix, k.scopes, p.name AS principal, p.kind, k.created_at, k.last_used_at, k.revoked_at
  FROM api_key k JOIN principal p ON p.id = k.principal_id ORDER BY k.created_at;

-- revoke_key --
UPDATE api_key SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id;

-- mailbox --
SELECT id, address, mode FROM mailbox WHERE address = lower($1);

-- mailboxes --
SELECT id, address, display_name, mode, ceiling, drafting, created_at FROM mailbox
 WHERE id <> 'mbx_system' AND deleted_at IS NULL ORDER BY created_at;

-- set_notices --
-- From where, and to whom, the installation itself writes; what was not given stays.
WITH whom AS (UPDATE tenant SET oversight_email = coalesce(lower($2::text), oversight_email),
                                pending_mail = coalesce($3::text, pending_mail) WHERE slug = 'default')
UPDATE mailbox SET address = coalesce(lower($1::text), address) WHERE id = 'mbx_system';

-- notices --
SELECT b.address, t.oversight_email, t.pending_mail FROM tenant t JOIN mailbox b ON b.id = 'mbx_system' WHERE t.slug = 'default';

-- add_mailbox --
-- A mailbox made by the operator at the machine starts in the mode that was asked for.
INSERT INTO mailbox (id, tenant_id, address, display_name, mode, drafting, system_prompt)
VALUES ($1, $2, lower($3), $4, $5, $6, $7) ON CONFLICT (address) DO NOTHING;

-- add_article --
INSERT INTO article (id, tenant_id, mailbox_id, name, title, markdown, sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (mailbox_id, name) DO UPDATE SET title = excluded.title, markdown = excluded.markdown,
       sha256 = excluded.sha256, updated_at = now() WHERE article.sha256 <> excluded.sha256
RETURNING id;

-- drop_chunks --
DELETE FROM chunk WHERE article_id = $1;

-- add_chunk --
INSERT INTO chunk (id, tenant_id, mailbox_id, article_id, n, heading, text) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- installation --
SELECT token FROM installation;

-- in_outbox --
-- Does this event wait to be published?
SELECT EXISTS (SELECT 1 FROM outbox WHERE id = $1);

-- tenants --
SELECT id FROM tenant ORDER BY id;

-- told_since --
-- What the records from a moment on told, page by page.
SELECT a.subject_id, a.seq, a.at, a.subject_id || '.' || lpad(a.seq::text, 9, '0') AS place,
       ARRAY(SELECT jsonb_array_elements_text(a.record::jsonb -> 'emits')) AS emits
  FROM audit_record a
 WHERE a.tenant_id = $1 AND a.at >= $2 AND (a.at, a.subject_id || '.' || lpad(a.seq::text, 9, '0')) > ($2, $3)
 ORDER BY a.at, place LIMIT $4;

-- told_of_unfinished --
-- Everything that was told of mails on which the machine has still something to do.
SELECT a.subject_id || '.' || a.seq || '.' || e.type AS event_id
  FROM message m JOIN audit_record a ON a.subject_id = m.id,
       LATERAL jsonb_array_elements_text(a.record::jsonb -> 'emits') AS e(type)
 WHERE m.state IN ('drafting', 'drafted', 'revising', 'released', 'sending', 'deferred');

-- capture --
-- All rows that a thread's mails were handled with, for a replay elsewhere; no raw bytes, no secrets.
SELECT jsonb_build_object(
    'tenant', (SELECT jsonb_agg(x) FROM tenant x WHERE x.id = $1),
    'mailbox', (SELECT jsonb_agg(x) FROM mailbox x WHERE x.id = $2),
    'thread', (SELECT jsonb_agg(x) FROM thread x WHERE x.id = $3),
    'message', (SELECT jsonb_agg(x) FROM message x WHERE x.thread_id = $3),
    'revision', (SELECT jsonb_agg(x) FROM revision x WHERE x.message_id IN (SELECT id FROM message WHERE thread_id = $3)),
    'delivery', (SELECT jsonb_agg(x) FROM delivery x WHERE x.message_id IN (SELECT id FROM message WHERE thread_id = $3)),
    'decision', (SELECT jsonb_agg(x) FROM decision x WHERE x.message_id IN (SELECT id FROM message WHERE thread_id = $3)),
    'audit_record', (SELECT jsonb_agg(x) FROM audit_record x
        WHERE x.subject_id IN (SELECT id FROM message WHERE thread_id = $3)),
    'article', (SELECT jsonb_agg(x) FROM article x WHERE x.mailbox_id = $2),
    'chunk', (SELECT jsonb_agg(x) FROM chunk x WHERE x.mailbox_id = $2));

-- notices_bounced --
-- Accounts whose newest code or notice with an end bounced.
SELECT t.oversight_email, d.code, d.enhanced FROM tenant t JOIN LATERAL (
  SELECT d.state, d.code, d.enhanced FROM delivery d
   WHERE d.tenant_id = t.id AND d.mailbox_id = 'mbx_system' AND d.recipient = lower(t.oversight_email) AND d.ended_at IS NOT NULL
   ORDER BY d.ended_at DESC LIMIT 1) d ON d.state = 'bounced';
