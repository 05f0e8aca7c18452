"""A caught mail as JSON: envelope, headers, text, parts and what its signatures are worth."""

from __future__ import annotations

from collections import OrderedDict
from email import policy
from email.parser import BytesHeaderParser, BytesParser
from typing import Any

from gatepost_embedded.catcher.box import Box, Envelope
from gatepost_embedded.catcher.records import Records
from gatepost_mail.dkim_verify import verify_all
from gatepost_mail.headers import decode_words
from gatepost_mail.parse import parse

REMEMBERED = 5_000


class Views:
    """Reads mails and remembers the reading. Slow for large ones: call it from a thread."""

    def __init__(self, box: Box, records: Records) -> None:
        self._box, self._records = box, records
        self._read: OrderedDict[tuple[str, int], dict[str, Any]] = OrderedDict()

    def of(self, envelope: Envelope) -> dict[str, Any] | None:
        """The mail of this envelope; None when it was thrown away meanwhile."""
        key = (envelope.id, self._records.refresh())
        if (known := self._read.get(key)) is not None:
            return known
        try:
            raw = self._box.raw(envelope.id)
        except KeyError:
            return None
        made = view(envelope, raw, self._records)
        self._read[key] = made
        while len(self._read) > REMEMBERED:
            self._read.popitem(last=False)
        return made

    def all(self, *, to: str = "", subject: str = "", message_id: str = "", after: str = "") -> list[dict[str, Any]]:
        """Oldest first: those with a recipient and a subject that contain the words, or with that Message-ID."""
        found = []
        for envelope in self._box.envelopes():
            if envelope.id <= after or (to and not any(to.lower() in rcpt.lower() for rcpt in envelope.rcpt_to)):
                continue
            made = self.of(envelope)
            if made is None or subject.lower() not in made["subject"].lower():
                continue
            if message_id and message_id.strip("<> ") != (made["rfc_message_id"] or "").strip("<> "):
                continue
            found.append(made)
        return found


def view(envelope: Envelope, raw: bytes, records: Records) -> dict[str, Any]:
    """Everything but the raw bytes."""
    parsed = parse(raw)
    return {
        "id": envelope.id,
        "received_at": envelope.received_at,
        "envelope_from": envelope.envelope_from,
        "rcpt_to": list(envelope.rcpt_to),
        "helo": envelope.helo,
        "from": parsed.from_address,
        "subject": _clean(parsed.subject),
        "rfc_message_id": parsed.rfc_message_id,
        "headers": headers(raw),
        "text": _clean(parsed.text),
        "html": html(raw),
        "attachments": [
            {"n": a.n, "name": _clean(a.name), "content_type": a.content_type, "size": a.size, "sha256": a.sha256}
            for a in parsed.attachments
        ],
        "dkim": [
            {
                "domain": _clean(found.domain),
                "selector": _clean(found.selector),
                "result": "no key" if found.detail == "no_key" else found.result,
            }
            for found in verify_all(raw, records.lookup)
        ],
        "size": len(raw),
        "raw_sha256": parsed.sha256,
    }


def headers(raw: bytes) -> list[tuple[str, str]]:
    """Names and values as they stand in the mail, in its order, encoded words decoded."""
    try:
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)
        return [(_clean(name), _clean(decode_words(str(value)))) for name, value in message.items()]
    except Exception:
        return []


def html(raw: bytes) -> str | None:
    """The first HTML part as it was sent; it is shown as source, never as a page."""
    try:
        for part in BytesParser(policy=policy.compat32).parsebytes(raw).walk():
            if part.get_content_type() == "text/html" and part.get_content_disposition() != "attachment":
                payload = part.get_payload(decode=True)
                if isinstance(payload, bytes):
                    return _clean(payload.decode(part.get_content_charset() or "utf-8", "replace"))
    except Exception:
        return None
    return None


def _clean(text: str) -> str:
    """Without what JSON in UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
