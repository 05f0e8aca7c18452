"""A raw mail in the words of whoever posts it: a relay of ours, or the inbound webhook of a mail provider. No I/O.

Taken as they are: message/rfc822 and other raw bodies. Understood: SendGrid's Inbound Parse with the raw mail
(`email`, `envelope`), Mailgun's MIME routes (`body-mime`, `recipient`, `sender`), Mandrill (`mandrill_events`), Postmark
with the raw mail (`RawEmail`, `OriginalRecipient`), Amazon SES through SNS (`content`), and plain JSON
(`raw` or `raw_base64`, `to`, `from`).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RAW_TYPES = frozenset({"message/rfc822", "message/global", "text/plain", "application/octet-stream", ""})
FORM_TYPES = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})


class NotUnderstood(Exception):
    """The request holds no raw mail; the sentence says what is missing."""


@dataclass(frozen=True)
class Provided:
    """A mail and what was said of its envelope."""

    raw: bytes
    sender: str | None = None
    recipients: tuple[str, ...] = ()


def from_form(fields: Mapping[str, bytes]) -> list[Provided]:
    """The mails of a posted form; values as they came."""
    if "mandrill_events" in fields:
        events = _json(fields["mandrill_events"])
        messages = (
            [event.get("msg") or {} for event in events if isinstance(event, dict)] if isinstance(events, list) else []
        )
        return [
            Provided(_bytes(m["raw_msg"]), _text(m.get("from_email")), _addresses(m.get("email")))
            for m in messages if m.get("raw_msg")
        ]  # fmt: skip
    if "body-mime" in fields:
        return [Provided(fields["body-mime"], _decoded(fields, "sender"), _addresses(_decoded(fields, "recipient")))]
    if "email" in fields:
        said = _json(fields["envelope"]) if "envelope" in fields else {}
        envelope = said if isinstance(said, dict) else {}
        return [Provided(fields["email"], _text(envelope.get("from")), _addresses(envelope.get("to")))]
    if "raw" in fields:
        return [Provided(fields["raw"], _decoded(fields, "from"), _addresses(_decoded(fields, "to")))]
    raise NotUnderstood("The form has no raw mail: turn on the provider's option to post the full MIME message.")


def from_json(body: bytes) -> list[Provided]:
    """The mails of a posted JSON document."""
    said = _json(body)
    if not isinstance(said, dict):
        raise NotUnderstood("The body is no JSON object.")
    if said.get("Type") == "SubscriptionConfirmation":
        raise NotUnderstood("This is Amazon's question whether to subscribe: open its SubscribeURL once.")
    if said.get("Type") == "Notification" and isinstance(said.get("Message"), str):
        return [_from_ses(_json(said["Message"].encode()))]
    if "RawEmail" in said:
        recipients = _addresses(said.get("OriginalRecipient"))
        return [Provided(_bytes(said["RawEmail"]), _text(said.get("From")), recipients)]
    sender, recipients = _text(said.get("from")), _addresses(said.get("to"))
    if isinstance(said.get("raw_base64"), str):
        return [Provided(_unpacked(said["raw_base64"]), sender, recipients)]
    if isinstance(said.get("raw"), str):
        return [Provided(_bytes(said["raw"]), sender, recipients)]
    raise NotUnderstood("The document has no `raw`, `raw_base64` or `RawEmail`.")


def _from_ses(said: Any) -> Provided:
    if not isinstance(said, dict) or not isinstance(said.get("content"), str):
        raise NotUnderstood("The notification has no `content`: let the rule include the mail itself.")
    mail, receipt = said.get("mail") or {}, said.get("receipt") or {}
    encoding = (receipt.get("action") or {}).get("encoding")
    raw = _unpacked(said["content"]) if encoding == "BASE64" else _bytes(said["content"])
    return Provided(raw, _text(mail.get("source")), _addresses(receipt.get("recipients") or mail.get("destination")))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("The body is no JSON.") from None


def _bytes(text: Any) -> bytes:
    """A raw mail that travelled as text."""
    return str(text).encode("utf-8", "replace")


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise NotUnderstood("The mail is no base64.") from None


def _decoded(fields: Mapping[str, bytes], name: str) -> str | None:
    return fields[name].decode("utf-8", "replace") if name in fields else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _addresses(value: Any) -> tuple[str, ...]:
    words: Sequence[Any] = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(word.strip() for word in words if isinstance(word, str) and word.strip())
