"""Which parts of a mail are its words, which are files, and what the words say.

Of alternatives the plain one is read where it says anything; elsewhere every inline text counts, in the order of the
mail: a footer that a gateway added as text does not take the place of the HTML above it. Alternatives that tell a
person and a machine different things are marked: a person sees the HTML, a program would have read the text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gatepost_mail.charsets import decode
from gatepost_mail.headers import clean, decode_words, one_line, parameters
from gatepost_mail.html import Reading, read_html
from gatepost_mail.invisible import tricks, visible
from gatepost_mail.mime import Part, content

MOST_TEXT = 2_000_000
"""Characters of text that are kept; the raw bytes hold the rest."""
_WORD = re.compile(r"[^\W_]{3,}")
_TEXTS = frozenset({"text/plain", "text/html", "text/enriched", "text/markdown", "text/x-amp-html"})
_STUB = 400
_NAMES = {"message/rfc822": ".eml", "text/calendar": ".ics", "application/ms-tnef": ".dat", "text/vcard": ".vcf",
          "application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif"}  # fmt: skip
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u2028\u2029\u202a-\u202e\u2066-\u2069]")


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


@dataclass
class Bodies:
    """What was found: the words as text, the HTML to show, the files, and the tricks with which words were hidden."""

    text: str = ""
    html: str = ""
    files: list[Attachment] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)


def read_bodies(raw: bytes, top: Part, defects: list[str]) -> Bodies:
    """Read every part once."""
    found = Bodies()
    numbers = {id(part): n for n, part in enumerate(top.leaves())}
    texts = list(_show(raw, top, found, numbers, defects))
    found.text = clean("\n\n".join(text.strip() for text in texts if text.strip())).strip()[:MOST_TEXT]
    found.files.sort(key=lambda file: file.n)
    return found


def _show(raw: bytes, part: Part, found: Bodies, numbers: dict[int, int], defects: list[str]) -> Iterator[str]:
    if part.children:
        if part.kind == "multipart/alternative":
            yield _best(raw, part, found, numbers, defects)
        else:
            for child in part.children:
                yield from _show(raw, child, found, numbers, defects)
        return
    if not _is_words(part):
        found.files.append(_file(raw, part, numbers[id(part)], defects))
        return
    text = _text(raw, part, defects)
    if part.kind == "text/html":
        yield _read(text, found).text
    elif part.kind == "text/enriched":
        yield re.sub(r"</?[A-Za-z-]{1,30}>", "", text)
    else:
        found.hidden.update(tricks(text))
        yield visible(text)


def _best(raw: bytes, part: Part, found: Bodies, numbers: dict[int, int], defects: list[str]) -> str:
    """The plain alternative, unless it only says that one should read the other."""
    plain: list[Part] = []
    rich: list[Part] = []
    for child in part.children:
        leaves = [leaf.kind for leaf in child.leaves() if _is_words(leaf)]
        (plain if leaves and all(kind != "text/html" for kind in leaves) else rich).append(child)
    said = "\n".join(text for child in plain for text in _show(raw, child, found, numbers, defects)).strip()
    shown = "\n".join(text for child in rich for text in _show(raw, child, found, numbers, defects)).strip()
    if not said or not shown:
        return said or shown
    if _differ(said, shown):
        found.hidden.add("alternatives")
    return shown if len(said) < _STUB and len(shown) > 4 * len(said) else said


def _differ(said: str, shown: str) -> bool:
    """Does the plain text say a good deal that the HTML does not show?"""
    words = {word.lower() for word in _WORD.findall(said[:100_000]) if not word.isdigit()}
    seen = {word.lower() for word in _WORD.findall(shown[:400_000])}
    return len(words) >= 8 and len(words - seen) > 0.6 * len(words)


def _is_words(part: Part) -> bool:
    if part.kind not in _TEXTS and not part.kind.startswith("multipart/"):
        return False
    disposition = part.first("content-disposition")
    return disposition.partition(";")[0].strip().lower() != "attachment" and not file_name(part)


def _text(raw: bytes, part: Part, defects: list[str]) -> str:
    data = content(raw, part, defects, most=4 * MOST_TEXT)
    text, held = decode(data, part.params.get("charset"))
    if not held and part.params.get("charset"):
        defects.append("bad_charset")
    if len(text) > MOST_TEXT:
        defects.append("text_cut")
    return clean(text[:MOST_TEXT]).replace("\r\n", "\n").replace("\r", "\n")


def _read(html: str, found: Bodies) -> Reading:
    reading = read_html(html)
    found.hidden.update(reading.hidden)
    found.html = f"{found.html}\n{html}" if found.html else html
    return reading


def _file(raw: bytes, part: Part, n: int, defects: list[str]) -> Attachment:
    data = content(raw, part, defects)
    content_id = one_line(part.first("content-id")).strip("<> ")[:200] or None
    disposition = part.first("content-disposition").partition(";")[0].strip().lower()
    return Attachment(
        n=n,
        name=file_name(part) or f"part-{n}{_NAMES.get(part.kind, '')}",
        content_type=part.kind[:200],
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content_id=content_id,
        inline=disposition == "inline" or content_id is not None,
    )


def file_name(part: Part) -> str:
    """The name a file was given, safe on every system: no path, no control, no bidi trick, at most 200 characters."""
    disposition = part.raw("content-disposition")
    said = parameters(disposition[0]).get("filename") if disposition else None
    name = decode_words(said or part.params.get("name", ""))
    name = visible(_UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2])).strip(" .")
    if len(name) > 200:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: 199 - len(ending)]}.{ending}" if dot and len(ending) <= 20 else name[:200]
    return name
