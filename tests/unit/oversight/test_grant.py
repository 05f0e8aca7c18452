"""The grant holds what it says, for as long as it says, and only under the gatekeeper's key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_oversight.grant import Grant, GrantRefused, recipients_digest, sign_grant, verify_grant

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)


def _grant(**changes: object) -> Grant:
    fields: dict[str, object] = {
        "message_id": "msg_1", "mailbox_id": "mbx_1", "revision": 1, "release": 1, "content_sha256": "0" * 64,
        "recipients_sha256": recipients_digest(["B@x", "a@x"]), "policy": "1" * 64, "expires_at": NOW + timedelta(days=5),
    }  # fmt: skip
    return Grant.model_validate(fields | changes)


def test_what_was_signed_is_read() -> None:
    assert _grant() == verify_grant(KEY.public_key(), sign_grant(KEY, _grant()), NOW)


def test_one_changed_character_is_refused() -> None:
    token = sign_grant(KEY, _grant())
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(GrantRefused):
            verify_grant(KEY.public_key(), token[:place] + other + token[place + 1 :], NOW)


def test_another_key_and_a_late_hour_are_refused() -> None:
    token = sign_grant(KEY, _grant())
    with pytest.raises(GrantRefused):
        verify_grant(Ed25519PrivateKey.from_private_bytes(b"2" * 32).public_key(), token, NOW)
    with pytest.raises(GrantRefused):
        verify_grant(KEY.public_key(), token, NOW + timedelta(days=5))


def test_recipients_are_a_set() -> None:
    assert recipients_digest(["a@x", "b@x"]) == recipients_digest(["B@x", "A@X", "a@x"])
