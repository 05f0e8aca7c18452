-- effects --
-- What was decided, written and queued on a thread since an event was recorded: the same question for then and for now.
CREATE OR REPLACE FUNCTION pg_temp.effects(p_subject text, p_seq integer, p_thread text, p_event text, p_cut timestamptz)
RETURNS jsonb LANGUAGE sql AS $f$
SELECT jsonb_build_object(
    'records', coalesce((SELECT jsonb_agg(a.record::jsonb ORDER BY a.at, a.subject_id, a.seq) FROM audit_record a
        WHERE a.subject_id = ANY (p_subject || ARRAY(SELECT id FROM message WHERE thread_id = p_thread))
          AND (a.at > p_cut OR (a.subject_id = p_subject AND a.seq > p_seq))), '[]'),
    'revisions', coalesce((SELECT jsonb_agg(jsonb_build_object('message_id', r.message_id, 'n', r.n, 'kind', r.kind,
            'markdown', r.markdown, 'subject', r.subject, 'recipients', r.recipients, 'placeholder', r.placeholder,
            'category', r.category, 'failure', r.failure) ORDER BY r.created_at, r.n)
        FROM revision r WHERE r.message_id = ANY (ARRAY(SELECT id FROM message WHERE thread_id = p_thread))
         AND r.created_at > p_cut), '[]'),
    'webhooks', coalesce((SELECT jsonb_agg(jsonb_build_object('endpoint_id', w.endpoint_id, 'alias', w.alias,
            'body', convert_from(w.body, 'UTF8')::jsonb) ORDER BY w.endpoint_id, w.alias)
        FROM webhook_delivery w WHERE w.message_id = p_subject AND w.event_id = p_event), '[]'))
$f$;

-- rewind --
-- The thread as it stood when the event was recorded: what came later is taken away, and states go back. Only ever inside
-- a transaction that is rolled back.
CREATE OR REPLACE FUNCTION pg_temp.rewind(p_subject text, p_thread text, p_tenant text, p_event text, p_cut timestamptz)
RETURNS void LANGUAGE plpgsql AS $f$
DECLARE later text[]; kept text[]; moved text[];
BEGIN
  PERFORM set_config('gatepost.rehearsal', 'on', true);
  SELECT coalesce(array_agg(id) FILTER (WHERE created_at > p_cut AND id <> p_subject), '{}'),
         coalesce(array_agg(id) FILTER (WHERE created_at <= p_cut OR id = p_subject), '{}')
    INTO later, kept FROM message WHERE thread_id = p_thread;
  SELECT coalesce(array_agg(DISTINCT subject_id), '{}') INTO moved FROM audit_record
   WHERE subject_id = ANY(kept) AND at > p_cut;
  DELETE FROM audit_record WHERE (subject_id = ANY(later) OR subject_id = ANY(kept)) AND at > p_cut;
  DELETE FROM delivery WHERE message_id = ANY(later) OR (message_id = ANY(kept) AND queued_at > p_cut);
  DELETE FROM decision WHERE message_id = ANY(later) OR (message_id = ANY(kept) AND at > p_cut);
  DELETE FROM revision WHERE message_id = ANY(later) OR (message_id = ANY(kept) AND created_at > p_cut);
  DELETE FROM webhook_delivery WHERE message_id = p_subject AND event_id = p_event;
  DELETE FROM idempotency WHERE tenant_id = p_tenant AND principal_id = 'prn_drafter' AND key = 'draft:' || p_subject;
  DELETE FROM message WHERE id = ANY(later);
  UPDATE message m SET version = a.seq, state = a.state, last_row = a.row_id,
         revision = CASE WHEN a.state = 'drafting' THEN 0 ELSE least(m.revision, coalesce(a.n, 0)) END,
         content = CASE WHEN a.state = 'drafting' THEN NULL ELSE coalesce(a.content, m.content) END,
         release = (SELECT count(*) FROM delivery d WHERE d.message_id = m.id AND d.n = 1),
         grant_token = NULL, mode_grant_id = NULL, ok1 = NULL, ok1_hash = NULL, ok1_key = NULL, ok2 = NULL, ok2_hash = NULL,
         ok2_key = NULL, decided_by = NULL, rejection_final = NULL, reviser = NULL, policy_block = false
    FROM (SELECT DISTINCT ON (r.subject_id) r.subject_id, r.seq, r.row_id, r.record::jsonb ->> 'to' AS state,
                 (SELECT max(v.n) FROM revision v WHERE v.message_id = r.subject_id) AS n,
                 (SELECT v.content_sha256 FROM revision v WHERE v.message_id = r.subject_id ORDER BY v.n DESC LIMIT 1) AS content
            FROM audit_record r WHERE r.subject_id = ANY(moved) ORDER BY r.subject_id, r.seq DESC) a
   WHERE m.id = a.subject_id AND a.state IS NOT NULL;
  UPDATE thread t SET head = h.id FROM (SELECT max(id) AS id FROM message
      WHERE thread_id = p_thread AND direction = 'inbound' AND state = 'received') h WHERE t.id = p_thread;
  PERFORM set_config('gatepost.rehearsal', 'off', true);
END $f$;

-- load --
-- Rows of a capture, as far as they are not here.
CREATE OR REPLACE FUNCTION pg_temp.load(p_rows jsonb) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE part record; names text;
BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);
  FOR part IN SELECT key, value FROM jsonb_each(p_rows) LOOP
    SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute
     WHERE attrelid = to_regclass(quote_ident(part.key)) AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    CONTINUE WHEN names IS NULL OR jsonb_typeof(part.value) <> 'array';
    EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM jsonb_populate_recordset(NULL::%I, $1) ON CONFLICT DO NOTHING',
                   part.key, names, names, part.key) USING part.value;
  END LOOP;
  PERFORM set_config('session_replication_role', 'origin', true);
END $f$;

-- go_back --
-- What was done then, told from the database's own moment of the event's record; and the thread as it stood at that moment.
CREATE OR REPLACE FUNCTION pg_temp.go_back(p_subject text, p_seq integer, p_thread text, p_tenant text, p_event text,
    p_at timestamptz, OUT cut timestamptz, OUT past jsonb) LANGUAGE plpgsql AS $f$
BEGIN
  cut := coalesce((SELECT a.at FROM audit_record a WHERE a.subject_id = p_subject AND a.seq = p_seq), p_at);
  past := pg_temp.effects(p_subject, p_seq, p_thread, p_event, cut);
  IF p_thread IS NOT NULL THEN
    PERFORM pg_temp.rewind(p_subject, p_thread, p_tenant, p_event, cut);
  END IF;
END $f$;
