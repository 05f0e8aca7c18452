"""Pieces that every generated statement is built of: arguments, facts, conjuncts, the record's text, the common end."""

# ruff: noqa: S608 (made of the table alone, at build time; no caller's word gets in)
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatepost_oversight.expr import ACTOR, Expr, evaluate, names
from gatepost_oversight.mode import LEVELS
from gatepost_oversight.move import Move, On
from gatepost_oversight.sql_facts import FACTS
from gatepost_oversight.terms import EFFECTIVE

ARGUMENTS: tuple[tuple[str, str], ...] = (
    ("ord", "integer"), ("message_id", "text"), ("delivery_id", "text"), ("mailbox_id", "text"), ("tenant_id", "text"),
    ("command_id", "text"), ("version", "integer"), ("actor", "text"), ("principal", "text"), ("role", "text"),
    ("door", "text"), ("at", "text"), ("now", "timestamptz"), ("data", "text"), ("policy", "text"),
    ("seen_hash", "text"), ("seen_head", "text"), ("revision", "integer"), ("reasons", "text[]"), ("reason", "text"),
    ("expires_at", "timestamptz"), ("due_at", "timestamptz"), ("grant_token", "text"), ("has_note", "boolean"),
    ("final", "boolean"), ("mode_grant_id", "text"), ("verdict", "text"),
    ("grant_ok", "boolean"), ("owner", "text"), ("lease_until", "timestamptz"), ("stage", "text"), ("code", "integer"),
    ("enhanced", "text"), ("reply", "text"), ("remote_id", "text"), ("via", "text"), ("proven", "boolean"),
    ("rfc_message_id", "text"), ("suppression_id", "text"),
    ("decision_id", "text"), ("action", "text"), ("decided_revision", "integer"), ("decided_hash", "text"),
    ("note", "text"), ("reason_code", "text"), ("seen_given", "boolean"),
    ("mode", "text"), ("ceiling", "text"), ("on", "boolean"), ("pause_id", "text"), ("scope", "text"),
    ("target", "text"), ("address", "text"), ("category", "text"), ("endpoint_id", "text"),
    ("fine", "boolean"), ("kind", "text"), ("n", "integer"), ("m", "jsonb"), ("thread", "jsonb"), ("rev", "jsonb"),
    ("files", "jsonb"), ("idem", "jsonb"), ("base", "integer"),
    ("template", "text"), ("name", "text"), ("covers_ask", "boolean"), ("conditions", "jsonb"), ("priority", "integer"),
    ("request_id", "text"), ("code_sha256", "text"), ("code_ok", "boolean"), ("rule_category", "text"),
    ("rule_revision", "integer"), ("edit_words", "integer"),
)  # fmt: skip
"""What a step may be given: one list for all rows, so that the caller's JSON needs no second description."""

ARGUMENT_NAMES = frozenset(name for name, _ in ARGUMENTS)
_COMPUTED = {
    "actor_key": "(CASE WHEN left(c.actor, 4) = 'key_' THEN c.actor END)",
    "now": "coalesce(c.now, c.at::timestamptz)",
}
_NUMBERS = frozenset(("ok1_for", "ok2_for"))
_TIMES = frozenset(("lease_until", "expires_at", "due_at", "held_at", "decided_at", "released_at", "ended_at"))


