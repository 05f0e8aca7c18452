"""Is this webhook really from Gatepost, and new? Checks whichever signature is there.

The three `webhook-*` headers are the better ones: they hold the id and the moment, so a stored copy cannot be played again.
`X-MultiMail-Signature`, bare hex or `sha256=` and hex, is over the body alone and does not stop a replay.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, MutableSet
from typing import Any

from gatepost_client.errors import WebhookError

TOLERANCE_S = 300


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, Any],
    secret: str,
    *,
    tolerance_s: float = TOLERANCE_S,
    seen: MutableSet[str] | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """The event, or WebhookError. With `seen`, a set you keep, an id that comes twice raises with code `duplicate`."""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    held = {str(name).lower(): str(value) for name, value in headers.items()}
    if signatures := held.get("webhook-signature"):
        _check_triple(raw, held, signatures, secret, tolerance_s, time.time() if now is None else now)
    elif signature := held.get("x-multimail-signature"):
        expected = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature.strip().removeprefix("sha256=").lower().encode(), expected.encode()):
            raise _refused("wrong_signature", "the signature does not fit the body and the secret")
    else:
        raise _refused("unsigned", "there is no signature")
    try:
        event = json.loads(raw)
    except ValueError:
        raise _refused("no_json", "the body is no JSON") from None
    if not isinstance(event, dict):
        raise _refused("no_json", "the body is no event")
    if seen is not None and (webhook_id := held.get("webhook-id") or str(event.get("id") or "")):
        if webhook_id in seen:
            raise _refused("duplicate", f"{webhook_id} was handled before")
        seen.add(webhook_id)
    return event


def _check_triple(
    raw: bytes, held: Mapping[str, str], signatures: str, secret: str, tolerance_s: float, now: float
) -> None:
    """`v1,` and base64 over `id.timestamp.body`; several while a secret is being changed."""
    webhook_id, moment = held.get("webhook-id", ""), held.get("webhook-timestamp", "")
    if not moment.isdigit() or not webhook_id:
        raise _refused("unsigned", "webhook-id or webhook-timestamp is missing")
    if abs(now - int(moment)) > tolerance_s:
        raise _refused("too_old", "it was sent too long ago, or the clocks differ")
    signed = f"{webhook_id}.{moment}.".encode() + raw
    expected = base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest())
    given = [part.partition(",")[2] for part in signatures.split() if part.startswith("v1,")]
    if not any(hmac.compare_digest(one.encode(), expected) for one in given):
        raise _refused("wrong_signature", "no signature fits the body and the secret")


def key_of(secret: str) -> bytes:
    """The HMAC key of the triple: the decoded tail of `whsec_...`, else the secret's own bytes."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()


def _refused(code: str, sentence: str) -> WebhookError:
    return WebhookError(sentence, 0, {"code": code, "error": sentence})
