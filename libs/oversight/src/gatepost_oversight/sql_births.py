"""The statements that bring a mail or a revision into being. What exists already is not made again and does not return."""

# ruff: noqa: S608 (made of the table alone, at build time; no caller's word gets in)
from __future__ import annotations

from gatepost_oversight.move import Move
from gatepost_oversight.sql_moves import deliveries
from gatepost_oversight.sql_parts import ALREADY, REFUSED, cmd, conjuncts, record_head, record_tail, values_set, written

INBOUND_COLUMNS = (
    "raw_sha256", "size_bytes", "envelope_from", "envelope_to", "header_from", "from_name", "to_addresses",
    "cc_addresses", "reply_to", "subject", "text", "reply_text", "html", "in_reply_to", "refs", "sent_at",
    "has_attachments", "automatic", "flags", "auth", "spam_score", "spam_verdict", "quarantined_for", "rfc_message_id",
    "in_reply_to_id", "expires_at", "metadata", "tags", "category", "salt",
)  # fmt: skip
OUTBOUND_COLUMNS = (
    "answers", "in_reply_to_id", "metadata", "tags", "subject", "to_addresses", "cc_addresses", "has_attachments",
    "author", "author_key", "author_kind", "ask", "ask_at_submit", "gate_timing", "send_at", "category", "expires_at",
)  # fmt: skip
REVISION_COLUMNS = (
    "kind", "content_sha256", "content", "markdown", "subject", "recipients", "author", "author_key", "author_kind",
    "ask", "placeholder", "failure", "answers", "evidence", "category", "model_call_id",
)  # fmt: skip
DEFAULTS = {
    "to_addresses": "'{}'", "cc_addresses": "'{}'", "subject": "''", "refs": "'{}'", "has_attachments": "false",
    "automatic": "'{}'", "flags": "'{}'", "auth": "'{}'", "quarantined_for": "'{}'", "metadata": "'{}'", "tags": "'{}'",
    "gate_timing": "'gate_first'", "placeholder": "false", "evidence": "'{}'", "recipients": "'{}'",
    "markdown": "''", "kind": "'draft'", "content": "'{}'",
}  # fmt: skip


def _values(columns: tuple[str, ...], source: str, move: Move | None = None) -> str:
    """What goes into these columns: what the row sets, else what the caller gave, else the default."""
    ours = {name for name, _ in move.set} if move is not None else set()

    def value(column: str) -> str:
        if column in ours:
            return f"k.set_{column}"
        return f"coalesce(({source}).{column}, {DEFAULTS[column]})" if column in DEFAULTS else f"({source}).{column}"

    return ", ".join(value(column) for column in columns)


_KNOWN = (
    "EXISTS (SELECT 1 FROM message o WHERE o.mailbox_id = c.mailbox_id AND o.raw_sha256 = c.m->>'raw_sha256'"
    " AND o.direction = 'inbound')"
)
_ASKED = (
    "EXISTS (SELECT 1 FROM idempotency i WHERE i.tenant_id = c.tenant_id"
    " AND i.principal_id = c.idem->>'principal_id' AND i.key = c.idem->>'key')"
)
_THREAD = (
    "(CASE WHEN c.thread->>'external_id' IS NULL THEN (SELECT t.id FROM thread t WHERE t.id = coalesce(c.thread->>'id', c.m->>'thread_id'))"
    " ELSE (SELECT t.id FROM thread t WHERE t.tenant_id = c.tenant_id AND t.external_id = c.thread->>'external_id') END)"
)
_FILES = "(n integer, name text, content_type text, size_bytes integer, sha256 text, inline boolean)"


def _new_thread(row: str, unless: str) -> str:
    return f"""{cmd(row)}
  INSERT INTO thread (id, tenant_id, mailbox_id, external_id, subject, metadata, related_thread_id)
    SELECT coalesce(c.thread->>'id', c.m->>'thread_id'), c.tenant_id, c.mailbox_id, c.thread->>'external_id',
      coalesce(c.thread->>'subject', ''), coalesce(c.thread->'metadata', '{{}}'), c.thread->>'related_thread_id'
    FROM cmd c WHERE (c.thread->>'new')::boolean AND NOT {unless} ON CONFLICT DO NOTHING"""


