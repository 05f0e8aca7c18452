"""Delivery reports (RFC 3464), complaints (RFC 5965) and opt-outs: what do they say, and of which mail?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any

from gatepost_mail.headers import header, message_ids, raw_headers
from gatepost_mail.parse import Parsed

_WORDS = {
    "unsubscribe", "stop", "remove me", "remove", "opt out", "opt-out", "please unsubscribe", "unsubscribe me", "unsubscribe please",
    "please unsubscribe me", "abmelden", "bitte abmelden", "austragen", "désinscription", "me désinscrire", "darse de baja", "baja",
    "cancellami", "disiscrivimi", "uitschrijven", "afmelden", "cancelar inscrição", "descadastrar",
}  # fmt: skip
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


@dataclass(frozen=True)
class Report:
    """What was read; `rfc_message_ids` name the mail that it speaks of, the surest first."""

    kind: str
    action: str = "none"
    status: str | None = None
    recipient: str | None = None
    rfc_message_ids: tuple[str, ...] = ()


def is_opt_out(parsed: Parsed) -> bool:
    """Is the whole of what they wrote a wish to be left alone?"""
    said = re.sub(r"[\s.!,*_-]+", " ", parsed.reply_text.lower()).strip()
    return said in _WORDS or (len(said) < 80 and parsed.subject_stripped.lower().strip(" .!") in _WORDS and not said)


def read_report(raw: bytes, parsed: Parsed) -> Report | None:
    """The report in this mail, or None for ordinary mail. Never raises."""
    try:
        if parsed.is_report:
            return _report(BytesParser(policy=policy.compat32).parsebytes(raw))
    except Exception:
        return None
    if is_opt_out(parsed):
        return Report("opt_out", rfc_message_ids=(*parsed.in_reply_to, *reversed(parsed.references)))
    if "auto_submitted" in parsed.automatic and "report" not in parsed.automatic:
        return Report("auto_reply", rfc_message_ids=(*parsed.in_reply_to, *reversed(parsed.references)))
    return None


def _report(message: Message[Any, Any]) -> Report | None:
    about = message_ids([*raw_headers(message, "In-Reply-To"), *raw_headers(message, "References")])
    action, status, recipient, kind = "none", None, None, None
    original: tuple[str, ...] = ()
    for part in message.walk():
        match part.get_content_type():
            case "message/delivery-status":
                kind = "dsn"
                for block in part.get_payload() if isinstance(part.get_payload(), list) else ():
                    if isinstance(block, Message) and header(block, "Action"):
                        action = header(block, "Action").strip().lower()
                        found = _STATUS.search(header(block, "Status"))
                        status = found[1] if found else None
                        recipient = header(block, "Final-Recipient").rpartition(";")[2].strip().lower() or None
            case "message/feedback-report":
                kind = "arf"
            case "message/rfc822":
                inner = part.get_payload(0) if part.is_multipart() else None
                if isinstance(inner, Message):
                    original = message_ids(raw_headers(inner, "Message-ID"))
            case "text/rfc822-headers":
                text = part.get_payload(decode=True)
                if isinstance(text, bytes):
                    head = BytesParser(policy=policy.compat32).parsebytes(text, headersonly=True)
                    original = message_ids(raw_headers(head, "Message-ID"))
    if kind is None:
        return None
    known = {
        "failed": "failed",
        "delivered": "delivered",
        "relayed": "delivered",
        "expanded": "delivered",
        "delayed": "delayed",
    }
    return Report(kind, known.get(action, "none"), status, recipient, (*original, *about))
