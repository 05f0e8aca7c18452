"""The statements of the world rows: a mailbox or an account carries their audit records, and no mail is touched.

What concerns a whole account names the system mailbox and the account: its record is one of the account's own, so that
accounts which share an installation share no record, no number and no lock.
"""

# ruff: noqa: S608 (made of the table alone, at build time; no caller's word gets in)
from __future__ import annotations

from gatepost_oversight.move import Move
from gatepost_oversight.sql_facts import exists
from gatepost_oversight.sql_parts import ALREADY, REFUSED, cmd, conjuncts, record_head, record_tail, values_set, written
from gatepost_oversight.world import OF_ACCOUNT

_NO_GRANT = """
  effect AS (UPDATE mode_grant g SET revoked_at = now(), revision = g.revision + 1 FROM moved v
    WHERE g.mailbox_id = v.id AND g.kind = v.kind AND g.name = v.name AND g.revoked_at IS NULL),"""


def _grant(covers: str, since: str) -> str:
    """A grant set in place, so that what was released under it stays under it."""
    return f"""
  effect AS (INSERT INTO mode_grant AS g (id, tenant_id, mailbox_id, kind, name, mode, covers_ask, granted_by)
    SELECT v.mode_grant_id, v.tenant_id, v.id, v.kind, v.name, v.mode, coalesce(v.covers_ask, false), v.principal
    FROM moved v
    ON CONFLICT (mailbox_id, kind, name) DO UPDATE SET mode = excluded.mode, covers_ask = {covers},
      revision = g.revision + 1, granted_by = excluded.granted_by, granted_at = {since}, revoked_at = NULL),"""


_LOWERED = _grant("g.covers_ask AND g.revoked_at IS NULL", "g.granted_at")
_HERE = (
    "(SELECT q.* FROM message q WHERE (q.thread_id = t.id AND q.id NOT IN (SELECT id FROM picked))"
    " OR (t.id = v.target AND q.id IN (SELECT id FROM picked)))"
)
_MOVE_MAILS = f"""
  picked AS MATERIALIZED (SELECT m.id FROM message m JOIN moved v ON m.mailbox_id = v.id AND m.thread_id = v.name
    WHERE v.conditions IS NULL OR m.id = ANY(ARRAY(SELECT jsonb_array_elements_text(v.conditions)))
    ORDER BY m.id FOR UPDATE OF m),
  opened AS (INSERT INTO thread (id, tenant_id, mailbox_id, subject, related_thread_id, head, head_at, participants)
    SELECT v.target, v.tenant_id, v.id, t.subject, t.id, (SELECT max(q.id) FROM message q WHERE q.id IN (SELECT id FROM picked)
        AND q.direction = 'inbound' AND q.state = 'received'), now(),
      ARRAY(SELECT DISTINCT lower(x) FROM message q, unnest(q.to_addresses || q.cc_addresses || q.recipients || q.header_from) x
        WHERE q.id IN (SELECT id FROM picked) AND x IS NOT NULL LIMIT 500)
    FROM moved v JOIN thread t ON t.id = v.name WHERE v.kind = 'split'),
  effect AS (UPDATE message m SET thread_id = v.target FROM moved v
    WHERE m.mailbox_id = v.id AND m.id IN (SELECT id FROM picked)),
  carried AS (UPDATE delivery d SET thread_id = v.target FROM moved v
    WHERE d.mailbox_id = v.id AND d.message_id IN (SELECT id FROM picked)),
  noted AS (INSERT INTO thread_move (id, tenant_id, mailbox_id, kind, from_thread, to_thread, message_ids, undoes, by)
    SELECT v.request_id, v.tenant_id, v.id, v.kind, v.name, v.target, ARRAY(SELECT id FROM picked), v.reason, v.principal
    FROM moved v),
  regrouped AS (UPDATE thread t SET last_activity = now(),
      merged_into = CASE WHEN t.id = v.name AND v.kind = 'merge' THEN v.target WHEN t.id = v.target THEN NULL ELSE t.merged_into END,
      head = (SELECT max(q.id) FROM {_HERE} q WHERE q.direction = 'inbound' AND q.state = 'received'),
      participants = ARRAY(SELECT DISTINCT lower(x) FROM {_HERE} q,
        unnest(q.to_addresses || q.cc_addresses || q.recipients || q.header_from) x WHERE x IS NOT NULL LIMIT 500)
    FROM moved v WHERE t.mailbox_id = v.id AND t.id IN (v.name, v.target)),"""
"""Mails are locked in the order of their ids, as every step does. What a thread is, is what its mails are."""
_REDEEMED = """
  redeemed AS (UPDATE upgrade_request u SET redeemed_at = now(), redeemed_by = v.principal FROM moved v
    WHERE u.id = v.request_id),"""
