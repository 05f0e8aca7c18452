"""From the bytes of an inbound mail to what agents and people read. Never raises; the raw bytes are kept elsewhere.

Caps bound what one mail can cost: parts, depth, header bytes, addresses, characters of text. What lies beyond is not
read, and `defects` says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gatepost_mail.address import Address, read_addresses
from gatepost_mail.automatic import reasons_not_to_answer
from gatepost_mail.bodies import MOST_TEXT, Attachment, Bodies, read_bodies
from gatepost_mail.calendars import invitation
from gatepost_mail.headers import clean, message_ids, one_line
from gatepost_mail.html import clean_html
from gatepost_mail.mime import MOST_DEPTH, MOST_HEADER_BYTES, MOST_PARTS, Part, content, split
from gatepost_mail.quote import reply_text
from gatepost_mail.subjects import stripped

__all__ = [
    "MOST_DEPTH",
    "MOST_HEADER_BYTES",
    "MOST_PARTS",
    "MOST_TEXT",
    "Attachment",
    "Parsed",
    "attachment_bytes",
    "parse",
]


@dataclass(frozen=True)
class Parsed:
    """An inbound mail as it can be read."""

    sha256: str
    size: int
    subject: str
    subject_stripped: str
    from_name: str
    from_address: str
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: str | None
    date: datetime | None
    rfc_message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    text: str
    reply_text: str
    html: str | None
    hidden_text: bool
    attachments: tuple[Attachment, ...]
    automatic: tuple[str, ...]
    defects: tuple[str, ...]
    received_count: int
    delivered_to: tuple[str, ...]
    is_report: bool
    has_text: bool = True
    hidden: tuple[str, ...] = ()
    authors: tuple[Address, ...] = ()
    kind: str = "text/plain"
    claimed_results: tuple[str, ...] = ()
    """Authentication-Results of whoever wrote them: claims, no proof."""


def parse(raw: bytes) -> Parsed:
    """Read a mail. What cannot be read is named in `defects`; there is always some text."""
    defects: list[str] = []
    top = split(raw, defects)
    bodies = read_bodies(raw, top, defects)
    text = bodies.text or _stands_in(raw, top, bodies)
    authors = read_addresses(top.raw("from"))
    sender = authors or read_addresses(top.raw("sender"))
    subject = top.first("subject")[:998]
    replies = read_addresses(top.raw("reply-to"))
    own_id = message_ids([*top.raw("message-id"), *(f"<{value.strip()}>" for value in top.raw("message-id")[:1])])
    if len(authors) > 1 or len(top.raw("from")) > 1:
        defects.append("several_authors")
    return Parsed(
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        subject=subject,
        subject_stripped=stripped(subject),
        from_name=sender[0].name[:200] if sender else "",
        from_address=sender[0].addr if sender else "",
        to=read_addresses(top.raw("to")),
        cc=read_addresses(top.raw("cc")),
        reply_to=replies[0].addr if replies else None,
        date=_date(top.first("date")),
        rfc_message_id=own_id[0] if own_id else None,
        in_reply_to=message_ids(top.raw("in-reply-to")),
        references=message_ids(top.raw("references")),
        text=text,
        reply_text=reply_text(text) if bodies.text else text,
        html=clean_html(bodies.html)[:MOST_TEXT] if bodies.html else None,
        hidden_text=bool(bodies.hidden),
        attachments=tuple(bodies.files),
        automatic=reasons_not_to_answer(top),
        defects=tuple(dict.fromkeys(defects)),
        received_count=len(top.raw("received")),
        delivered_to=tuple(one_line(value) for value in top.raw("delivered-to")),
        is_report=is_report(top),
        has_text=bool(bodies.text),
        hidden=tuple(sorted(bodies.hidden)),
        authors=authors,
        kind=top.kind,
        claimed_results=tuple(top.raw("authentication-results")[:50]),
    )


def attachment_bytes(raw: bytes, n: int) -> bytes:
    """The decoded bytes of the leaf part with this number; raises KeyError when there is none."""
    for number, part in enumerate(split(raw, []).leaves()):
        if number == n:
            return content(raw, part, [])
    raise KeyError(n)


def is_report(top: Part) -> bool:
    """A delivery report or a complaint, whichever way it is wrapped (RFC 3462)."""
    if top.kind == "multipart/report":
        return True
    return any(part.kind in {"message/delivery-status", "message/feedback-report"} for part in top.children[:20])


def _stands_in(raw: bytes, top: Part, bodies: Bodies) -> str:
    """For a mail without words of its own: what it forwards, what it invites to, or the names of its files."""
    for part in top.leaves():
        if part.kind == "text/calendar" and (said := invitation(content(raw, part, []))):
            return said
        if part.kind == "message/rfc822":
            inner_raw = content(raw, part, [])
            inner = split(inner_raw, [])
            words = read_bodies(inner_raw, inner, []).text
            head = f"(Forwarded mail from {inner.first('from')[:200]}: {inner.first('subject')[:200]})"
            return clean(f"{head}\n\n{words}").strip()[:MOST_TEXT]
    names = ", ".join(file.name for file in bodies.files[:50]) or "none"
    return f"(This mail has no text. Attachments: {names}.)"


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except Exception:
        return None
