"""The database's half of the table: one function per service, and triggers that refuse every edge that is not in it.

A function takes a whole batch. It locks the mails of the batch in the order of their ids, in a statement of its own, so
that every later statement reads guard, siblings and live facts after the wait. Then it runs one statement per row id
that occurs. Locks are taken in one order everywhere: mails, mailboxes, accounts, threads.
The triggers check edges, not guards: who holds the gatekeeper's password can still release.
"""

# ruff: noqa: S608 (made of the table alone, at build time; no caller's word gets in)
from __future__ import annotations

from functools import cache

from gatepost_contracts.canonical import sha256_hex
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.move import Move, On
from gatepost_oversight.sql_births import draft_statement, inbound_statement, revision_statement, system_statement
from gatepost_oversight.sql_moves import delivery_statement, message_statement, touches_thread
from gatepost_oversight.sql_parts import words
from gatepost_oversight.sql_world import world_statement
from gatepost_oversight.states import DERIVABLE

SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")
_QUIET = (
    "SECURITY INVOKER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off\n"
    "SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off"
)
_LOCK_MAILS = "  PERFORM 1 FROM message x WHERE x.id = ANY(ids) ORDER BY x.id FOR NO KEY UPDATE;"
_LOCK_CARRIERS = """  IF wids <> '{}' THEN
    PERFORM 1 FROM mailbox x WHERE x.id = ANY(wids) ORDER BY x.id FOR NO KEY UPDATE;
    PERFORM 1 FROM tenant x WHERE x.id = ANY(wids) ORDER BY x.id FOR NO KEY UPDATE;
  END IF;"""
_LOCK_THREADS = """  PERFORM 1 FROM thread x WHERE x.id = ANY(tids || ARRAY(SELECT m.thread_id FROM message m WHERE m.id = ANY(ids)))
    ORDER BY x.id FOR NO KEY UPDATE;"""


def rows_of(service: str) -> tuple[Move, ...]:
    """The rows that this service's database role may run."""
    return tuple(m for m in MOVES if service in m.services)


def statements(move: Move, service: str) -> list[str]:
    """What runs when the row occurs in a batch."""
    match move.on:
        case On.MESSAGE:
            return ["RETURN QUERY " + message_statement(move, service)]
        case On.DELIVERY:
            return ["RETURN QUERY " + delivery_statement(move, service)]
        case On.REVISION:
            return revision_statement(move, service)
        case On.WORLD:
            return world_statement(move, service)
        case On.NEW:
            make = {"T05": draft_statement, "T34": system_statement}.get(move.id, inbound_statement)
            return make(move, service)


def _function(service: str) -> str:
    rows = rows_of(service)
    kinds = {m.on for m in rows}
    locks = []
    if kinds & {On.MESSAGE, On.DELIVERY, On.REVISION}:
        locks.append(_LOCK_MAILS)
    if On.WORLD in kinds:
        locks.append(_LOCK_CARRIERS)
    threads = [m.id for m in rows if m.on is On.NEW or touches_thread(m)]
    if threads:
        locks.append(f"  IF c ?| ARRAY[{words(threads)}] THEN\n{_LOCK_THREADS}\n  END IF;")
    blocks = "\n".join(
        f"  IF c ? '{m.id}' THEN\n  {(';' + chr(10) + '  ').join(statements(m, service))};\n  END IF;" for m in rows
    )
    name = f"step_{service}(ids text[], dids text[], wids text[], tids text[], gone text[], c jsonb, blobs bytea[])"
    signature = f"step_{service}(text[], text[], text[], text[], text[], jsonb, bytea[])"
    locked = "\n".join(locks)
    return f"""
DROP FUNCTION IF EXISTS {signature};
CREATE FUNCTION {name}
RETURNS TABLE(ord integer, seq integer, already integer, failed text[], record text, state text) LANGUAGE plpgsql
{_QUIET} AS $f$
#variable_conflict use_column
BEGIN
  IF gone <> '{{}}' THEN DELETE FROM outbox x WHERE x.id = ANY(gone); END IF;
{locked}
{blocks}
END $f$;
REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {signature} TO gp_{service};"""


def _users(move: Move) -> str:
    return f"current_user IN ({words(f'gp_{s}' for s in move.services)})"


