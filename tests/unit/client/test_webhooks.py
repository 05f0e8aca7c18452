"""Each form of signature, and what it does not let through."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from standardwebhooks import Webhook

from gatepost_client import WebhookError, verify_webhook

BODY = b'{"id": "whd_1", "type": "email.received"}'
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOW = 1_800_000_000


def legacy(secret: str, prefix: str = "") -> dict[str, str]:
    return {"X-MultiMail-Signature": prefix + hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()}


def triple(secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    from datetime import UTC, datetime

    signature = Webhook(secret).sign("whd_1", datetime.fromtimestamp(at, UTC), BODY.decode())
    return {"webhook-id": "whd_1", "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.parametrize("prefix", ["", "sha256="])
@pytest.mark.parametrize("secret", [SECRET, "a word of my own"])
def test_the_older_header_in_both_forms(secret: str, prefix: str) -> None:
    assert verify_webhook(BODY, legacy(secret, prefix), secret)["type"] == "email.received"


def test_the_triple_agrees_with_the_standard_library_of_others() -> None:
    assert verify_webhook(BODY, triple(), SECRET, now=NOW)["id"] == "whd_1"


def test_one_of_several_signatures_is_enough_while_a_secret_changes() -> None:
    headers = triple()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]

    assert verify_webhook(BODY, headers, SECRET, now=NOW)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (BODY + b" ", triple(), "wrong_signature"),
        (BODY, legacy("other"), "wrong_signature"),
        (BODY, triple(at=NOW - 301), "too_old"),
        (BODY, triple(at=NOW + 301), "too_old"),
        (BODY, {}, "unsigned"),
        (BODY, triple() | {"webhook-timestamp": "soon"}, "unsigned"),
        (BODY, triple() | {"webhook-id": "whd_2"}, "wrong_signature"),
        (BODY, triple() | {"webhook-signature": "v1,é"}, "wrong_signature"),
    ],
)
def test_what_does_not_hold_is_refused(body: bytes, headers: dict[str, str], code: str) -> None:
    with pytest.raises(WebhookError) as error:
        verify_webhook(body, headers, SECRET, now=NOW)

    assert error.value.code == code


def test_a_wrong_triple_is_not_saved_by_the_older_header() -> None:
    headers = legacy(SECRET) | triple() | {"webhook-signature": "v1,AAAA"}

    with pytest.raises(WebhookError):
        verify_webhook(BODY, headers, SECRET, now=NOW)


def test_an_id_that_comes_twice_is_told() -> None:
    seen: set[str] = set()
    verify_webhook(BODY, triple(), SECRET, now=NOW, seen=seen)

    with pytest.raises(WebhookError) as error:
        verify_webhook(BODY, triple(), SECRET, now=NOW, seen=seen)

    assert error.value.code == "duplicate"
