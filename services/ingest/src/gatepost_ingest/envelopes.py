"""The envelope of a mail that came without one, from the headers that the delivering server wrote. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatepost_ingest.paths import folded, is_address

_RECIPIENT_HEADERS = ("x-original-to", "delivered-to", "x-delivered-to", "envelope-to", "x-forwarded-to", "to", "cc")
_HEAD_BYTES = 262_144
_IN_ANGLES = re.compile(r"<([^<>\s]{3,320})>")
_BARE = re.compile(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")


def recipients_in(raw: bytes) -> tuple[str, ...]:
    """Addresses that this mail may have been delivered to, the surest first."""
    found: dict[str, None] = {}
    headers = list(_headers(raw))
    for name in _RECIPIENT_HEADERS:
        for header, value in headers:
            if header == name:
                found.update(dict.fromkeys(_addresses(value)))
    return tuple(found)


def sender_in(raw: bytes) -> str | None:
    """The envelope's sender; empty for the null sender, None where nothing tells."""
    headers = list(_headers(raw))
    for header, value in headers:
        if header == "return-path":
            if value.strip() == "<>":
                return ""
            return next(iter(_addresses(value)), None)
    return next((a for header, value in headers if header == "from" for a in _addresses(value)), None)


def _addresses(value: str) -> list[str]:
    words = _IN_ANGLES.findall(value) or _BARE.findall(value)
    return [folded(word) for word in words if is_address(word)]


def _headers(raw: bytes) -> Iterator[tuple[str, str]]:
    head = re.split(rb"\r?\n\r?\n", raw[:_HEAD_BYTES], maxsplit=1)[0].decode("latin-1")
    for line in re.split(r"\r?\n(?![ \t])", head):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), re.sub(r"\r?\n[ \t]+", " ", value)
