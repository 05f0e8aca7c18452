"""Header values as people meant them: encoded words, raw 8-bit, folds, parameters; nothing here raises."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from gatepost_mail.charsets import decode
from gatepost_mail.invisible import visible

LONGEST = 65_536
"""Bytes of one header value that are read."""
MOST_IDS = 200
MOST_PARAMETERS = 64

_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(\?=)\s+(?==\?[^?\s]{1,80}\?[bBqQ]\?)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PARAMETER = re.compile(r'\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)')
_SECTION = re.compile(r"^([^*]+)(?:\*(\d{1,3}))?(\*)?$")


def clean(text: str) -> str:
    """Without NUL and lone surrogates, so that Postgres takes it."""
    if not text.isascii() and _SURROGATE.search(text):
        text = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", text)
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\x00", "\ufffd")


def one_line(text: str) -> str:
    """A header value: folds become spaces, other controls are shown as such."""
    text = re.sub(r"[\r\n\t\v\f\u0085\u2028\u2029]+ *", " ", clean(text))
    return re.sub(r"[\x00-\x1f\x7f]", "\ufffd", text).strip()


def header_text(raw: bytes) -> str:
    """The characters of a header's bytes: UTF-8 if they are, as many programs write them (RFC 6532), else by guess."""
    return clean(decode(raw[:LONGEST], None)[0])


def decode_words(value: str) -> str:
    """Decode RFC 2047 words; unknown charsets and broken words are shown as they can be read, invisible characters are not.

    Neighbouring words of one charset are joined before they are decoded: programs cut characters in two.
    """
    value = value[:LONGEST]
    if "=?" not in value:
        return visible(one_line(value))
    value = _BETWEEN.sub(r"\1", value)
    parts: list[str] = []
    waiting: tuple[str, bytearray] | None = None
    end = 0
    for found in _WORD.finditer(value):
        between = value[end : found.start()]
        label = found[1].partition("*")[0]  # RFC 2231 5: a language may follow
        data = _word_bytes(found[2], found[3])
        if waiting is not None and not between and waiting[0].lower() == label.lower():
            waiting[1].extend(data)
        else:
            if waiting is not None:
                parts.append(decode(bytes(waiting[1]), waiting[0])[0])
            parts.append(between)
            waiting = (label, bytearray(data))
        end = found.end()
    if waiting is not None:
        parts.append(decode(bytes(waiting[1]), waiting[0])[0])
    return visible(one_line("".join(parts) + value[end:]))


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    return loose_base64(raw)


def loose_base64(raw: bytes) -> bytes:
    """Base64 with what strangers leave out or put in: other characters are skipped, missing padding is added."""
    try:
        return binascii.a2b_base64(raw, strict_mode=False)
    except binascii.Error:
        kept = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
        whole = len(kept) - (1 if len(kept) % 4 == 1 else 0)
        return base64.b64decode(kept[:whole] + b"=" * (-whole % 4))


def message_ids(values: list[str]) -> tuple[str, ...]:
    """The Message-IDs in these values, in order, without repeats, at most MOST_IDS."""
    found: dict[str, None] = {}
    for value in values:
        for token in re.findall(r"<[^<>\s]{1,990}>", value[:LONGEST]):
            found[token] = None
            if len(found) >= MOST_IDS:
                return tuple(found)
    return tuple(found)


def parameters(value: str) -> dict[str, str]:
    """The parameters of a Content-Type or Content-Disposition: RFC 2231 sections and charsets, and encoded words."""
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    rest = value.partition(";")[2][:LONGEST]
    for n, found in enumerate(_PARAMETER.finditer(rest)):
        if n >= MOST_PARAMETERS:
            break
        name = _SECTION.match(found[1].lower())
        if name is None:
            continue
        said = found[2].strip()
        if said.startswith('"'):
            said = re.sub(r"\\(.)", r"\1", said[1:].removesuffix('"'))
        pieces.setdefault(name[1], {}).setdefault(int(name[2] or 0), (said, bool(name[3])))
    return {name: _joined(sections) for name, sections in pieces.items()}


def _joined(sections: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 4.1: the charset stands in the first section, each section says whether it is percent-encoded."""
    label: str | None = None
    data = bytearray()
    for n in sorted(sections):
        said, is_encoded = sections[n]
        if is_encoded and n == 0 and said.count("'") >= 2:
            label, _, said = said.split("'", 2)
        data += unquote_to_bytes(said) if is_encoded else said.encode("utf-8", "surrogatepass")
    text = decode(bytes(data), label or None)[0]
    return decode_words(text) if "=?" in text else one_line(text)
