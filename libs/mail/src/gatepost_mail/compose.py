"""From content to the bytes on the wire: canonical CRLF, safe headers, never a Bcc."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email import encoders, policy
from email.charset import QP, Charset
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime

from gatepost_mail.address import address
from gatepost_mail.content import Content

SMTP = policy.compat32.clone(linesep="\r\n", max_line_length=78)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_NAME = re.compile(r"^[A-Za-z0-9-]{1,76}$")


class UnsafeHeader(ValueError):
    """A value would break out of its header."""


def compose(
    content: Content,
    *,
    rfc_message_id: str,
    date: datetime,
    attachments: Mapping[str, bytes] | None = None,
    extra_headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The whole mail, not yet signed. `attachments` maps sha256 to bytes, one for each of the content's."""
    body = _alternative(content, (content.sha256[:24], content.sha256[24:48]))
    if content.attachments:
        files = attachments or {}
        mixed = MIMEMultipart("mixed", boundary=f"gp-{content.sha256[24:48]}")
        mixed.attach(body)
        for file in content.attachments:
            mixed.attach(_file(file.name, file.type, files[file.sha256]))
        body = mixed
    del body["MIME-Version"]
    lines = [
        ("From", _mailboxes([(content.from_name, content.from_)])),
        ("To", _mailboxes([("", a) for a in content.to])),
        *([("Cc", _mailboxes([("", a) for a in content.cc]))] if content.cc else []),
        *([("Reply-To", _mailboxes([("", content.reply_to)]))] if content.reply_to else []),
        ("Subject", _words(content.subject)),
        ("Date", format_datetime(date)),
        ("Message-ID", _token(rfc_message_id)),
        *([("In-Reply-To", _token(content.in_reply_to))] if content.in_reply_to else []),
        *([("References", "\r\n ".join(_token(r) for r in content.references))] if content.references else []),
        *((name, _plain(name, value)) for name, value in (*content.headers, *extra_headers)),
        ("MIME-Version", "1.0"),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines).encode("ascii")
    return head + canonical_lines(body.as_bytes(policy=SMTP))


def canonical_lines(raw: bytes) -> bytes:
    """Every line ends in CRLF, and no bare CR or LF is left."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", raw)


def _alternative(content: Content, marks: Sequence[str]) -> MIMEMultipart:
    both = MIMEMultipart("alternative", boundary=f"gp-{marks[0]}")
    both.attach(_text(content.text, "plain"))
    both.attach(_text(content.html, "html"))
    return both


def _text(text: str, subtype: str) -> MIMENonMultipart:
    charset = Charset("utf-8")
    charset.body_encoding = QP
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    part.set_payload(text.replace("\r\n", "\n"), charset)
    del part["MIME-Version"]
    return part


def _file(name: str, content_type: str, data: bytes) -> MIMEBase:
    main, _, sub = content_type.partition("/")
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", content_type) or main in {"multipart", "message"}:
        main, sub = "application", "octet-stream"
    part = MIMEBase(main, sub)
    part.set_payload(data)
    encoders.encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", _FORBIDDEN.sub("_", name)[-80:]))
    del part["MIME-Version"]
    return part


def _mailboxes(pairs: Iterable[tuple[str, str]]) -> str:
    """Built from name and addr-spec, never by parsing text, so that no name adds a recipient."""
    parts = []
    for name, spec in pairs:
        checked = address(spec).addr
        parts.append(f"{_phrase(name)} <{checked}>" if name else checked)
    return ",\r\n ".join(parts)


def _phrase(name: str) -> str:
    if _FORBIDDEN.search(name):
        raise UnsafeHeader("a name holds no control characters")
    if name.isascii() and "=?" not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _words(name)


def _words(text: str) -> str:
    if _FORBIDDEN.search(text):
        raise UnsafeHeader("a header value holds no control characters")
    if text.isascii() and "=?" not in text and len(text) <= 900:
        return "\r\n ".join(_folded(text)) if len(text) > 70 else text
    return Header(text, "utf-8", maxlinelen=72).encode(linesep="\r\n")


def _folded(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) > 68:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _token(value: str) -> str:
    if not re.fullmatch(r"<[!-~]{1,990}>", value):
        raise UnsafeHeader("not a Message-ID")
    return value


def _plain(name: str, value: str) -> str:
    if (
        not _NAME.match(name)
        or not value.isascii()
        or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n[ \t])|(?<!\r)\n", value)
    ):
        raise UnsafeHeader(f"unsafe header {name[:40]!r}")
    return value
