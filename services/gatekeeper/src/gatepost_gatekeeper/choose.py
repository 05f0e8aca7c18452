"""Which row of the lifecycle table a person's wish is. Pure: from the mail as it was read to a row id.

Only a choice: whether the row's guard holds is decided by the step itself, on the facts of that moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gatepost_contracts.commands import Decide
from gatepost_gatekeeper.case import Row
from gatepost_oversight.credential import Role

APPROVALS = frozenset({"T03", "T11", "T12", "T13", "T15a", "T15b"})
RELEASING = frozenset({"T08", "T11", "T13", "T15a"})
ACTIONS = {
    "T03": "admit", "T04": "discard", "T11": "approve", "T12": "approve", "T13": "approve", "T15a": "edit_approve",
    "T15b": "edit_approve", "T17": "send_back", "T18": "reject", "T20": "cancel", "T32": "resolve", "T33": "resolve",
}  # fmt: skip
PERSONS = (Role.REVIEWER, Role.OPERATOR)
WHO = {"T04": PERSONS, "T17": PERSONS, "T18": PERSONS, "T32": PERSONS, "T33": PERSONS, "T20": (*PERSONS, Role.AGENT)}


def needs_two(message: Row) -> bool:
    """Two people must approve here."""
    return bool(message["two_person"] or message["tenant_two_person"])


def row_for(command: Decide, message: Row, *, attempted: bool) -> str:
    """The row of this decision."""
    if message["direction"] == "inbound":
        return "T03" if command.action == "approve" else "T04"
    if command.action == "reject":
        may_return = bool((command.note or "").strip()) and not command.final and not attempted
        return "T17" if may_return and message["rounds"] < message["rounds_max"] else "T18"
    if command.edit_revision is not None:
        return "T15b" if needs_two(message) else "T15a"
    if not needs_two(message):
        return "T11"
    is_for_this = message["ok1_for"] == message["release"] + 1
    # an approval ends with its key, so the next one is the first of two again
    is_valid = message["ok1_hash"] == message["content"] and is_for_this and message["ok1_active"]
    has_first = message["ok1"] is not None and is_valid
    return "T13" if has_first else "T12"


def role_for(row: str, roles: frozenset[Role]) -> Role | None:
    """As what the caller acts; none when no role of theirs may."""
    wanted = WHO.get(row, (Role.REVIEWER,))
    return next((role for role in wanted if role in roles), None)


def is_same(decision: Row, row: str, principal: str, content: str | None, revision: int | None) -> bool:
    """True when this person has decided this very thing before."""
    kinds = {"approve": "approve", "edit_approve": "approve", "admit": "approve"}
    before = kinds.get(decision["action"], "reject")
    now = "approve" if row in APPROVALS else "reject"
    if decision["principal"] != principal or before != now:
        return False
    if content is not None:
        return bool(decision["content_sha256"] == content)
    return revision is None or decision["revision"] == revision


def due_at(now: datetime, send_at: datetime | None, mode: str, undo_window_s: int) -> datetime:
    """When the first attempt may begin: not before send_at, and in monitored mode after the undo window."""
    begins = max(now, send_at) if send_at is not None else now
    return begins + timedelta(seconds=undo_window_s) if mode == "monitored" else begins
