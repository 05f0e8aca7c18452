-- rows --
-- Drafts $1+1 to $2 that wait for a person, five on a thread, each thread with the mail they answer: mailbox n % the number
-- of mailboxes. Bodies of about 1 KB that differ. Ids sort by n, as those of mails sort by time.
WITH given AS (
    SELECT $3::text AS tenant, $4::text[] AS boxes, $5::text AS author, $6::text AS key
), thread AS (
    INSERT INTO thread (id, tenant_id, mailbox_id, subject, head, head_at, participants)
    SELECT 'thr_01' || lpad(t::text, 24, '0'), g.tenant, g.boxes[1 + t % cardinality(g.boxes)], 'Order ' || t,
           'msg_00' || lpad(t::text, 24, '0'), now() - interval '1 day', ARRAY['c' || t || '@customer.example']
      FROM given g, generate_series($1::integer / 5 + 1, $2::integer / 5) AS t
), inbound AS (
    INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, last_row, created_at, raw_sha256, size_bytes, header_from,
                         from_name, to_addresses, subject, text, rfc_message_id)
    SELECT 'msg_00' || lpad(t::text, 24, '0'), g.tenant, g.boxes[1 + t % cardinality(g.boxes)],
           'thr_01' || lpad(t::text, 24, '0'), 'inbound', 'received', 'T01', now() - interval '1 day',
           md5(t::text) || md5('r' || t), 1200, 'c' || t || '@customer.example', 'Customer ' || t, ARRAY['desk@example.com'],
           'Order ' || t, 'Where is my order? It is number ' || t, '<' || t || '@customer.example>'
      FROM given g, generate_series($1::integer / 5 + 1, $2::integer / 5) AS t
), drafts AS (
    SELECT n, (n - 1) / 5 + 1 AS t, 'msg_01' || lpad(n::text, 24, '0') AS id,
           (SELECT string_agg((ARRAY['order','parcel','delivery','carrier','week','thanks','number','address','morning','box'])
                              [1 + abs(hashint4(n * 7 + i)) % 10], ' ') FROM generate_series(1, 80) AS i)
           || E'\n\nYour parcel left our house and is on its way; the carrier names the day. '
           || 'Write back if it has not come by then, and we look for it at once. Ours is order ' || n AS markdown
      FROM generate_series($1::integer + 1, $2::integer) AS n
), held AS (
    INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, last_row, created_at, answers, subject, author, author_key,
                         author_kind, revision, content, recipients, reasons, held_at, expires_at, rfc_message_id)
    SELECT d.id, g.tenant, g.boxes[1 + d.t % cardinality(g.boxes)], 'thr_01' || lpad(d.t::text, 24, '0'), 'outbound', 'held', 'T06',
           now() - interval '1 hour', 'msg_00' || lpad(d.t::text, 24, '0'), 'Re: Order ' || d.t, g.author, g.key, 'agent', 1,
           md5(d.id) || md5('c' || d.id), ARRAY['c' || d.t || '@customer.example'], '{gated}', now() - interval '1 hour',
           now() + interval '30 days', '<' || d.id || '@example.com>'
      FROM given g, drafts d
)
INSERT INTO revision (tenant_id, mailbox_id, message_id, n, kind, content_sha256, content, markdown, subject, recipients, author,
                      author_key, author_kind, answers)
SELECT g.tenant, g.boxes[1 + d.t % cardinality(g.boxes)], d.id, 1, 'draft', md5(d.id) || md5('c' || d.id),
       jsonb_build_object('from_', 'desk@example.com', 'from_name', '', 'to', ARRAY['c' || d.t || '@customer.example'], 'cc', '[]'::jsonb,
                          'bcc', '[]'::jsonb, 'subject', 'Re: Order ' || d.t, 'text', d.markdown, 'html', '', 'attachments', '[]'::jsonb,
                          'references', '[]'::jsonb, 'headers', '[]'::jsonb, 'salt', md5(d.id))::text,
       d.markdown, 'Re: Order ' || d.t, ARRAY['c' || d.t || '@customer.example'], g.author, g.key, 'agent',
       'msg_00' || lpad(d.t::text, 24, '0')
  FROM given g, drafts d;
