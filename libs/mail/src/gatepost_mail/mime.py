"""The parts of a mail, as a tree of slices of its bytes. Linear in the size of the mail; never raises.

The standard library's parser walks a mail line by line and asks every open boundary about each line: 10 MB of empty
lines take it four seconds, and 1,500 nested parts end its recursion (docs/adr/0041). Here one search finds the lines
that begin with two hyphens, and only those are compared, with the boundaries that are open. What is wrong is named in
`defects`, and the bytes are read as far as they make sense:
a part without an end goes on to the end of what holds it (RFC 2046 5.1.2), an outer boundary closes the inner parts.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gatepost_mail.headers import decode_words, header_text, loose_base64, parameters

MOST_PARTS = 1_000
MOST_DEPTH = 50
MOST_HEADER_BYTES = 256 * 1024
"""Of the mail's own header, and of all its parts' headers together."""
MOST_FIELDS = 2_000
MOST_DELIMITERS = 100_000
LONGEST_BOUNDARY = 256

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_MBOX_LINE = re.compile(rb">?From (?![ \t]*:)")
_BLANK = re.compile(rb"\r?\n\r?\n")
_KIND = re.compile(r"^[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}$")


@dataclass
class Part:
    """One part: its header fields in order, names in lower case, and where its body lies."""

    fields: list[tuple[str, bytes]]
    start: int
    end: int = -1
    depth: int = 0
    kind: str = "text/plain"
    params: dict[str, str] = field(default_factory=dict)
    children: list[Part] = field(default_factory=list)

    def raw(self, name: str) -> list[str]:
        """All values of a field as they stand, unfolded."""
        return [header_text(value) for found, value in self.fields if found == name]

    def first(self, name: str) -> str:
        """The first value of a field, decoded to one line; empty when there is none."""
        return next((decode_words(header_text(value)) for found, value in self.fields if found == name), "")

    @property
    def is_multipart(self) -> bool:
        """Whether it holds parts."""
        return bool(self.children)

    def walk(self) -> Iterator[Part]:
        """Itself and all below it, in the order of the bytes."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))

    def leaves(self) -> Iterator[Part]:
        """The parts that hold something; the place among them names an attachment for ever."""
        return (part for part in self.walk() if not part.children)


def split(raw: bytes, defects: list[str]) -> Part:
    """The tree of a mail."""
    if _MBOX_LINE.match(raw):  # a mailbox file's separator
        raw_start = raw.find(b"\n") + 1
        defects.append("mbox_line")
    else:
        raw_start = 0
    budget = [MOST_HEADER_BYTES]
    top = _begin(raw, raw_start, 0, defects, budget)
    budget[0] = MOST_HEADER_BYTES
    stack = [top]
    lines = {_boundary(top): top} if _holds_parts(top, defects) else {}
    count, seen, place = 1, 0, top.start
    while lines:
        at = place if _is_line_start(raw, place) and raw.startswith(b"--", place) else raw.find(b"\n--", place) + 1
        if at <= 0 and not raw.startswith(b"--", at):
            break
        seen += 1
        if seen > MOST_DELIMITERS:
            defects.append("too_many_delimiters")
            break
        line_end = raw.find(b"\n", at, at + LONGEST_BOUNDARY + 8)
        line = raw[at + 2 : line_end if line_end >= 0 else min(len(raw), at + LONGEST_BOUNDARY + 8)].rstrip()
        place = line_end + 1 if line_end >= 0 else at + 2
        holder = lines.get(line) or (lines.get(line[:-2]) if line.endswith(b"--") else None)
        if holder is None:
            continue
        _close(stack, holder, _before(raw, at), lines)
        if line not in lines:  # the closing line: what follows belongs to whatever is around
            del lines[line[:-2]]
            holder.end = _before(raw, at)
            stack.pop()
            if not stack:
                break
            continue
        if count >= MOST_PARTS:
            defects.append("too_many_parts")
            break
        count += 1
        part = _begin(raw, place, holder.depth + 1, defects, budget)
        place = part.start
        holder.children.append(part)
        stack.append(part)
        if _holds_parts(part, defects) and _boundary(part) not in lines:
            lines[_boundary(part)] = part
    for part in stack:
        part.end = len(raw)
    if lines and top.kind.startswith("multipart/"):
        defects.append("unclosed")
    return top


