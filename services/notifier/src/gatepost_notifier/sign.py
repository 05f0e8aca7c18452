"""Which headers prove to a receiver that a webhook is ours: the MultiMail header and the Standard Webhooks triple.

X-MultiMail-Signature is HMAC-SHA256 of the raw body under the secret string as it stands; it has no time and no id, so
it does not stop a replay. The triple signs `id.timestamp.body` under the decoded secret, once per valid secret.
While a secret rotates, the triple carries both; the old header can carry one value and stays on the old secret.
An endpoint that has an Ed25519 key gets `v1a,` beside them, which its public key alone verifies (Standard Webhooks).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "whsec_"


@dataclass(frozen=True)
class Secrets:
    """The readable secrets of one endpoint at one moment; `old` only while its grace lasts."""

    current: str
    old: str | None = None
    ed25519: bytes | None = None  # the 32 bytes of the private key


def key_of(secret: str) -> bytes:
    """The key of the triple: the decoded tail of a generated secret, the bytes of a chosen one."""
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            return secret.encode()
    return secret.encode()


def legacy_signature(body: bytes, secret: str, form: str) -> str:
    """The value of X-MultiMail-Signature: bare lower-case hex, or `sha256=` and hex."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return digest if form == "hex" else f"sha256={digest}"


def triple_signature(webhook_id: str, timestamp: int, body: bytes, secrets: Secrets) -> str:
    """The value of webhook-signature: one `v1,` per secret and one `v1a,` where there is a key, separated by spaces."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    keys = (secrets.current,) if secrets.old is None else (secrets.current, secrets.old)
    parts = [_part("v1", hmac.new(key_of(secret), signed, hashlib.sha256).digest()) for secret in keys]
    if secrets.ed25519 is not None:
        parts.append(_part("v1a", _signer(secrets.ed25519).sign(signed)))
    return " ".join(parts)


@lru_cache(1024)
def _signer(private: bytes) -> Ed25519PrivateKey:
    """Made once: to make it costs more than to sign."""
    return Ed25519PrivateKey.from_private_bytes(private)


def _part(version: str, signature: bytes) -> str:
    return f"{version},{base64.b64encode(signature).decode()}"


def headers(
    *, webhook_id: str, timestamp: int, body: bytes, secrets: Secrets, form: str, canonical: str, attempt: int
) -> dict[str, str]:
    """All headers of one attempt."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Gatepost-Webhooks/1",
        "X-MultiMail-Signature": legacy_signature(body, secrets.old or secrets.current, form),
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": triple_signature(webhook_id, timestamp, body, secrets),
        "X-Gatepost-Event": canonical,
        "X-Gatepost-Attempt": str(attempt),
    }
