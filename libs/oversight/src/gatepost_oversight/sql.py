"""The database's half of the lifecycle, generated from the same rows: one function per service, and the edge triggers.

A function takes a whole batch, locks its mails in the order of their ids, and runs one statement per row id. Guard,
effects, audit record, deliveries, outbox rows and command result are decided and written together.
"""

from __future__ import annotations

from gatepost_oversight.lifecycle import DELIVERY_MOVES, MESSAGE_MOVES, MOVES, Move
from gatepost_oversight.sql_births import STATEMENTS
from gatepost_oversight.sql_parts import ARGUMENTS, CMD, QUIET, conjuncts, record_head, record_tail, refused, written
from gatepost_oversight.states import DERIVED, FOLLOWS_DELIVERIES

ROWS_OF: dict[str, tuple[str, ...]] = {
    "ingest": ("T01", "T02", "W6"),
    "drafter": ("T05", "R1"),
    "api": ("T05", "R1", "W6"),
    "gatekeeper": (*(m.id for m in MOVES if m.service == "gatekeeper"), "W1", "W4", "W5", "W7"),
    "sender": tuple(m.id for m in MOVES if m.service == "sender"),
    "notifier": ("N1",),
}

_TAKEN_BACK = {"T10": "refused", "T16": "held", "T20": "held", "T21": "held", "T22": "held"}


def message_statement(move: Move) -> str:
    """The statement of one row that moves a mail."""
    sets = "".join(f", {name} = k.set_{name}" for name, _ in move.sets)
    from gatepost_oversight.expr import to_sql
    from gatepost_oversight.sql_parts import MESSAGE_FACTS

    computed = "".join(f",\n      {to_sql(expr, MESSAGE_FACTS)} AS set_{name}" for name, expr in move.sets)
    release = _DELIVERIES if move.releases else ""
    if move.id in _TAKEN_BACK:
        release = f""",
  taken AS (UPDATE delivery d SET state = '{_TAKEN_BACK[move.id]}', last_row = '{move.id}' FROM moved v
     WHERE d.message_id = v.id AND d.state IN ('released', 'deferred'))"""
    return f"""{CMD.format(row=move.id)},
  checked AS MATERIALIZED (SELECT c.*, m.version AS v0{computed},
      {conjuncts(move, MESSAGE_FACTS)} AS failed,
      (SELECT p.seq FROM command_result p WHERE p.command_id = c.command_id) AS already,
      {record_head(move, "m", "NULL")} AS head, {record_tail(move.dst)} AS tail
    FROM cmd c JOIN LATERAL (SELECT * FROM message WHERE message.id = c.message_id OFFSET 0) m ON true
      JOIN LATERAL (SELECT * FROM mailbox WHERE mailbox.id = m.mailbox_id OFFSET 0) b ON true
      JOIN LATERAL (SELECT * FROM thread WHERE thread.id = m.thread_id OFFSET 0) h ON true),
  moved AS (UPDATE message m SET state = '{move.dst}', version = m.version + 1, last_row = '{move.id}'{sets}
      FROM checked k WHERE m.id = k.message_id AND m.id = ANY(ids) AND m.version = k.v0
       AND k.failed = '{{}}' AND k.already IS NULL
      RETURNING k.ord, m.id, m.tenant_id, m.mailbox_id, m.thread_id, m.version AS seq, m.release, m.recipients, k.due_at,
        k.command_id, k.decision_id, k.action, k.decided_revision, k.decided_hash, k.principal, k.actor, k.door, k.note,
        k.reason_code, k.seen_given, k.head || m.version || k.tail AS record){release},
{written(move)}
  SELECT ord, seq, NULL::integer, '{{}}'::text[], record, '{move.dst}'::text FROM moved
{refused()}"""


_DELIVERIES = """,
  deliv AS (INSERT INTO delivery (id, tenant_id, mailbox_id, message_id, thread_id, of_release, n, recipient, domain,
      last_row, due_at)
    SELECT v.id || '.' || v.release || '.' || r.n, v.tenant_id, v.mailbox_id, v.id, v.thread_id, v.release, r.n,
      r.address, split_part(r.address, '@', 2), 'T08', v.due_at
    FROM moved v CROSS JOIN LATERAL (
      SELECT a.address, row_number() OVER (ORDER BY a.place) AS n
        FROM unnest(v.recipients) WITH ORDINALITY a(address, place)
       WHERE NOT EXISTS (SELECT 1 FROM delivery o WHERE o.message_id = v.id AND o.recipient = a.address
                          AND o.state IN ('delivered', 'bounced', 'refused'))) r)"""