def cmd(row: str) -> str:
    """The commands of this row id, as rows."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in ARGUMENTS)
    return f"WITH cmd AS (SELECT * FROM jsonb_to_recordset(c->'{row}') AS x({columns}))"


@dataclass(frozen=True)
class SqlText:
    """The algebra of SQL text over the aliases c, m, d, b, h, rv. Missing truth is false, as everywhere."""

    on: On

    def var(self, name: str) -> str:
        """Where the variable stands."""
        special = FACTS[self.on].get(name)
        return special if special is not None else FACTS[On.MESSAGE][name]

    def arg(self, name: str) -> str:
        """A column of the command."""
        return _COMPUTED.get(name) or f'c."{name}"'

    def const(self, value: str | int | bool | None) -> str:
        """A literal."""
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"

    def eq(self, a: str, b: str) -> str:
        """Nothing equals nothing."""
        return f"({a} IS NOT DISTINCT FROM {b})"

    def ne(self, a: str, b: str) -> str:
        """The opposite."""
        return f"({a} IS DISTINCT FROM {b})"

    def conjunction(self, parts: Sequence[str]) -> str:
        """All."""
        return "(" + " AND ".join(parts) + ")"

    def disjunction(self, parts: Sequence[str]) -> str:
        """Any."""
        return "(" + " OR ".join(parts) + ")"

    def negation(self, a: str) -> str:
        """Not true."""
        return f"({a} IS NOT TRUE)"

    def le(self, a: str, b: str) -> str:
        """At most; false where a side is missing."""
        return f"coalesce({a} <= {b}, false)"

    def ite(self, condition: str, then: str, otherwise: str) -> str:
        """Either."""
        return f"(CASE WHEN {condition} THEN {then} ELSE {otherwise} END)"

    def add(self, a: str, b: str) -> str:
        """Sum."""
        return f"({a} + {b})"

    def role(self, credential: Expr) -> str:
        """Of the one who acts."""
        if credential != ACTOR:
            raise ValueError("only the actor's role is known")
        return "c.role"

    def principal(self, credential: Expr) -> str:
        """Of the one who acts."""
        if credential != ACTOR:
            raise ValueError("only the actor's principal is known")
        return "c.principal"

    def level(self, mode: str) -> str:
        """Place in the order of strictness."""
        whens = " ".join(f"WHEN '{name}' THEN {number}" for name, number in LEVELS.items())
        return f"(CASE {mode} {whens} END)"


def to_sql(expr: Expr, on: On) -> str:
    """The expression as SQL, for a row of this kind."""
    return evaluate(expr, SqlText(on))


def uses(move: Move, *wanted: str) -> bool:
    """True when the row reads one of these variables."""
    expressions = [condition for _, condition in move.guard] + [value for _, value in move.set]
    return any(name in wanted for expression in expressions for name in names(expression, "var"))


def words(values: Iterable[str]) -> str:
    """A list of literals."""
    return ", ".join(f"'{value}'" for value in sorted(values))


def failing(named: Iterable[tuple[str, str]]) -> str:
    """The names of the conditions that do not hold, as an array."""
    parts = ",\n      ".join(f"CASE WHEN ({condition}) IS NOT TRUE THEN '{name}' END" for name, condition in named)
    return f"array_remove(ARRAY[{parts}]::text[], NULL)"


def conjuncts(move: Move) -> str:
    """The row's whole guard: state, version, role, and its named conjuncts."""
    named: list[tuple[str, str]] = []
    if move.src:
        state = "d.state" if move.on is On.DELIVERY else "m.state"
        named.append(("STATE", f"{state} IN ({words(move.src)})"))
    if move.on is On.MESSAGE:
        same = 'c."version" = m.version'
        named.append(("VERSION", same if move.must_name_version else f'c."version" IS NULL OR {same}'))
    named.append(("ROLE", f"c.role IN ({words(move.roles)})"))
    named += [(name, to_sql(condition, move.on)) for name, condition in move.guard]
    return failing(named)


def typed(name: str, value: Expr, on: On) -> str:
    """What a column is set to, with its type where the text alone would not say it."""
    cast = "::timestamptz" if name in _TIMES else "::integer" if name in _NUMBERS else ""
    return to_sql(value, on) + cast


def values_set(move: Move) -> tuple[str, str]:
    """What the row sets: as columns `set_x` of `checked`, and as assignments from them."""
    computed = "".join(f",\n    {typed(name, value, move.on)} AS set_{name}" for name, value in move.set)
    return computed, "".join(f", {name} = k.set_{name}" for name, _ in move.set)


def _json(expression: str) -> str:
    return f"coalesce(to_json({expression})::text, 'null')"


