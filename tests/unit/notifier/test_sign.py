"""The signatures, checked with the published verifier of Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gatepost_notifier.sign import Secrets, headers, key_of, legacy_signature

BODY = json.dumps({"id": "whd_1", "text": "grüße"}, ensure_ascii=False).encode()
GENERATED = "whsec_" + base64.b64encode(b"k" * 32).decode()
PAIR = Ed25519PrivateKey.generate()
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()


def signed(secret: str, old: str | None = None, form: str = "sha256") -> dict[str, str]:
    return headers(
        webhook_id="whd_1", timestamp=int(time.time()), body=BODY, secrets=Secrets(secret, old, PAIR.private_bytes_raw()),
        form=form, canonical="email.held", attempt=3,
    )  # fmt: skip


@pytest.mark.parametrize("secret", [GENERATED, "a secret of the caller", "whsec_not base64!"])
def test_the_published_verifier_accepts_the_triple(secret: str) -> None:
    """A receiver uses the library it finds, with the secret we showed it."""
    shown = "whsec_" + base64.b64encode(key_of(secret)).decode()

    assert json.loads(BODY) == Webhook(shown).verify(BODY, signed(secret))


def test_another_secret_is_refused() -> None:
    """Otherwise the check above would prove nothing."""
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, signed(GENERATED))


def test_while_rotating_both_secrets_verify() -> None:
    """A receiver may change over at any moment of the grace."""
    both = signed(GENERATED, OLD)

    assert Webhook(GENERATED).verify(BODY, both)
    assert Webhook(OLD).verify(BODY, both)
    assert both["X-MultiMail-Signature"] == legacy_signature(BODY, OLD, "sha256")


@pytest.mark.parametrize(("form", "prefix"), [("hex", ""), ("sha256", "sha256=")])
def test_the_old_header_uses_the_literal_secret(form: str, prefix: str) -> None:
    """The guide's handler computes it under the string it was given, whsec_ included."""
    expected = prefix + hmac.new(GENERATED.encode(), BODY, hashlib.sha256).hexdigest()

    assert expected == signed(GENERATED, form=form)["X-MultiMail-Signature"]


def test_event_and_attempt_are_named() -> None:
    """Canonical name and a count from 1."""
    assert (signed(OLD)["X-Gatepost-Event"], signed(OLD)["X-Gatepost-Attempt"]) == ("email.held", "3")


def test_the_public_key_alone_verifies_v1a() -> None:
    """A receiver that cannot keep a secret checks with what everybody may know (Standard Webhooks, asymmetric)."""
    sent = signed(GENERATED)
    (part,) = [p for p in sent["webhook-signature"].split() if p.startswith("v1a,")]
    content = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + BODY
    signature = base64.b64decode(part.removeprefix("v1a,"))

    PAIR.public_key().verify(signature, content)
    with pytest.raises(InvalidSignature):
        PAIR.public_key().verify(signature, content + b" ")