_EFFECTS: dict[str, str] = {
    "move_mails": _MOVE_MAILS,
    "grant": _grant("excluded.covers_ask", "now()"),
    "lower_grant": _LOWERED,
    "revoke_grant": _NO_GRANT,
    "set_rule": """
  effect AS (INSERT INTO category_rule (tenant_id, mailbox_id, name, revision, conditions, priority, set_by)
    SELECT v.tenant_id, v.id, v.name, 1 + coalesce((SELECT max(r.revision) FROM category_rule r
      WHERE r.mailbox_id = v.id AND r.name = v.name), 0), v.conditions, coalesce(v.priority, 0), v.principal
    FROM moved v),""",
    "request": """
  effect AS (INSERT INTO upgrade_request (id, tenant_id, mailbox_id, mode, why, asked_by, code_sha256, expires_at, pattern)
    SELECT v.request_id, v.tenant_id, v.id, v.mode, coalesce(v.reason, ''), v.principal, v.code_sha256, v.expires_at, v.name
    FROM moved v),""",
    "redeem": _REDEEMED,
    "redeem_grant": _REDEEMED + _grant("excluded.covers_ask", "now()"),
    "pause": """
  effect AS (INSERT INTO pause (id, tenant_id, mailbox_id, scope, target, reason, by)
    SELECT v.pause_id, v.tenant_id, v.mailbox_id, v.scope, v.target, coalesce(v.reason, ''), coalesce(v.principal, v.actor)
    FROM moved v),""",
    "lift_pause": """
  effect AS (UPDATE pause p SET lifted_at = now(), lifted_by = v.principal FROM moved v WHERE p.id = v.pause_id),""",
    "unsuppress": """
  effect AS (DELETE FROM suppression s USING moved v WHERE s.tenant_id = v.tenant_id AND s.address = v.address
    AND (s.mailbox_id IS NULL OR v.mailbox_id = 'mbx_system' OR s.mailbox_id = v.mailbox_id)),""",
    "hold": """
  effect AS (INSERT INTO legal_hold (id, tenant_id, scope, target, reason, by)
    SELECT v.request_id, v.tenant_id, v.scope, v.target, coalesce(v.reason, ''), v.principal FROM moved v),""",
    "lift_hold": """
  effect AS (UPDATE legal_hold h SET lifted_at = now(), lifted_by = v.principal FROM moved v
    WHERE h.id = v.request_id),""",
    "disable_endpoint": """
  effect AS (UPDATE endpoint e SET is_active = false, disabled_reason = v.reason FROM moved v
    WHERE e.id = v.endpoint_id),""",
}


def world_statement(move: Move, service: str) -> list[str]:
    """One world row. A suppression is inserted first: whoever finds it there already changes nothing."""
    computed, assigned = values_set(move)
    before = []
    if move.does == "suppress":
        before.append(f"""{cmd(move.id)}
  INSERT INTO suppression (id, tenant_id, mailbox_id, address, reason, message_id, category)
    SELECT c.suppression_id, c.tenant_id, CASE WHEN c.scope = 'mailbox' THEN c.mailbox_id END, c.address, c.reason,
      c.message_id, c.category FROM cmd c ON CONFLICT DO NOTHING""")
    mailbox = _statement(
        move, service, table="mailbox", computed=computed, assigned=assigned,
        where="mailbox.id = c.mailbox_id" + (f" AND NOT {_ACCOUNT}" if move.id in OF_ACCOUNT else ""),
        columns="*, id AS subject", mode="b.mode", into="c.mode" if any(name == "mode" for name, _ in move.set) else "b.mode",
    )  # fmt: skip
    if move.id not in OF_ACCOUNT:
        return [*before, mailbox]
    account = _statement(
        move, service, table="tenant", computed=computed, assigned=assigned, where=f"tenant.id = c.tenant_id AND {_ACCOUNT}",
        columns="id AS subject, id AS tenant_id, 'mbx_system'::text AS id, version", mode="NULL", into="NULL",
    )  # fmt: skip
    return [*before, mailbox, account]


_ACCOUNT = "c.mailbox_id = 'mbx_system'"


def _statement(
    move: Move, service: str, *, table: str, computed: str, assigned: str, where: str, columns: str, mode: str, into: str
) -> str:  # fmt: skip
    """The row for its carrier: `b` is a mailbox or an account, with its records' `subject` and their `version`."""
    head = record_head(move, source=mode, mailbox="b.id", subject="b.subject", mode="NULL::text")
    return f"""RETURN QUERY {cmd(move.id)},
  checked AS MATERIALIZED (SELECT c.*, b.version AS v0, b.subject, b.tenant_id AS account{computed},
    {conjuncts(move).replace("{exists}", exists(move.id))} AS failed,
    {ALREADY} AS already,
    {head} AS head, {record_tail(into, tenant="b.tenant_id", thread="NULL")} AS tail
    FROM cmd c JOIN LATERAL (SELECT {columns} FROM {table} WHERE {where} OFFSET 0) b ON true),
  moved AS (UPDATE {table} b SET version = b.version + 1, last_row = '{move.id}'{assigned}
    FROM checked k WHERE b.id = k.subject AND b.id = ANY(wids) AND b.version = k.v0 AND k.failed = '{{}}'
      AND k.already IS NULL
    RETURNING k.ord, b.id, k.account AS tenant_id, k.mailbox_id, b.version AS seq, k.principal, k.actor, k.pause_id, k.scope,
      k.target, k.reason, k.address, k.endpoint_id, k.kind, k.name, k.mode, k.covers_ask, k.conditions, k.priority,
      k.mode_grant_id, k.request_id, k.code_sha256, k.expires_at, k.command_id, k.head || b.version || k.tail AS record),\
{_EFFECTS.get(move.does, "")}{written(move, service)}
  SELECT v.ord, v.seq, NULL::integer, '{{}}'::text[], v.record, NULL::text FROM moved v{REFUSED}"""