def delivery_statement(move: Move) -> str:
    """The statement of one row that moves deliveries, and derives the state of their mails."""
    from gatepost_oversight.expr import to_sql
    from gatepost_oversight.sql_parts import DELIVERY_FACTS

    sets = "".join(f", {name} = k.set_{name}" for name, _ in move.sets)
    computed = "".join(f",\n      {to_sql(expr, DELIVERY_FACTS)} AS set_{name}" for name, expr in move.sets)
    ranks = "ARRAY[" + ", ".join(f"'{state}'" for state in DERIVED) + "]"
    follows = ", ".join(f"'{state}'" for state in FOLLOWS_DELIVERIES)
    clear = (
        "".join(f", {c} = CASE WHEN v.derived = 'held' THEN NULL ELSE m.{c} END"
                for c in ("ok1", "ok1_hash", "ok1_key", "ok2", "ok2_hash", "ok2_key"))
        + ", reason = v.reason"
        if move.id == "T32"
        else ""
    )  # fmt: skip
    sender = (
        ", rfc_message_id = coalesce(m.rfc_message_id, v.rfc_message_id)"
        ", delivered_at = CASE WHEN v.derived = 'delivered' THEN coalesce(m.delivered_at, now()) ELSE m.delivered_at END"
        if move.service == "sender"
        else ""
    )
    return f"""{CMD.format(row=move.id)},
  checked AS MATERIALIZED (SELECT c.*, m.version AS v0, m.state AS mail_state, m.release AS mail_release{computed},
      {conjuncts(move, DELIVERY_FACTS)} AS failed,
      (SELECT p.seq FROM command_result p WHERE p.command_id = c.command_id) AS already,
      {record_head(move, "d", "d.id")} AS head, {record_tail(move.dst)} AS tail
    FROM cmd c JOIN LATERAL (SELECT * FROM delivery WHERE delivery.id = c.delivery_id OFFSET 0) d ON true
      JOIN LATERAL (SELECT * FROM message WHERE message.id = d.message_id OFFSET 0) m ON true
      JOIN LATERAL (SELECT * FROM mailbox WHERE mailbox.id = m.mailbox_id OFFSET 0) b ON true),
  stepped AS (UPDATE delivery d SET state = '{move.dst}', last_row = '{move.id}'{sets}
      FROM checked k WHERE d.id = k.delivery_id AND d.message_id = ANY(ids) AND k.failed = '{{}}' AND k.already IS NULL
      RETURNING k.*, d.id AS did, d.message_id AS mid, d.recipient AS rcpt, d.attempts AS tries, d.tenant_id, d.mailbox_id,
        d.thread_id, d.of_release),
  num AS (SELECT s.*, row_number() OVER (PARTITION BY s.mid ORDER BY s.ord) AS k,
      count(*) OVER (PARTITION BY s.mid) AS total, s.mid AS id FROM stepped s),
  moved AS (SELECT n.*, n.v0 + n.k AS seq, n.head || (n.v0 + n.k) || n.tail AS record FROM num n),
  derived AS (SELECT v.mid, v.v0 + v.total AS version, v.rfc_message_id, v.reason,
      CASE WHEN v.mail_state IN ({follows}) AND v.of_release = v.mail_release THEN (
        SELECT s.state FROM (SELECT '{move.dst}'::text AS state
          UNION ALL SELECT o.state FROM delivery o WHERE o.message_id = v.mid AND o.of_release = v.mail_release
                     AND o.id NOT IN (SELECT did FROM stepped)) s
         ORDER BY array_position({ranks}, s.state) LIMIT 1)
      ELSE v.mail_state END AS derived FROM moved v WHERE v.k = v.total),
  msg AS (UPDATE message m SET state = v.derived, version = v.version, last_row = '{move.id}'{sender}{clear}
      FROM derived v WHERE m.id = v.mid){_extras(move)},
{written(move)}
  SELECT ord, seq::integer, NULL::integer, '{{}}'::text[], record, '{move.dst}'::text FROM moved
{refused()}"""


def _extras(move: Move) -> str:
    text = ""
    if move.id in {"T28", "T29", "T30", "T31"}:
        text += f""",
  tried AS (INSERT INTO attempt (tenant_id, mailbox_id, message_id, delivery_id, n, stage, code, enhanced, reply, outcome, unknown)
    SELECT tenant_id, mailbox_id, mid, did, tries, stage, code, enhanced, reply, '{move.dst}', {str(move.id == "T31").lower()}
      FROM moved WHERE stage IS NOT NULL ON CONFLICT (delivery_id, n) DO NOTHING)"""
    if move.id == "T30":
        text += """,
  hard AS (INSERT INTO suppression (id, tenant_id, mailbox_id, address, reason, message_id)
    SELECT suppression_id, tenant_id, NULL, rcpt, 'bounced', mid FROM moved WHERE suppression_id IS NOT NULL
    ON CONFLICT DO NOTHING)"""
    return text


def render_functions() -> str:
    """Everything that is generated, as one SQL text; applied after the migrations whenever it changed."""
    parts = [_function(service, rows) for service, rows in ROWS_OF.items()]
    return "\n".join([*parts, _message_trigger(), _delivery_trigger()])


