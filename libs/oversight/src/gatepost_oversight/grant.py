"""The gatekeeper's signed word that exactly this content may leave to exactly these recipients.

`base64url(canonical JSON).base64url(Ed25519 signature)`. The sender verifies it with a key from a mounted file, never
from the database, so that a forged row sends nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gatepost_contracts.canonical import canonical, sha256_hex

_URL_LETTERS = str.maketrans("-_", "+/")


class GrantRefused(Exception):
    """The grant does not cover this; nothing may leave under it."""


class Grant(BaseModel):
    """What may leave, to whom, under which policy, by whose decision, until when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: str
    mailbox_id: str
    revision: int
    release: int
    content_sha256: str
    recipients_sha256: str
    policy: str
    decided_by: tuple[str, ...] = ()
    expires_at: AwareDatetime


def recipients_digest(recipients: Iterable[str], salt: str = "") -> str:
    """Over the sorted, lower-case addresses; grants stand in the log, so theirs takes the content's salt."""
    addresses = sorted({recipient.lower() for recipient in recipients})
    return sha256_hex(canonical([salt, addresses] if salt else addresses))


def sign_grant(key: Ed25519PrivateKey, grant: Grant) -> str:
    """The token that stands in email.released and on the mail."""
    body = canonical(grant.model_dump(mode="json")).encode()
    return f"{_encode(body)}.{_encode(key.sign(body))}"


def verify_grant(key: Ed25519PublicKey, token: str, now: datetime) -> Grant:
    """The statement, if the gatekeeper signed it and it has not expired; raises GrantRefused."""
    try:
        head, _, tail = token.partition(".")
        body = _decode(head)
        key.verify(_decode(tail), body)
        grant = Grant.model_validate_json(body)
    except (InvalidSignature, ValidationError, ValueError, binascii.Error):
        raise GrantRefused("the grant is not the gatekeeper's") from None
    if grant.expires_at <= now:
        raise GrantRefused("the grant has expired")
    return grant


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(value: str) -> bytes:
    plain = value.translate(_URL_LETTERS) + "=" * (-len(value) % 4)
    return binascii.a2b_base64(plain, strict_mode=True)