def _checked(move: Move, columns: str, *, unless: str, content: str = "NULL") -> str:
    head = record_head(
        move, source="NULL", content=content, mailbox="c.mailbox_id", subject="c.message_id", mode="b.mode"
    )
    tail = record_tail(f"'{move.dst}'", tenant="c.tenant_id", thread="t.tid")
    guard = conjuncts(move).replace("array_remove(ARRAY[", "array_remove(ARRAY[CASE WHEN t.tid IS NULL OR "
        "(SELECT x.mailbox_id FROM thread x WHERE x.id = t.tid) IS DISTINCT FROM c.mailbox_id THEN 'THREAD' END,\n      ", 1)  # fmt: skip
    return f"""
  checked AS MATERIALIZED (SELECT c.*, t.tid, NULL::integer AS already, {columns}{values_set(move)[0]},
    {guard} AS failed,
    {head} || 1 || {tail} AS record
    FROM cmd c JOIN LATERAL (SELECT * FROM mailbox WHERE mailbox.id = c.mailbox_id OFFSET 0) b ON true
    CROSS JOIN LATERAL (SELECT {_THREAD} AS tid OFFSET 0) t WHERE NOT {unless})"""


def _attachments() -> str:
    return f"""
  parts AS (INSERT INTO attachment (tenant_id, mailbox_id, message_id, n, name, content_type, size_bytes, sha256, inline)
    SELECT v.tenant_id, v.mailbox_id, v.id, f.n, f.name, f.content_type, f.size_bytes, f.sha256, coalesce(f.inline, false)
    FROM moved v CROSS JOIN LATERAL jsonb_to_recordset(coalesce(v.files, '[]')) AS f{_FILES} ON CONFLICT DO NOTHING),"""


def _blobs() -> str:
    return """
  bytes AS (INSERT INTO blob (tenant_id, mailbox_id, sha256, bytes, object)
    SELECT DISTINCT ON (v.mailbox_id, f.sha256) v.tenant_id, v.mailbox_id, f.sha256, blobs[v.base + f.raw_n], f.object FROM moved v
    CROSS JOIN LATERAL jsonb_to_recordset(coalesce(v.files, '[]')) AS f(sha256 text, raw_n integer, object text)
    WHERE f.raw_n IS NOT NULL ON CONFLICT DO NOTHING),"""


def inbound_statement(move: Move, service: str) -> list[str]:
    """T01 and T02: the mail with its bytes, attachments and thread, all or nothing."""
    if move.dst == "received":
        thread = """
  joined AS (UPDATE thread t SET head = greatest(t.head, (SELECT max(v.id) FROM moved v WHERE v.thread_id = t.id)),
      head_at = now(), last_activity = now(),
      participants = ARRAY(SELECT x FROM (SELECT unnest(t.participants) UNION
        SELECT lower(x) FROM moved v, unnest(v.to_addresses || v.cc_addresses || v.header_from) x
        WHERE v.thread_id = t.id AND x IS NOT NULL) u(x) LIMIT 500)
    WHERE t.id = ANY(ARRAY(SELECT v.thread_id FROM moved v))),"""
    else:
        thread = ""
    main = f"""{cmd(move.id)},{_checked(move, "jsonb_populate_record(NULL::message, c.m) AS mail", unless=_KNOWN)},
  born AS (INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, version, last_row,
      {", ".join(INBOUND_COLUMNS)})
    SELECT k.message_id, k.tenant_id, k.mailbox_id, k.tid, 'inbound', '{move.dst}', 1, '{move.id}',
      {_values(INBOUND_COLUMNS, "k.mail", move)}
    FROM checked k WHERE k.failed = '{{}}' ON CONFLICT DO NOTHING
    RETURNING id, tenant_id, mailbox_id, thread_id, version AS seq, to_addresses, cc_addresses, header_from, raw_sha256),
  moved AS (SELECT v.*, k.ord, k.record, k.files, k.base, k.command_id, k.m->>'object' AS object
    FROM born v JOIN checked k ON k.message_id = v.id),
  bytes AS (INSERT INTO raw (tenant_id, mailbox_id, sha256, bytes, object)
    SELECT v.tenant_id, v.mailbox_id, v.raw_sha256, blobs[v.base + 1], v.object FROM moved v ON CONFLICT DO NOTHING),\
{_attachments()}{thread}{written(move, service)}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record, '{move.dst}'::text FROM moved v{REFUSED}"""
    return [_new_thread(move.id, _KNOWN), "RETURN QUERY " + main]


