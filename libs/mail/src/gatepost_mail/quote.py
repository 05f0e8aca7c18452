"""What somebody wrote now, without the quoted history and the signature below it. Linear in the length of the text.

Quoted lines (`>`) are left out wherever they stand, so that answers between and below quotes are kept. An unquoted
history is cut where a mail program announces it: a line that says who wrote when, a ruler with `Original message`,
a pasted header block. Where nothing would be left, the whole text is what they said. The full text is always kept
beside it.
"""

from __future__ import annotations

import re

from gatepost_mail.quote_words import ABOVE_THIS, FROM, ORIGINAL, PHONE, PHONE_STARTS, SENT, WROTE

_WROTE = re.compile("|".join(sorted(map(re.escape, WROTE), key=len, reverse=True)), re.IGNORECASE)
_WHO = re.compile(r"(19|20)\d\d|\d{1,2}[:.h]\d{2}|\d{1,2}[./-]\d{1,2}|@")
"""A moment or an address: what a mail program knows and a person seldom writes out."""
_GENERIC = re.compile(r"(\d{1,2}[:.]\d{2}|^\d{4}|^\d{1,2}[./]\d{1,2}[./]\d{2,4}).{0,200}<[^<>\s]+@[^<>\s]+>\s*[:：]$")
"""A moment, an address and a colon, in whatever language."""
_ZOHO = re.compile(r"(?i)^-{2,}\s*(on|am|le|el|il|em|op)\b.{5,200}-{2,}$")
_ORIGINAL = frozenset(ORIGINAL)
_LABEL = re.compile(r"^[*_\s>]*([^\W\d_][^:：*_]{0,18})[*_]{0,2}\s?[:：]")
_RULE = re.compile(r"^\s*([_\-=*]\s?){5,}\s*$")
_PHONE = re.compile(rf"(?i)^\s*(<?\[?)({'|'.join(PHONE)})[.!]?\s*(\(?<?https?://\S*)?\s*$")
_FROM, _SENT = frozenset(FROM), frozenset(SENT)
_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks of direction, with which programs wrap names and addresses."""
_TELLING = re.compile("[0-9@:]")
_BEGINS = re.compile(rf"(?i)\s*([-_=*#<>(\[]|({'|'.join(sorted(PHONE_STARTS))})\b|$)")
"""An ASCII line that neither tells a moment or an address nor begins like a mark is words, and most lines are such."""
_ENDS = (":", "：", "--", "wrote", "écrit")
LONGEST_LINE = 400
MOST_LINES = 50_000
"""Lines that are judged; what stands further below is kept as it is."""


def reply_text(text: str) -> str:
    """The new words, also those written below or between quotes. Where that would be nothing, the whole text."""
    kept: list[str] = []
    lines = text.splitlines()
    has_words = False
    place = 0
    while place < len(lines):
        if place > MOST_LINES:
            kept += lines[place:]
            break
        line = lines[place]
        if line.isascii() and not _TELLING.search(line) and not _BEGINS.match(line) and not line.endswith(_ENDS):
            has_words = has_words or not line.isspace()
            kept.append(line)
            place += 1
            continue
        short = _MARKS.sub("", line[:LONGEST_LINE]).strip(" \t\xa0")
        if short.startswith(">"):
            place += 1
            continue
        if short:
            if short in {"--", "—", "-- "} or _is_above_mark(short) or _is_phone(short):
                break
            if (size := _announces(short, lines, place)) > 0:
                quoted = _quoted_below(lines, place + size)
                if quoted is None and has_words:
                    break  # the history stands unquoted below: all the rest is it
                place = quoted if quoted is not None else place + size
                continue
            if has_words and _is_header_block(short, lines, place):
                break
            has_words = True
        kept.append(line)
        place += 1
    while kept and not kept[-1].strip("-_=* \t\xa0"):
        kept.pop()  # a ruler above what was cut
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() or text.strip()


def _announces(line: str, lines: list[str], place: int) -> int:
    """How many lines announce a quote here: 0 for none. Long attributions are wrapped over up to three."""
    if line.strip("-_=*>: \t").lower() in _ORIGINAL or (line.startswith("--") and _ZOHO.match(line)):
        return 1
    if line[0] in "_-=*" and _RULE.match(line):
        below = next((n for n in range(place + 1, min(place + 4, len(lines))) if lines[n].strip()), None)
        return int(below is not None and _is_header_block(lines[below].strip()[:LONGEST_LINE], lines, below))
    if not line.endswith(_ENDS) and not _WHO.search(line):
        return 0
    joined = line
    for size in range(1, 4):
        if joined.endswith(_ENDS) and _is_attribution(joined):
            return size
        if place + size >= len(lines) or len(joined) > LONGEST_LINE:
            return 0
        further = _MARKS.sub("", lines[place + size][:LONGEST_LINE]).strip()
        if not further or further.startswith(">"):
            return 0
        joined = f"{joined} {further}"
    return 0


def _is_attribution(line: str) -> bool:
    bare = line.rstrip(": ：-*_")
    if _GENERIC.search(line):
        return True
    return len(bare) <= LONGEST_LINE and _WHO.search(bare) is not None and _WROTE.search(bare) is not None


def _is_header_block(line: str, lines: list[str], place: int) -> bool:
    """`From:` and, within four lines, one more label of such a block; or two of them and then `From:`."""
    first = _label(line)
    if first not in _FROM and first not in _SENT:
        return False
    others = [_label(further[:LONGEST_LINE]) for further in lines[place + 1 : place + 5]]
    if first in _FROM:
        return any(other in _SENT for other in others)
    return any(other in _FROM for other in others[:2]) and any(other in _SENT for other in others)


def _label(line: str) -> str:
    found = _LABEL.match(line) if ":" in line[:30] or "：" in line[:30] else None
    return found[1].strip().lower() if found else ""


def _quoted_below(lines: list[str], place: int) -> int | None:
    """The line at which the announced quote begins, when it is marked with `>` right below."""
    for n in range(place, min(place + 3, len(lines))):
        further = lines[n].lstrip()
        if further.startswith(">"):
            return n
        if further:
            return None
    return None


def _is_above_mark(line: str) -> bool:
    if not line.startswith(("#", "-", "=", "*", "[", "(", "<", "_", "—")):
        return False
    lower = line.lower()
    return any(mark in lower for mark in ABOVE_THIS)


def _is_phone(line: str) -> bool:
    """Only short lines are asked, and of those in Latin script only such as begin like one."""
    if len(line) > 90:
        return False
    word = line.lstrip("<[").partition(" ")[0].lower()
    return (word in PHONE_STARTS or (not line.isascii() and len(line) < 60)) and _PHONE.match(line) is not None
