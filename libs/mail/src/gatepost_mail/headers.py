"""Header values as people meant them: encoded words, raw 8-bit, folds; nothing here raises."""

from __future__ import annotations

import re
from email.header import decode_header
from email.message import Message
from typing import Any

LONGEST = 65_536


def clean(text: str) -> str:
    """Without NUL, lone surrogates and line breaks, so that Postgres and headers take it."""
    if _has_surrogate(text):
        text = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", text)
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\x00", "\ufffd")


def one_line(text: str) -> str:
    """A header value: folds become spaces."""
    text = re.sub(r"[\r\n\t\v\f\u0085\u2028\u2029]+ *", " ", clean(text))
    return re.sub(r"[\x00-\x1f\x7f]", "\ufffd", text).strip()


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def decode_words(value: str) -> str:
    """Decode RFC 2047 words; unknown charsets and broken words are shown as they can be read."""
    value = value[:LONGEST]
    if "=?" not in value:
        return one_line(value)
    try:
        parts = decode_header(value)
    except Exception:
        return one_line(value)
    text = ""
    for part, charset in parts:
        text += part if isinstance(part, str) else decode_bytes(part, charset)
    return one_line(text)


def decode_bytes(raw: bytes, charset: str | None) -> str:
    """By the label if it fits, else UTF-8, else Windows-1252; the raw bytes stay elsewhere."""
    for name in (charset, "utf-8"):
        if name:
            try:
                return raw.decode(name)
            except (LookupError, UnicodeError, ValueError):
                continue
    return raw.decode("cp1252", "replace")


def header(message: Message[Any, Any], name: str) -> str:
    """The first value of a header, decoded to one line; empty when absent or unreadable."""
    return next(iter(headers(message, name)), "")


def headers(message: Message[Any, Any], name: str) -> list[str]:
    """All values of a header."""
    return [decode_words(value) for value in raw_headers(message, name)]


def raw_headers(message: Message[Any, Any], name: str) -> list[str]:
    """All values, not decoded, cleaned."""
    try:
        return [clean(str(value)) for value in message.get_all(name, [])]
    except Exception:
        return []


def message_ids(values: list[str]) -> tuple[str, ...]:
    """The Message-IDs in these values, in order, without repeats, at most 200."""
    found: dict[str, None] = {}
    for value in values:
        for token in re.findall(r"<[^<>\s]{1,990}>", value[:LONGEST]):
            found[token] = None
            if len(found) >= 200:
                return tuple(found)
    return tuple(found)
