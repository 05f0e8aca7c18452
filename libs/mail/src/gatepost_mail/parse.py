"""From the bytes of an inbound mail to what agents and people read. Never raises; the raw bytes are kept elsewhere.

Read with compat32 and our own decoders: the newer policy raises on mail that really arrives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from gatepost_mail.address import Address, read_addresses
from gatepost_mail.automatic import reasons_not_to_answer
from gatepost_mail.headers import clean, decode_bytes, decode_words, header, message_ids, one_line, raw_headers
from gatepost_mail.html import clean_html, hides_text, to_text
from gatepost_mail.quote import reply_text
from gatepost_mail.subjects import stripped

MOST_PARTS = 1_000
MOST_DEPTH = 50
MOST_HEADER_BYTES = 256 * 1024
MOST_TEXT = 2_000_000
"""Characters of text that are kept; the raw bytes hold the rest."""

Mail: TypeAlias = "Message[Any, Any]"


@dataclass(frozen=True)
class Attachment:
    """A part that is a file; `n` is its place among all leaf parts, so that it can be cut from the raw bytes again."""

    n: int
    name: str
    content_type: str
    size: int
    sha256: str
    content_id: str | None = None
    inline: bool = False


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


def parse(raw: bytes) -> Parsed:
    """Read a mail. What cannot be read is named in `defects`; there is always some text."""
    defects: list[str] = []
    message = _message(raw, defects)
    leaves = list(_leaves(message, defects))
    plain, html, files = _bodies(leaves, defects)
    hidden = bool(html) and hides_text(html)
    text = clean(plain if plain.strip() else to_text(html) if html else "").strip()[:MOST_TEXT]
    if not text:
        names = ", ".join(file.name for file in files) or "none"
        text = f"(This mail has no text. Attachments: {names}.)"
    sender = read_addresses(raw_headers(message, "From")) or read_addresses(raw_headers(message, "Sender"))
    subject = header(message, "Subject")[:998]
    replies = read_addresses(raw_headers(message, "Reply-To"))
    own_id = message_ids(raw_headers(message, "Message-ID"))
    return Parsed(
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        subject=subject,
        subject_stripped=stripped(subject),
        from_name=sender[0].name[:200] if sender else "",
        from_address=sender[0].addr if sender else "",
        to=read_addresses(raw_headers(message, "To")),
        cc=read_addresses(raw_headers(message, "Cc")),
        reply_to=replies[0].addr if replies else None,
        date=_date(message),
        rfc_message_id=own_id[0] if own_id else None,
        in_reply_to=message_ids(raw_headers(message, "In-Reply-To")),
        references=message_ids(raw_headers(message, "References")),
        text=text,
        reply_text=reply_text(text),
        html=clean_html(html)[:MOST_TEXT] if html else None,
        hidden_text=hidden,
        attachments=tuple(files),
        automatic=reasons_not_to_answer(message),
        defects=tuple(dict.fromkeys(defects)),
        received_count=len(raw_headers(message, "Received")),
        delivered_to=tuple(one_line(v) for v in raw_headers(message, "Delivered-To")),
        is_report=message.get_content_type() == "multipart/report",
    )


def attachment_bytes(raw: bytes, n: int) -> bytes:
    """The decoded bytes of the leaf part with this number; raises KeyError when there is none."""
    for number, part in enumerate(_leaves(_message(raw, []), [])):
        if number == n:
            return _payload(part, [])
    raise KeyError(n)


def _message(raw: bytes, defects: list[str]) -> Mail:
    try:
        return BytesParser(policy=policy.compat32).parsebytes(_bounded(raw, defects))
    except Exception:
        defects.append("unreadable")
    try:
        return BytesHeaderParser(policy=policy.compat32).parsebytes(raw[:MOST_HEADER_BYTES])
    except Exception:
        return Message()


def _bounded(raw: bytes, defects: list[str]) -> bytes:
    """Cut a monstrous header block before the parser sees it."""
    end = min((at for at in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if at >= 0), default=len(raw))
    if end <= MOST_HEADER_BYTES:
        return raw
    defects.append("headers_cut")
    return raw[: raw.rfind(b"\n", 0, MOST_HEADER_BYTES) + 1] + raw[end:]


def _leaves(message: Mail, defects: list[str]) -> Iterator[Mail]:
    """Parts that hold something, in order; depth and number are capped. A forwarded mail is a leaf."""
    stack: list[tuple[Mail, int]] = [(message, 0)]
    count = 0
    while stack:
        part, depth = stack.pop()
        count += 1
        if count > MOST_PARTS or depth > MOST_DEPTH:
            defects.append("too_many_parts")
            return
        if part.defects:
            defects.extend(type(defect).__name__ for defect in part.defects)
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() == "multipart":
            stack.extend((sub, depth + 1) for sub in reversed(payload) if isinstance(sub, Message))
        else:
            yield part


def _bodies(leaves: list[Mail], defects: list[str]) -> tuple[str, str, list[Attachment]]:
    plain: list[str] = []
    html: list[str] = []
    files: list[Attachment] = []
    for n, part in enumerate(leaves):
        kind, name = part.get_content_type(), _file_name(part)
        disposition = str(part.get("Content-Disposition") or "").split(";")[0].strip().lower()
        if kind in {"text/plain", "text/html"} and disposition != "attachment" and not name:
            (plain if kind == "text/plain" else html).append(_text(part, defects))
            continue
        data = _payload(part, defects)
        content_id = one_line(str(part.get("Content-ID") or "")).strip("<>") or None
        files.append(
            Attachment(
                n=n,
                name=name or f"part-{n}",
                content_type=clean(kind)[:200],
                size=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                content_id=content_id,
                inline=disposition == "inline" or content_id is not None,
            )
        )
    return "\n".join(plain), "\n".join(html), files


def _payload(part: Mail, defects: list[str]) -> bytes:
    try:
        if part.get_content_maintype() == "message" and part.is_multipart():
            inner = part.get_payload(0)
            return inner.as_bytes(policy=policy.compat32) if isinstance(inner, Message) else b""
        data = part.get_payload(decode=True)
    except Exception:
        defects.append("undecodable")
        return b""
    return data if isinstance(data, bytes) else b""


def _text(part: Mail, defects: list[str]) -> str:
    try:
        charset = part.get_content_charset()
    except Exception:
        charset = None
        defects.append("bad_charset")
    return decode_bytes(_payload(part, defects), charset)


def _file_name(part: Mail) -> str:
    try:
        name = part.get_filename() or ""
    except Exception:
        name = ""
    name = decode_words(name).replace("/", "_").replace("\\", "_")
    return name[-200:]


def _date(message: Mail) -> datetime | None:
    try:
        found = parsedate_to_datetime(header(message, "Date"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except Exception:
        return None
