"""Where each variable of the table stands in the database.

Aliases: m message, d delivery, b mailbox, h thread, g the grant of a looser mode, rv the revision that the command
names, c the command.
"""

# ruff: noqa: S608 (made of the table alone, at build time; no caller's word gets in)
from __future__ import annotations

from collections.abc import Mapping

from gatepost_oversight.move import On
from gatepost_oversight.states import OPEN

_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN))
_ACTIVE = "(NOT EXISTS (SELECT 1 FROM api_key a WHERE a.id = {} AND a.revoked_at IS NOT NULL))"
# A mailbox's suppressions outlive it: once it is deleted, they hold for every mailbox of the tenant.
# As a pause, none covers the installation's own mail to the account's oversight address: nobody, and no bounce, may
# silence the codes and notices by which people learn what their agents do.
_SUPPRESSED = (
    "(m.mailbox_id <> 'mbx_system' AND EXISTS (SELECT 1 FROM suppression s WHERE s.tenant_id = m.tenant_id AND s.address = {}"
    " AND (s.category IS NULL OR s.category = m.category)"
    " AND (s.mailbox_id IS NULL OR s.mailbox_id = m.mailbox_id OR EXISTS (SELECT 1 FROM mailbox gone"
    " WHERE gone.id = s.mailbox_id AND gone.deleted_at IS NOT NULL))))"
)
_DELIVERIES = "(SELECT 1 FROM delivery o WHERE o.message_id = m.id AND {})"

_MESSAGE: Mapping[str, str] = {
    "st": "m.state", "version": "m.version", "mailbox": "m.mailbox_id", "direction": "m.direction",
    "drafter": "m.author", "ask": "m.ask", "content": "m.content", "revision": "m.revision",
    "placeholder": "m.placeholder", "system_template": "m.system_template", "mode_grant_id": "m.mode_grant_id",
    "ok1": "m.ok1", "ok1_hash": "m.ok1_hash", "ok1_active": _ACTIVE.format("m.ok1_key"),
    "ok2": "m.ok2", "ok2_hash": "m.ok2_hash", "ok2_active": _ACTIVE.format("m.ok2_key"),
    "ok1_for": "m.ok1_for", "ok2_for": "m.ok2_for",
    "rounds": "m.rounds", "rounds_max": "b.rounds_max", "release": "m.release",
    # the world, read live
    "mode": "b.mode", "ceiling": "b.ceiling",
    "granted_mode": "g.mode", "covers_ask": "(CASE WHEN g.id IS NULL THEN b.covers_ask ELSE g.covers_ask END)",
    "two_person": "(b.two_person OR (SELECT t.two_person FROM tenant t WHERE t.id = m.tenant_id))",
    "policy_block": "(m.policy_block OR b.policy_block)",
    "paused": (
        "(m.mailbox_id <> 'mbx_system' AND EXISTS (SELECT 1 FROM pause p WHERE p.tenant_id = m.tenant_id"
        " AND p.lifted_at IS NULL AND (p.scope = 'tenant' OR (p.scope = 'mailbox' AND p.target = m.mailbox_id)"
        " OR (p.scope = 'agent' AND p.target = m.author) OR (p.scope = 'category' AND p.target IN (m.category, m.rule_category)))))"
    ),
    # any recipient; once released, all that are still open (one alone is T10d's)
    "suppressed": (
        f"(CASE WHEN m.state IN ({_OPEN}) THEN EXISTS (SELECT 1 FROM delivery o WHERE o.message_id = m.id"
        " AND o.of_release = m.release AND o.state IN ('released', 'deferred')) AND NOT EXISTS (SELECT 1 FROM delivery o"
        " WHERE o.message_id = m.id AND o.of_release = m.release AND o.state IN ('released', 'deferred')"
        f" AND NOT {_SUPPRESSED.format('o.recipient')}) ELSE {_SUPPRESSED.format('ANY(m.recipients)')} END)"
    ),
    "thread_head": "h.head",
    "reason": "m.reason",
    "ends": "(now() + make_interval(secs => b.expires_after_s))",
    "overdue": "(m.expires_at <= clock_timestamp())",
    "attempted": "EXISTS " + _DELIVERIES.format("o.attempts > 0"),
    "claimed": "EXISTS " + _DELIVERIES.format("o.state = 'sending'"),
    "unfinished": (
        "EXISTS (SELECT 1 FROM unnest({recipients}) r WHERE NOT EXISTS (SELECT 1 FROM delivery o WHERE o.message_id = m.id"
        " AND o.recipient = r AND o.state IN ('delivered', 'bounced', 'refused')))"
    ),
    "newer": (
        "EXISTS (SELECT 1 FROM message o WHERE o.thread_id = m.thread_id AND o.direction = 'outbound' AND o.id <> m.id"
        " AND o.answers > m.answers AND o.revision > 0 AND o.state IN ('drafted', 'held', 'revising', 'released',"
        " 'sending', 'deferred', 'uncertain', 'delivered'))"
    ),
    "next_n": "(SELECT coalesce(max(o.n), 0) + 1 FROM revision o WHERE o.message_id = m.id)",
    # the revision that the command names
    "rev_n": "rv.n", "rev_kind": "rv.kind", "rev_author": "rv.author", "rev_content": "rv.content_sha256",
    "rev_placeholder": "rv.placeholder", "rev_recipients": "rv.recipients", "rev_subject": "rv.subject",
    "rev_category": "coalesce(rv.category, m.category)", "rev_evidence": "rv.evidence", "rev_ask": "rv.ask",
}  # fmt: skip

