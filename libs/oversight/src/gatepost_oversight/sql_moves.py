"""The statement of one row that moves mails or deliveries: decided, written and told together."""

# ruff: noqa: S608 (made of the table alone, at build time; no caller's word gets in)
from __future__ import annotations

from gatepost_oversight.move import Move, On
from gatepost_oversight.sql_parts import (
    ALREADY,
    REFUSED,
    cmd,
    conjuncts,
    record_head,
    record_tail,
    typed,
    uses,
    values_set,
    words,
    written,
)  # fmt: skip
from gatepost_oversight.states import DELIVERY_ENDED, DELIVERY_STATES, DERIVABLE

_OUT = (
    "k.command_id, k.decision_id, k.action, k.decided_revision, k.decided_hash, k.principal, k.actor, k.door, k.note,"
    " k.reason_code, k.seen_given, k.edit_words"
)
_REVISION = tuple(
    f"rev_{name}"
    for name in (
        "n",
        "kind",
        "author",
        "content",
        "placeholder",
        "recipients",
        "subject",
        "category",
        "evidence",
        "ask",
    )
)
_ADMITS = frozenset(("T03",))


def _joins(move: Move) -> str:
    text = "\n    JOIN LATERAL (SELECT * FROM mailbox WHERE mailbox.id = m.mailbox_id OFFSET 0) b ON true"
    if uses(move, "granted_mode"):
        takes = any(name == "mode_grant_id" for name, _ in move.set)  # no other row may name another grant
        which = "coalesce(c.mode_grant_id, m.mode_grant_id)" if takes else "m.mode_grant_id"
        text += (
            f"\n    LEFT JOIN LATERAL (SELECT * FROM mode_grant WHERE mode_grant.id = {which}"
            " AND mode_grant.mailbox_id = m.mailbox_id AND mode_grant.revoked_at IS NULL OFFSET 0) g"
            " ON true"
        )
    if uses(move, "thread_head"):
        text += "\n    LEFT JOIN LATERAL (SELECT * FROM thread WHERE thread.id = m.thread_id OFFSET 0) h ON true"
    if uses(move, *_REVISION):
        text += (
            "\n    LEFT JOIN LATERAL (SELECT * FROM revision WHERE revision.message_id = m.id"
            " AND revision.n = c.revision OFFSET 0) rv ON true"
        )
    return text


def touches_thread(move: Move) -> bool:
    """True for rows that write their thread: those are locked too, after the mails."""
    return move.id in _ADMITS or (move.releases and move.on is On.MESSAGE)


def message_statement(move: Move, service: str) -> str:
    """A row that moves a mail."""
    computed, assigned = values_set(move)
    adopts = any(name == "recipients" for name, _ in move.set)
    guard = conjuncts(move).replace("{recipients}", "coalesce(rv.recipients, '{}')" if adopts else "m.recipients")
    content = next((f"k.set_{name}" for name, _ in move.set if name == "content"), None)
    head = record_head(move, source="m.state", content="rv.content_sha256" if content else "m.content")
    extra = ""
    if move.releases:
        extra += deliveries(move)
    if move.takes_back is not None:
        extra += f"""
  taken AS (UPDATE delivery o SET state = '{move.takes_back}', last_row = '{move.id}' FROM moved v
    WHERE o.message_id = v.id AND o.message_id = ANY(ids) AND o.state IN ('deferred', 'released')),"""
    if touches_thread(move):
        extra += _thread(move)
    return f"""{cmd(move.id)},
  checked AS MATERIALIZED (SELECT c.*, m.version AS v0{computed},
    {guard} AS failed,
    {ALREADY} AS already,
    {head} AS head,
    {record_tail(f"'{move.dst}'")} AS tail
    FROM cmd c JOIN LATERAL (SELECT * FROM message WHERE message.id = c.message_id OFFSET 0) m ON true{_joins(move)}),
  moved AS (UPDATE message m SET state = '{move.dst}', version = m.version + 1, last_row = '{move.id}'{assigned}
    FROM checked k WHERE m.id = k.message_id AND m.id = ANY(ids) AND m.version = k.v0 AND k.failed = '{{}}'
      AND k.already IS NULL
    RETURNING k.ord, m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.version AS seq, m.release, m.recipients,
      coalesce(k.due_at, now()) AS due_at, m.header_from, m.to_addresses, m.cc_addresses, {_OUT},
      k.head || m.version || k.tail AS record),{extra}{written(move, service, decision=True)}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record, '{move.dst}'::text FROM moved v{REFUSED}"""


def deliveries(move: Move) -> str:
    """One delivery per recipient that has no end yet."""
    return f"""
  deliv AS (INSERT INTO delivery (id, tenant_id, mailbox_id, message_id, thread_id, of_release, n, recipient, domain,
      last_row, due_at, queued_at)
    SELECT v.id || '.' || v.release || '.' || r.n, v.tenant_id, v.mailbox_id, v.id, v.thread_id, v.release, r.n,
      r.address, split_part(r.address, '@', 2), '{move.id}', v.due_at, clock_timestamp()
    FROM moved v CROSS JOIN LATERAL (SELECT a.address, row_number() OVER (ORDER BY min(a.place)) AS n
      FROM unnest(v.recipients) WITH ORDINALITY a(address, place)
      WHERE NOT EXISTS (SELECT 1 FROM delivery o WHERE o.message_id = v.id AND o.recipient = a.address
        AND o.state IN ({words(DELIVERY_ENDED)})) GROUP BY a.address) r),"""