def _close(stack: list[Part], holder: Part, end: int, lines: dict[bytes, Part]) -> None:
    """End everything that is open inside `holder`."""
    while stack[-1] is not holder:
        part = stack.pop()
        part.end = max(end, part.start)
        for name in [name for name, owner in lines.items() if owner is part]:
            del lines[name]


def _holds_parts(part: Part, defects: list[str]) -> bool:
    if not part.kind.startswith("multipart/"):
        return False
    if part.depth >= MOST_DEPTH:
        defects.append("too_deep")
        return False
    if not _boundary(part):
        defects.append("no_boundary")
        return False
    return True


def _boundary(part: Part) -> bytes:
    return part.params.get("boundary", "").encode("utf-8", "replace").rstrip()[:LONGEST_BOUNDARY]


def _is_line_start(raw: bytes, at: int) -> bool:
    return at == 0 or raw[at - 1 : at] == b"\n"


def _before(raw: bytes, at: int) -> int:
    """The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1)."""
    if raw[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if raw[at - 1 : at] == b"\n" else at


def _begin(raw: bytes, start: int, depth: int, defects: list[str], budget: list[int]) -> Part:
    """A part from its header; the body begins where the header ends, or where it stops looking like one."""
    limit = min(len(raw), start + max(0, budget[0]))
    fields: list[tuple[str, bytes]] = []
    name, value = "", bytearray()
    place = start
    while place < limit:
        line_end = raw.find(b"\n", place, limit)
        stop = line_end if line_end >= 0 else limit
        line = raw[place : stop - 1] if raw[stop - 1 : stop] == b"\r" and stop > place else raw[place:stop]
        after = stop + 1 if line_end >= 0 else stop
        if not line:
            place = after
            break
        if line[:1] in b" \t":
            if name:
                value += line
            elif line.strip():
                defects.append("bad_header")
                break
        elif found := _FIELD.match(line):
            if name:
                fields.append((name, bytes(value)))
            name, value = found[1].decode("ascii").lower(), bytearray(found[2].strip())
        else:
            defects.append("bad_header")  # the body begins here, as mail servers see it
            break
        if len(fields) >= MOST_FIELDS:
            break
        place = after
    if name:
        fields.append((name, bytes(value)))
    budget[0] -= place - start
    if (place >= limit and limit < len(raw)) or len(fields) >= MOST_FIELDS:
        defects.append("headers_cut")
        ahead = _BLANK.search(raw, place)
        place = ahead.end() if ahead else place
    return _typed(Part(fields, place, depth=depth), defects)


def _typed(part: Part, defects: list[str]) -> Part:
    value = next((header_text(v) for n, v in part.fields if n == "content-type"), "")
    kind = re.sub(r"\s", "", value.partition(";")[0]).lower()
    if value:
        part.params = parameters(value)
    if _KIND.match(kind):
        part.kind = kind
    elif kind in {"text", ""}:
        part.kind = "text/plain"
    else:
        defects.append("bad_content_type")
        part.kind = "application/octet-stream"
    return part


def content(raw: bytes, part: Part, defects: list[str], most: int | None = None) -> bytes:
    """The decoded bytes of a leaf, at most about `most` of them."""
    end = part.end if most is None else min(part.end, part.start + most * 2)
    body = raw[part.start : end]
    encoding = next((header_text(v) for n, v in part.fields if n == "content-transfer-encoding"), "").strip().lower()
    match encoding.partition(";")[0].strip(' "'):
        case "base64":
            try:
                return binascii.a2b_base64(body)
            except binascii.Error:
                defects.append("bad_base64")
                return loose_base64(body)
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case "x-uuencode" | "uuencode" | "uue" | "x-uue":
            return _uudecode(body, defects)
        case "" | "7bit" | "8bit" | "binary" | "none":
            return body
        case _:
            defects.append("bad_encoding")
            return body


def _uudecode(body: bytes, defects: list[str]) -> bytes:
    found = re.search(rb"(?m)^begin [0-7]{3,4} .*\r?\n", body)
    data = bytearray()
    for line in body[found.end() if found else 0 :].splitlines():
        if line.strip() in {b"end", b"`"}:
            break
        try:
            data += binascii.a2b_uu(line)
        except binascii.Error:
            defects.append("bad_uuencode")
    return bytes(data)
