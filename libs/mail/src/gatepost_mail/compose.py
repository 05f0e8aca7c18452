"""From content to the bytes on the wire: canonical CRLF, safe headers, never a Bcc."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from gatepost_mail.address import address
from gatepost_mail.content import Content

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_CONTROLS = bytes((*range(9), 11, 12, *range(14, 32), 127))
_BLANK = (b" ", b"\t")
_NAME = re.compile(r"^[A-Za-z0-9-]{1,76}$")
_WORD_BYTES = 39


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
    marks = (f"gp-{content.sha256[:24]}", f"gp-{content.sha256[24:48]}")
    kind, body = _parts("alternative", marks[0], (_text("plain", content.text), _text("html", content.html)))
    if content.attachments:
        files = attachments or {}
        whole = f"Content-Type: {kind}\r\n\r\n".encode() + body
        attached = (_file(file.name, file.type, files[file.sha256]) for file in content.attachments)
        kind, body = _parts("mixed", marks[1], (whole, *attached))
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
        ("Content-Type", kind),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines).encode("ascii")
    return head + b"\r\n" + body


def canonical_lines(raw: bytes) -> bytes:
    """Every line ends in CRLF, and no bare CR or LF is left."""
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _parts(subtype: str, mark: str, parts: Iterable[bytes]) -> tuple[str, bytes]:
    """(Content-Type, body) of a multipart. The mark comes of the content's digest, so that no content can hold it."""
    edge = f"--{mark}\r\n".encode()
    body = b"".join(edge + part + b"\r\n" for part in parts)
    return f'multipart/{subtype}; boundary="{mark}"', body + f"--{mark}--\r\n".encode()


def _text(subtype: str, text: str) -> bytes:
    """A text part: as it is where every server leaves it alone, else quoted-printable."""
    raw = canonical_lines(text.encode("utf-8"))
    coding = "7bit"
    if _is_fragile(raw):
        coding = "quoted-printable"
        raw = canonical_lines(binascii.b2a_qp(raw, quotetabs=False, istext=True))
        if b"From " in raw:
            raw = b"\r\n".join(map(_guarded, raw.split(b"\r\n")))
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {coding}\r\n\r\n'
    return head.encode() + raw


def _is_fragile(raw: bytes) -> bool:
    """Some server on the way may change it: long lines, spaces at a line's end, From at its start, control characters."""
    return (
        not raw.isascii()
        or len(raw.translate(None, _CONTROLS)) < len(raw)
        or raw.endswith(_BLANK)
        or b" \r\n" in raw
        or b"\t\r\n" in raw
        or raw.startswith(b"From ")
        or b"\nFrom " in raw
        or max(map(len, raw.split(b"\r\n"))) > 78
    )


def _guarded(line: bytes) -> bytes:
    return b"=46" + line[1:] if line.startswith(b"From ") else line


def _file(name: str, content_type: str, data: bytes) -> bytes:
    main = content_type.partition("/")[0]
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", content_type, re.ASCII) or main in {"multipart", "message"}:
        content_type = "application/octet-stream"
    name = _FORBIDDEN.sub("_", name)[-80:]
    if name.isascii() and not re.search(r'["\\%]', name):
        shown = f'filename="{name}"'
    else:  # RFC 2231
        shown = f"filename*=utf-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    head = (
        f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;\r\n {shown}\r\n\r\n"
    )
    return head.encode() + base64.encodebytes(data).replace(b"\n", b"\r\n")


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
    return "\r\n ".join(_encoded(text))


def _encoded(text: str) -> Iterable[str]:
    """Encoded words that leave room for the name of their header (RFC 2047 2); none holds a part of a character."""
    whole = text.encode("utf-8", "replace")
    start = 0
    while start < len(whole):
        end = min(start + _WORD_BYTES, len(whole))
        while end < len(whole) and whole[end] & 0xC0 == 0x80:
            end -= 1
        yield f"=?utf-8?b?{base64.b64encode(whole[start:end]).decode()}?="
        start = end


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