def _thread(move: Move) -> str:
    if move.id in _ADMITS:
        people = "SELECT lower(x) FROM moved v, unnest(v.to_addresses || v.cc_addresses || v.header_from) x"
        head = "head = greatest(t.head, (SELECT max(v.id) FROM moved v WHERE v.thread_id = t.id)), head_at = now(), "
    else:
        people, head = "SELECT x FROM moved v, unnest(v.recipients) x", ""
    return f"""
  joined AS (UPDATE thread t SET {head}last_activity = now(),
      participants = ARRAY(SELECT x FROM (SELECT unnest(t.participants) UNION {people}
        WHERE v.thread_id = t.id AND x IS NOT NULL) u(x) LIMIT 500)
    WHERE t.id = ANY(ARRAY(SELECT v.thread_id FROM moved v))),"""


def delivery_statement(move: Move, service: str) -> str:
    """A row that moves deliveries; their mails' states are derived from what this statement leaves."""
    computed, assigned = values_set(move)
    head = record_head(move, source="d.state", content="m.content", delivery="d.id")
    ranks = "ARRAY[" + ", ".join(f"'{state}'" for state in DELIVERY_STATES) + "]"
    also = ""
    if service == "sender":
        also += ", rfc_message_id = coalesce(m.rfc_message_id, v.rfc_message_id)"
    if move.dst == "delivered":
        also += ", delivered_at = coalesce(m.delivered_at, now())"
    then = [(state, name, f"then_{state}_{name}", value) for state, values in move.then for name, value in values]
    also += "".join(
        f", {name} = CASE WHEN v.derived = '{state}' THEN v.{column} ELSE m.{name} END"
        for state, name, column, _ in then
    )
    computed += "".join(f",\n    {typed(name, value, move.on)} AS {column}" for _, name, column, value in then)
    k_then = "".join(f", k.{column}" for _, _, column, _ in then)
    v_then = "".join(f", v.{column}" for _, _, column, _ in then)
    return f"""{cmd(move.id)},
  checked AS MATERIALIZED (SELECT c.*, m.version AS v0, m.state AS mail_state, m.release AS mail_release{computed},
    {conjuncts(move)} AS failed,
    {ALREADY} AS already,
    {head} AS head,
    {record_tail(f"'{move.dst}'")} AS tail
    FROM cmd c JOIN LATERAL (SELECT * FROM delivery WHERE delivery.id = c.delivery_id OFFSET 0) d ON true
    JOIN LATERAL (SELECT * FROM message WHERE message.id = d.message_id OFFSET 0) m ON true{_joins(move)}),
  stepped AS (UPDATE delivery d SET state = '{move.dst}', last_row = '{move.id}'{assigned}
    FROM checked k WHERE d.id = k.delivery_id AND d.id = ANY(dids) AND d.message_id = ANY(ids) AND k.failed = '{{}}'
      AND k.already IS NULL
    RETURNING k.ord, k.v0, k.mail_state, k.mail_release, k.head, k.tail, k.rfc_message_id{k_then},
      k.suppression_id, k.stage, k.code, k.enhanced, k.reply, {_OUT}, d.id AS did, d.message_id AS id, d.recipient,
      d.attempts, d.tenant_id, d.mailbox_id, d.thread_id, d.of_release, d.state AS new_state),
  num AS (SELECT s.*, row_number() OVER (PARTITION BY s.id ORDER BY s.ord) AS k,
      count(*) OVER (PARTITION BY s.id) AS total FROM stepped s),
  moved AS (SELECT n.*, (n.v0 + n.k)::integer AS seq, n.head || (n.v0 + n.k) || n.tail AS record FROM num n),
  derived AS (SELECT v.id, (v.v0 + v.total)::integer AS version, v.rfc_message_id{v_then},
      CASE WHEN v.mail_state IN ({words(DERIVABLE)}) THEN coalesce((
        SELECT s.state FROM (
          SELECT n.new_state AS state FROM num n WHERE n.id = v.id AND n.of_release = v.mail_release
          UNION ALL SELECT o.state FROM delivery o WHERE o.message_id = v.id AND o.of_release = v.mail_release
            AND NOT EXISTS (SELECT 1 FROM num n WHERE n.did = o.id)) s
        ORDER BY array_position({ranks}, s.state) LIMIT 1), v.mail_state)
      ELSE v.mail_state END AS derived FROM moved v WHERE v.k = v.total),
  msg AS (UPDATE message m SET state = v.derived, version = v.version, last_row = '{move.id}'{also}
    FROM derived v WHERE m.id = v.id AND m.id = ANY(ids)),{_extras(move)}{written(move, service, decision=service == "gatekeeper")}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record,
    (SELECT s.derived FROM derived s WHERE s.id = v.id)::text FROM moved v{REFUSED}"""


def _extras(move: Move) -> str:
    text = ""
    if move.id in {"T28", "T29", "T30", "T31"}:
        unknown = "true" if move.id == "T31" else "false"
        text += f"""
  tried AS (INSERT INTO attempt (tenant_id, mailbox_id, message_id, delivery_id, n, stage, code, enhanced, reply,
      outcome, unknown)
    SELECT v.tenant_id, v.mailbox_id, v.id, v.did, v.attempts, v.stage, v.code, v.enhanced, v.reply, '{move.dst}',
      {unknown} FROM moved v WHERE v.stage IS NOT NULL ON CONFLICT (delivery_id, n) DO NOTHING),"""
    if move.id == "T30":
        text += """
  hard AS (INSERT INTO suppression (id, tenant_id, mailbox_id, address, reason, message_id)
    SELECT v.suppression_id, v.tenant_id, NULL, v.recipient, 'bounced', v.id FROM moved v
    WHERE v.suppression_id IS NOT NULL ON CONFLICT DO NOTHING),"""
    return text