def _statement(row: str) -> str:
    for move in MESSAGE_MOVES:
        if move.id == row:
            return message_statement(move)
    for move in DELIVERY_MOVES:
        if move.id == row:
            return delivery_statement(move)
    return STATEMENTS[row]


def _function(service: str, rows: tuple[str, ...]) -> str:
    blocks = "\n".join(f"  IF c ? '{row}' THEN RETURN QUERY\n{_statement(row)};\n  END IF;" for row in rows)
    worlds = "  PERFORM 1 FROM mailbox x WHERE x.id = ANY(ids) ORDER BY x.id FOR NO KEY UPDATE;"
    mails = "  PERFORM 1 FROM message x WHERE x.id = ANY(ids) ORDER BY x.id FOR NO KEY UPDATE;"
    locks = "\n".join(
        lock
        for lock, used in (
            (mails, service != "notifier"),
            (worlds, any(row[0] in "WN" for row in rows)),
        )
        if used and not (service == "ingest" and lock is mails)
    )
    return f"""
CREATE OR REPLACE FUNCTION step_{service}(ids text[], gone text[], c jsonb, raws bytea[])
RETURNS TABLE(ord integer, seq integer, already integer, failed text[], record text, state text) LANGUAGE plpgsql
{QUIET} AS $f$
#variable_conflict use_column
BEGIN
  IF gone <> '{{}}' THEN DELETE FROM outbox WHERE id = ANY(gone); END IF;
{locks}
{blocks}
END $f$;
REVOKE EXECUTE ON FUNCTION step_{service} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION step_{service} TO gp_{service};"""


def _message_trigger() -> str:
    edges = [
        f"(NEW.last_row = '{m.id}' AND NEW.state = '{m.dst}' AND OLD.state IN ({_list(m.src)}) AND current_user = 'gp_gatekeeper')"
        for m in MESSAGE_MOVES
    ]
    both = _list(dict.fromkeys((*FOLLOWS_DELIVERIES, "refused", "held")))
    for service in ("gatekeeper", "sender"):
        rows = _list(m.id for m in DELIVERY_MOVES if m.service == service)
        edges.append(
            f"(NEW.last_row IN ({rows}) AND current_user = 'gp_{service}' AND (NEW.state = OLD.state OR"
            f" (OLD.state IN ({_list(FOLLOWS_DELIVERIES)}) AND NEW.state IN ({both}))))"
        )
    edges.append("(NEW.last_row = 'R1' AND NEW.state = OLD.state AND current_user IN ('gp_drafter', 'gp_api'))")
    births = [
        "(NEW.last_row = 'T01' AND NEW.state = 'received' AND current_user = 'gp_ingest')",
        "(NEW.last_row = 'T02' AND NEW.state = 'quarantined' AND current_user = 'gp_ingest')",
        "(NEW.last_row = 'T05' AND NEW.state = 'drafting' AND current_user IN ('gp_drafter', 'gp_api'))",
    ]
    return _trigger("message", "state, version, last_row", [f"({e} AND NEW.version > OLD.version)" for e in edges], births)


def _delivery_trigger() -> str:
    edges = [
        f"(NEW.last_row = '{m.id}' AND NEW.state = '{m.dst}' AND OLD.state IN ({_list(m.src)}) AND current_user = 'gp_{m.service}')"
        for m in DELIVERY_MOVES
    ]
    edges += [
        f"(NEW.last_row = '{row}' AND NEW.state = '{state}' AND OLD.state IN ('released', 'deferred') AND current_user = 'gp_gatekeeper')"
        for row, state in _TAKEN_BACK.items()
    ]
    return _trigger("delivery", "state, last_row", edges, ["(NEW.state = 'released' AND current_user = 'gp_gatekeeper')"])


def _trigger(table: str, columns: str, edges: list[str], births: list[str]) -> str:
    return f"""
CREATE OR REPLACE FUNCTION refuse_{table}_edge() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN RAISE EXCEPTION 'no such step of {table}: % by %', NEW.last_row, current_user USING ERRCODE = 'GP001'; END $f$;
CREATE OR REPLACE TRIGGER {table}_edge BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW
WHEN (NOT coalesce(({" OR ".join(edges)}), false)) EXECUTE FUNCTION refuse_{table}_edge();
CREATE OR REPLACE TRIGGER {table}_birth BEFORE INSERT ON {table} FOR EACH ROW
WHEN (NOT coalesce(({" OR ".join(births)}), false)) EXECUTE FUNCTION refuse_{table}_edge();"""


def _list(names: object) -> str:
    return ", ".join(f"'{name}'" for name in names)  # type: ignore[attr-defined]


__all__ = ["ARGUMENTS", "ROWS_OF", "render_functions"]
