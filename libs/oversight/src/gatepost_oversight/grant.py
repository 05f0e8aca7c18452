"""The grant: what the gatekeeper signs when it lets a mail go, and the sender checks before every attempt."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gatepost_contracts.canonical import canonical

_PREFIX = "gpg1"
_DOMAIN = b"gatepost grant v1\n"


class Decision(BaseModel):
    """Who approved what."""

    model_config = ConfigDict(frozen=True)

    principal: str
    key: str | None = None
    content_sha256: str


class Grant(BaseModel):
    """Exactly this content may go to exactly these recipients until then."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant_id: str
    mailbox_id: str
    message_id: str
    revision: int
    release: int
    content_sha256: str
    recipients: tuple[str, ...]
    policy: str
    mode: str
    decisions: tuple[Decision, ...] = ()
    system_template: bool = False
    issued_at: AwareDatetime
    not_before: AwareDatetime | None = None
    expires_at: AwareDatetime


class GrantRefused(Exception):
    """The token is not a grant of ours that holds now."""


def sign_grant(private: Ed25519PrivateKey, grant: Grant) -> str:
    """The grant as one line of text."""
    body = canonical(grant.model_dump(mode="json")).encode()
    return f"{_PREFIX}.{_encode(body)}.{_encode(private.sign(_DOMAIN + body))}"


def verify_grant(public: Ed25519PublicKey, token: str, now: datetime) -> Grant:
    """The grant that the token holds; raises GrantRefused with the reason."""
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != _PREFIX:
        raise GrantRefused("it is not a grant")
    try:
        body, signature = _decode(parts[1]), _decode(parts[2])
        public.verify(signature, _DOMAIN + body)
        grant = Grant.model_validate_json(body)
    except InvalidSignature:
        raise GrantRefused("its signature is not the gatekeeper's") from None
    except (binascii.Error, ValueError, ValidationError) as error:
        raise GrantRefused("it cannot be read") from error
    if now >= grant.expires_at:
        raise GrantRefused("it has expired")
    return grant


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