_DELIVERY: Mapping[str, str] = {
    "st_delivery": "d.state", "of_release": "d.of_release", "used": "d.used", "sent_hash": "d.sent_hash",
    "phase": "d.phase", "owner": "d.owner", "attempts": "d.attempts",
    "due": "(d.due_at <= clock_timestamp())", "lease_over": "(d.lease_until <= clock_timestamp())",
    "suppressed": _SUPPRESSED.format("d.recipient"),
    "turn": (
        "(NOT EXISTS (SELECT 1 FROM delivery o WHERE o.thread_id = d.thread_id AND o.recipient = d.recipient"
        " AND o.state IN ('released', 'sending', 'deferred') AND o.message_id <> d.message_id"
        " AND (o.queued_at, o.id) < (d.queued_at, d.id)"
        " AND EXISTS (SELECT 1 FROM message q WHERE q.id = o.message_id AND q.release = o.of_release"
        f" AND q.state IN ({_OPEN}))))"
    ),
}  # fmt: skip

_NEW: Mapping[str, str] = {
    "mode": "b.mode", "ceiling": "b.ceiling", "mailbox": "b.id",
    "ends": "coalesce((c.m->>'expires_at')::timestamptz, now() + make_interval(secs => b.expires_after_s))",
    "to_oversight": (
        "(SELECT ARRAY[lower(t.oversight_email)] = ARRAY(SELECT jsonb_array_elements_text(c.rev->'recipients'))"
        " FROM tenant t WHERE t.id = c.tenant_id)"
    ),
}  # fmt: skip
_GRANT = "mode_grant q WHERE q.mailbox_id = b.id AND q.kind = c.kind AND q.name = c.name AND q.revoked_at IS NULL"

_EXISTS = {
    "W5": "EXISTS (SELECT 1 FROM pause p WHERE p.id = c.pause_id AND p.tenant_id = b.tenant_id AND p.lifted_at IS NULL)",
    "W6": "EXISTS (SELECT 1 FROM suppression s WHERE s.id = c.suppression_id)",
    "W7": (
        "EXISTS (SELECT 1 FROM suppression s WHERE s.tenant_id = b.tenant_id AND s.address = c.address"
        " AND (s.mailbox_id IS NULL OR b.id = 'mbx_system' OR s.mailbox_id = b.id))"
    ),
    "N1": "EXISTS (SELECT 1 FROM endpoint e WHERE e.id = c.endpoint_id AND e.is_active)",
}
_MOVED = (
    "q.mailbox_id = b.id AND q.thread_id = c.name"
    " AND (c.conditions IS NULL OR q.id = ANY(ARRAY(SELECT jsonb_array_elements_text(c.conditions))))"
)
"""The mails a step of W13 moves: all of the thread, or those that are named."""
_EXISTS["W13"] = (
    f"(c.name <> c.target AND EXISTS (SELECT 1 FROM message q WHERE {_MOVED})"
    " AND (c.kind = 'split' OR EXISTS (SELECT 1 FROM thread t WHERE t.id = c.target AND t.mailbox_id = b.id))"
    " AND (c.reason IS NULL OR NOT EXISTS (SELECT 1 FROM thread_move u WHERE u.undoes = c.reason)))"
)
_EXISTS |= dict.fromkeys(("W1r", "W2r"), f"EXISTS (SELECT 1 FROM {_GRANT})")
_EXISTS["W15"] = (
    "EXISTS (SELECT 1 FROM legal_hold h WHERE h.id = c.request_id AND h.tenant_id = b.tenant_id AND h.lifted_at IS NULL)"
)
_EXISTS |= {"W6u": _EXISTS["W6"], "W6c": _EXISTS["W6"]}
_WORLD: Mapping[str, str] = {
    "mode": "b.mode", "ceiling": "b.ceiling", "exists": "{exists}",
    "grant_now": f"coalesce((SELECT q.mode FROM {_GRANT}), b.mode)",
    "covers_ask": "b.covers_ask", "grant_covers": f"coalesce((SELECT q.covers_ask FROM {_GRANT}), false)",
    "grant_live": f"EXISTS (SELECT 1 FROM {_GRANT})",
    "settled": (
        f"NOT EXISTS (SELECT 1 FROM message q WHERE {_MOVED} AND q.direction = 'outbound' AND q.state IN"
        " ('drafting', 'drafted', 'held', 'revising', 'released', 'sending', 'deferred', 'uncertain'))"
    ),
    "asked_enough": (
        "(SELECT count(*) >= 3 FROM upgrade_request u WHERE u.mailbox_id = b.id"
        " AND u.created_at > clock_timestamp() - interval '1 hour')"
    ),
    "request_open": (
        "EXISTS (SELECT 1 FROM upgrade_request u WHERE u.id = c.request_id AND u.mailbox_id = b.id AND u.mode = c.mode"
        " AND u.pattern IS NOT DISTINCT FROM c.name"
        " AND u.redeemed_at IS NULL AND u.tries <= 5 AND u.expires_at > clock_timestamp())"
    ),
}  # fmt: skip

FACTS: Mapping[On, Mapping[str, str]] = {
    On.MESSAGE: _MESSAGE, On.REVISION: _MESSAGE, On.DELIVERY: _DELIVERY, On.NEW: _NEW, On.WORLD: _WORLD,
}  # fmt: skip


def exists(row: str) -> str:
    """What `exists` means for this world row."""
    return _EXISTS.get(row, "true")