def record_head(
    move: Move, *, source: str, content: str = "NULL", delivery: str = "NULL", mailbox: str = "m.mailbox_id",
    subject: str = "m.id", mode: str | None = None,
) -> str:  # fmt: skip
    """The canonical text of the audit record up to its number: the keys stand in their sorted order."""
    if mode is None:
        mode = to_sql(EFFECTIVE, move.on) if uses(move, "mode") else "NULL::text"
    told = '["' + '","'.join(move.emits) + '"]' if move.emits else "[]"
    return " || ".join((
        "'{\"actor\":'", _json("c.actor"), "',\"at\":'", _json("c.at"), "',\"command\":'", _json("c.command_id"),
        "',\"content\":'", _json(f"({content})::text"), "',\"data\":'", "coalesce(c.data, '{}')", "',\"delivery\":'",
        _json(f"({delivery})::text"), "',\"door\":'", _json("c.door"),
        f"',\"emits\":{told},\"event\":\"{move.event}\",\"from\":'", _json(f"({source})::text"), "',\"mailbox\":'",
        _json(f"({mailbox})::text"), "',\"message\":'", _json(f"({subject})::text"), "',\"mode\":'", _json(mode),
        "',\"policy\":'", _json("c.policy"), "',\"principal\":'", _json("c.principal"), "',\"role\":'", _json("c.role"),
        f"',\"row\":\"{move.id}\",\"seq\":'",
    ))  # fmt: skip


def record_tail(to: str, *, tenant: str = "m.tenant_id", thread: str = "m.thread_id") -> str:
    """The rest of the record's text; `to` is an expression."""
    return " || ".join((
        "',\"tenant\":'", _json(f"({tenant})::text"), "',\"thread\":'", _json(f"({thread})::text"), "',\"to\":'",
        _json(f"({to})::text"), "',\"v\":1}'",
    ))  # fmt: skip


def written(move: Move, service: str, *, decision: bool = False) -> str:
    """The common end over `moved`: audit record, outbox rows, command result, decision."""
    owner = "sender" if move.id == "T33" else service  # email.delivered is the sender's to publish
    text = f"""
  audit AS (INSERT INTO audit_record (subject_id, seq, tenant_id, mailbox_id, row_id, record, leaf)
    SELECT v.id, v.seq, v.tenant_id, v.mailbox_id, '{move.id}', v.record,
      sha256('\\x00'::bytea || convert_to(v.record, 'UTF8')) FROM moved v),
  queued AS (INSERT INTO audit_unplaced (subject_id, seq) SELECT v.id, v.seq FROM moved v ORDER BY v.id, v.seq)"""
    if move.emits:
        text += f""",
  outb AS (INSERT INTO outbox (id, service, tenant_id, mailbox_id, subject_id, seq, type)
    SELECT v.id || '.' || v.seq || '.' || e, '{owner}', v.tenant_id, v.mailbox_id, v.id, v.seq, e
    FROM moved v CROSS JOIN unnest(ARRAY[{", ".join(f"'{e}'" for e in move.emits)}]) e)"""
    if move.on is not On.NEW:
        text += """,
  res AS (INSERT INTO command_result (command_id, tenant_id, mailbox_id, subject_id, seq)
    SELECT v.command_id, v.tenant_id, v.mailbox_id, v.id, v.seq FROM moved v WHERE v.command_id IS NOT NULL)"""
    if decision:
        text += """,
  said AS (INSERT INTO decision (id, tenant_id, mailbox_id, message_id, seq, action, revision, content_sha256,
      principal, key_id, door, note, reason_code, seen_given, edit_words)
    SELECT v.decision_id, v.tenant_id, v.mailbox_id, v.id, v.seq, v.action, v.decided_revision, v.decided_hash,
      v.principal, v.actor, v.door, v.note, v.reason_code, coalesce(v.seen_given, true), v.edit_words
    FROM moved v WHERE v.decision_id IS NOT NULL)"""
    return text


ALREADY = "(SELECT p.seq FROM command_result p WHERE p.command_id = c.command_id)"

REFUSED = """
  UNION ALL SELECT k.ord, NULL::integer, k.already, k.failed,
    (SELECT a.record FROM command_result p JOIN audit_record a ON a.subject_id = p.subject_id AND a.seq = p.seq
      WHERE p.command_id = k.command_id AND k.already IS NOT NULL), NULL::text
    FROM checked k WHERE k.already IS NOT NULL OR k.failed <> '{}'"""
"""What did not move: done before, or refused by name. What lost a race does not come back at all."""
