"""Which headers prove to a receiver that a webhook is ours: the MultiMail header and the Standard Webhooks triple.

X-MultiMail-Signature is HMAC-SHA256 of the raw body under the secret string as it stands; it has no time and no id, so
it does not stop a replay. The triple signs `id.timestamp.body` under the decoded secret, once per valid secret.
While a secret rotates, the triple carries both; the old header can carry one value and stays on the old secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


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


def triple_signature(webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> str:
    """The value of webhook-signature: one `v1,` per secret, separated by a space."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key_of(secret), signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def headers(
    *, webhook_id: str, timestamp: int, body: bytes, secret: str, old_secret: str | None, form: str,
    canonical: str, attempt: int,
) -> dict[str, str]:  # fmt: skip
    """All headers of one attempt. `old_secret` is given only while its grace lasts."""
    secrets = (secret,) if old_secret is None else (secret, old_secret)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Gatepost-Webhooks/1",
        "X-MultiMail-Signature": legacy_signature(body, old_secret or secret, form),
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": triple_signature(webhook_id, timestamp, body, secrets),
        "X-Gatepost-Event": canonical,
        "X-Gatepost-Attempt": str(attempt),
    }