def draft_statement(move: Move, service: str) -> list[str]:
    """T05: an outbound mail with its first revision, at most once per idempotency key."""
    columns = "jsonb_populate_record(NULL::message, c.m) AS mail, jsonb_populate_record(NULL::revision, c.rev) AS r"
    main = f"""{cmd(move.id)},{_checked(move, columns, unless=_ASKED, content="c.rev->>'content_sha256'")},
  once AS (INSERT INTO idempotency (tenant_id, principal_id, key, request_sha256, message_id)
    SELECT k.tenant_id, k.idem->>'principal_id', k.idem->>'key', k.idem->>'request_sha256', k.message_id
    FROM checked k WHERE k.failed = '{{}}' AND k.idem IS NOT NULL ON CONFLICT DO NOTHING RETURNING message_id),
  born AS (INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, version, last_row,
      {", ".join(OUTBOUND_COLUMNS)})
    SELECT k.message_id, k.tenant_id, k.mailbox_id, k.tid, 'outbound', '{move.dst}', 1, '{move.id}',
      {_values(OUTBOUND_COLUMNS, "k.mail", move)}
    FROM checked k WHERE k.failed = '{{}}' AND (k.idem IS NULL OR k.message_id = ANY(ARRAY(SELECT message_id FROM once)))
    ON CONFLICT DO NOTHING RETURNING id, tenant_id, mailbox_id, thread_id, version AS seq),
  moved AS (SELECT v.*, k.ord, k.record, k.files, k.base, k.r, k.command_id FROM born v
    JOIN checked k ON k.message_id = v.id),
  drawn AS (INSERT INTO revision (tenant_id, mailbox_id, message_id, n, {", ".join(REVISION_COLUMNS)})
    SELECT v.tenant_id, v.mailbox_id, v.id, 1, {_values(REVISION_COLUMNS, "v.r")} FROM moved v),
  touched AS (UPDATE thread t SET last_activity = now() WHERE t.id = ANY(ARRAY(SELECT v.thread_id FROM moved v))),\
{_blobs()}{_attachments()}{written(move, service)}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record, '{move.dst}'::text FROM moved v{REFUSED}"""
    return [_new_thread(move.id, _ASKED), "RETURN QUERY " + main]


def revision_statement(move: Move, service: str) -> list[str]:
    """R1 and R2: a further revision; the caller names its number, and the guard says whether it is still the next."""
    head = record_head(move, source="m.state", content="c.rev->>'content_sha256'")
    main = f"""{cmd(move.id)},
  checked AS MATERIALIZED (SELECT c.*, m.version AS v0, {ALREADY} AS already,
    jsonb_populate_record(NULL::revision, c.rev) AS r,
    {conjuncts(move)} AS failed,
    {head} AS head, {record_tail("m.state")} AS tail
    FROM cmd c JOIN LATERAL (SELECT * FROM message WHERE message.id = c.message_id OFFSET 0) m ON true),
  moved AS (UPDATE message m SET version = m.version + 1, last_row = '{move.id}'
    FROM checked k WHERE m.id = k.message_id AND m.id = ANY(ids) AND m.version = k.v0 AND k.failed = '{{}}'
      AND k.already IS NULL
    RETURNING k.ord, m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.version AS seq, m.state, k.n, k.r, k.files, k.base,
      k.command_id, k.head || m.version || k.tail AS record),
  drawn AS (INSERT INTO revision (tenant_id, mailbox_id, message_id, n, {", ".join(REVISION_COLUMNS)})
    SELECT v.tenant_id, v.mailbox_id, v.id, v.n, {_values(REVISION_COLUMNS, "v.r")} FROM moved v),\
{_blobs()}{_attachments()}{written(move, service)}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record, v.state::text FROM moved v{REFUSED}"""
    return ["RETURN QUERY " + main]


def system_statement(move: Move, service: str) -> list[str]:
    """T34: a mail of the system mailbox, born released with its content."""
    columns = "jsonb_populate_record(NULL::message, c.m) AS mail, jsonb_populate_record(NULL::revision, c.rev) AS r"
    born = (*OUTBOUND_COLUMNS, "content", "recipients")
    main = f"""{cmd(move.id)},{_checked(move, columns, unless="false", content="c.rev->>'content_sha256'")},
  born AS (INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, version, last_row, revision,
      release, system_template, grant_token, released_at, {", ".join(born)})
    SELECT k.message_id, k.tenant_id, k.mailbox_id, k.tid, 'outbound', '{move.dst}', 1, '{move.id}', 1, 1, k.set_system_template,
      k.grant_token, now(), {_values(OUTBOUND_COLUMNS, "k.mail", move)}, (k.r).content_sha256, (k.r).recipients
    FROM checked k WHERE k.failed = '{{}}' ON CONFLICT DO NOTHING
    RETURNING id, tenant_id, mailbox_id, thread_id, version AS seq, release, recipients),
  moved AS (SELECT v.*, k.ord, k.record, k.r, k.command_id, coalesce(k.due_at, now()) AS due_at FROM born v
    JOIN checked k ON k.message_id = v.id),
  drawn AS (INSERT INTO revision (tenant_id, mailbox_id, message_id, n, {", ".join(REVISION_COLUMNS)})
    SELECT v.tenant_id, v.mailbox_id, v.id, 1, {_values(REVISION_COLUMNS, "v.r")} FROM moved v),\
{deliveries(move)}{written(move, service)}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record, '{move.dst}'::text FROM moved v{REFUSED}"""
    return [_new_thread(move.id, "false"), "RETURN QUERY " + main]