def _message_trigger() -> str:
    edges, births = [], []
    derived = words({*DERIVABLE, "refused"})
    for m in MOVES:
        who = _users(m)
        if m.on is On.MESSAGE:
            edges.append(
                f"NEW.last_row = '{m.id}' AND NEW.state = '{m.dst}' AND OLD.state IN ({words(m.src)}) AND {who}"
            )
        elif m.on is On.REVISION:
            edges.append(
                f"NEW.last_row = '{m.id}' AND NEW.state = OLD.state AND OLD.state IN ({words(m.src)}) AND {who}"
            )
        elif m.on is On.DELIVERY:
            edges.append(
                f"NEW.last_row = '{m.id}' AND {who} AND (NEW.state = OLD.state"
                f" OR OLD.state IN ({words(DERIVABLE)}) AND NEW.state IN ({derived}))"
            )
        elif m.on is On.NEW:
            fresh = "" if m.id == "T34" else " AND NEW.release = 0 AND NEW.revision = 0 AND NOT NEW.system_template"
            births.append(
                f"NEW.last_row = '{m.id}' AND NEW.state = '{m.dst}' AND NEW.version = 1 AND NEW.ok1 IS NULL"
                f" AND NEW.ok2 IS NULL{fresh} AND {who}"
            )
    return _trigger(
        "message", "state, version, last_row", [f"({e}) AND NEW.version > OLD.version" for e in edges], births
    )


def _delivery_trigger() -> str:
    edges = [
        f"NEW.last_row = '{m.id}' AND NEW.state = '{m.dst}' AND OLD.state IN ({words(m.src)}) AND {_users(m)}"
        for m in MOVES if m.on is On.DELIVERY
    ] + [
        f"NEW.last_row = '{m.id}' AND NEW.state = '{m.takes_back}' AND OLD.state IN ('deferred', 'released') AND {_users(m)}"
        for m in MOVES if m.takes_back is not None
    ]  # fmt: skip
    births = [(
        f"NEW.last_row IN ({words(m.id for m in MOVES if m.releases)}) AND NEW.state = 'released' AND NOT NEW.used"
        " AND NEW.attempts = 0 AND NEW.phase = 'none' AND current_user IN ('gp_gatekeeper')"
    )]  # fmt: skip
    return _trigger("delivery", "state, last_row", edges, births)


def _trigger(table: str, columns: str, edges: list[str], births: list[str]) -> str:
    edge, birth = (" OR\n  ".join(f"({e})" for e in which) for which in (edges, births))
    return f"""
CREATE OR REPLACE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF is_rehearsal() THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'no such step of a {table}: % by %', NEW.last_row, current_user USING ERRCODE = 'GP001';
END $f$;
CREATE OR REPLACE TRIGGER {table}_edge BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW
WHEN (NOT coalesce(
  {edge}, false)) EXECUTE FUNCTION refuse_{table}();
CREATE OR REPLACE TRIGGER {table}_birth BEFORE INSERT ON {table} FOR EACH ROW
WHEN (NOT coalesce(
  {birth}, false)) EXECUTE FUNCTION refuse_{table}();"""


_REHEARSAL = """
-- True only while a replay, as the owner, takes a thread back to its past inside a transaction that it rolls back. The
-- owner could also switch the triggers off, but that makes the server forget every plan.
CREATE OR REPLACE FUNCTION is_rehearsal() RETURNS boolean LANGUAGE sql STABLE AS $f$
SELECT coalesce(current_setting('gatepost.rehearsal', true), '') = 'on'
   AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'message'::regclass), 'MEMBER') $f$;"""

_AUDIT = """
CREATE OR REPLACE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN RAISE EXCEPTION 'audit records are never changed' USING ERRCODE = 'GP002'; END $f$;
CREATE OR REPLACE TRIGGER audit_fixed BEFORE UPDATE OF subject_id, seq, tenant_id, mailbox_id, row_id, record, leaf, at
ON audit_record FOR EACH ROW EXECUTE FUNCTION refuse_audit();"""


@cache
def render_functions() -> str:
    """Everything that is generated, as one SQL text; applied after the migrations whenever it changed."""
    return (
        "\n".join(
            [*(_function(service) for service in SERVICES), _REHEARSAL, _message_trigger(), _delivery_trigger(), _AUDIT]
        )
        + "\n"
    )


@cache
def functions_digest() -> str:
    """SHA-256 of the generated text."""
    return sha256_hex(render_functions())


__all__ = ["SERVICES", "functions_digest", "render_functions", "rows_of"]
