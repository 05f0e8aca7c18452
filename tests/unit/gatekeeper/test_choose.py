"""Which row a wish is, what a refusal is called, and what a grant says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.gatekeeper.conftest import ADA, MESSAGE, draft

from gatepost_contracts.commands import Decide
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import TABLE, refused
from gatepost_gatekeeper.choose import due_at, is_same, role_for, row_for
from gatepost_gatekeeper.grants import Grants
from gatepost_oversight.credential import Role
from gatepost_oversight.grant import recipients_digest, verify_grant
from gatepost_oversight.lifecycle import BY_ID

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HELD = MESSAGE | {"state": "held", "content": "a" * 64}


def wish(**more: Any) -> Decide:
    return Decide(**({
        "command_id": new_id("cmd"), "tenant_id": new_id("ten"), "key_id": new_id("key"), "principal_id": "prn_reviewer",
        "door": "rest", "at": NOW, "message_id": new_id("msg"), "action": "approve",
    } | more))  # fmt: skip


@pytest.mark.parametrize(
    ("message", "more", "row"),
    [
        ({}, {}, "T11"),
        ({"two_person": True}, {}, "T12"),
        ({"tenant_two_person": True}, {}, "T12"),
        ({"two_person": True, "ok1": "prn_x", "ok1_hash": "a" * 64, "ok1_for": 1}, {}, "T13"),
        ({"two_person": True, "ok1": "prn_x", "ok1_hash": "a" * 64, "ok1_for": 1, "release": 1}, {}, "T12"),
        ({"two_person": True, "ok1": "prn_x", "ok1_hash": "b" * 64, "ok1_for": 1}, {}, "T12"),
        ({"two_person": True, "ok1": "prn_x", "ok1_hash": "a" * 64, "ok1_for": 1, "ok1_active": False}, {}, "T12"),
        ({}, {"edit_revision": 2}, "T15a"),
        ({"two_person": True}, {"edit_revision": 2}, "T15b"),
        ({}, {"action": "reject", "note": "shorter"}, "T17"),
        ({}, {"action": "reject", "note": "  "}, "T18"),
        ({}, {"action": "reject", "note": "shorter", "final": True}, "T18"),
        ({"rounds": 3}, {"action": "reject", "note": "shorter"}, "T18"),
        ({"direction": "inbound"}, {}, "T03"),
        ({"direction": "inbound"}, {"action": "reject"}, "T04"),
    ],
)
def test_the_row_of_a_decision(message: dict[str, Any], more: dict[str, Any], row: str) -> None:
    """Every wish is exactly one row of the table."""
    assert row == row_for(wish(**more), HELD | message, attempted=False)
    assert row in BY_ID


def test_a_tried_mail_is_never_sent_back() -> None:
    """Its content is frozen."""
    assert row_for(wish(action="reject", note="x"), HELD, attempted=True) == "T18"


def test_only_reviewers_approve() -> None:
    """Rejecting is an operator's too."""
    assert role_for("T11", frozenset({Role.OPERATOR})) is None
    assert role_for("T11", frozenset({Role.AGENT})) is None
    assert role_for("T18", frozenset({Role.OPERATOR})) == Role.OPERATOR
    assert role_for("T20", frozenset({Role.AGENT})) == Role.AGENT


def test_the_same_again_is_no_collision() -> None:
    """Same person, same decision, same content."""
    before = {"action": "approve", "principal": "prn_reviewer", "content_sha256": "a" * 64, "revision": 1}

    assert is_same(before, "T11", "prn_reviewer", "a" * 64, None)
    assert not is_same(before, "T11", "prn_other", "a" * 64, None)
    assert not is_same(before, "T18", "prn_reviewer", "a" * 64, None)
    assert not is_same(before, "T11", "prn_reviewer", "b" * 64, None)


@pytest.mark.parametrize(
    ("failed", "code"),
    [
        (("NOT_AUTHOR", "SEEN"), "author_may_not_decide"),
        (("SEEN",), "stale_revision"),
        (("HEAD",), "stale_revision"),
        (("STATE",), "already_decided"),
        (("STATE", "SEEN", "HEAD"), "already_decided"),
        (("ROLE", "NOT_AUTHOR"), "scope_missing"),
        (("OFF_WIRE",), "not_cancellable"),
        (("NEVER_TRIED",), "not_editable"),
        (("PLACEHOLDER",), "content_refused"),
    ],
)
def test_a_refusal_has_the_code_of_the_api(failed: tuple[str, ...], code: str) -> None:
    """The conjunct that weighs most decides, and all are named."""
    reply = refused(failed, HELD)

    assert (False, code, failed) == (reply.ok, reply.code, reply.failed)
    assert reply.error.endswith(".")


def test_every_answer_speaks_of_a_real_conjunct() -> None:
    """A renamed conjunct would silently lose its code."""
    known = {name for move in BY_ID.values() for name in move.guard_names}

    assert {name for name, _ in TABLE} <= known


def test_due_is_after_the_wish_and_the_undo_window() -> None:
    """Only monitored mode has one."""
    later = NOW + timedelta(hours=1)

    assert due_at(NOW, None, "autonomous", 30) == NOW
    assert NOW + timedelta(seconds=30) == due_at(NOW, None, "monitored", 30)
    assert later + timedelta(seconds=30) == due_at(NOW, later, "monitored", 30)
    assert due_at(NOW, NOW - timedelta(hours=1), "gated_send", 0) == NOW


def test_a_grant_covers_exactly_this_and_every_retry() -> None:
    """The sender checks these fields against the bytes it is about to send."""
    key = Ed25519PrivateKey.generate()
    row = draft()
    release = Grants(key, 432_000).release(
        MESSAGE | {"release": 1}, row, mode="monitored", now=NOW, decided_by=["prn_x"]
    )

    grant = verify_grant(key.public_key(), release.grant, NOW)

    assert (2, row["content_sha256"], ("prn_x",)) == (grant.release, grant.content_sha256, grant.decided_by)
    assert recipients_digest([ADA]) == grant.recipients_sha256
    assert release.due_at + timedelta(days=5) == grant.expires_at
    assert (f"{MESSAGE['id']}.2.1",) == release.delivery_ids
