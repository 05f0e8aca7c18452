"""Addresses: strict where we write to them, lenient where we read what others wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gatepost_mail.headers import LONGEST, clean, decode_words
from gatepost_mail.invisible import visible

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
LOCAL = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
DOMAIN = re.compile(
    r"^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|<[^<>]*>?|[(),;:]|[^"<(),;:]+|.', re.DOTALL)
_ODD = re.compile(r"[\s\x00-\x1f\x7f<>()\[\],;:\\]")
MOST = 500
"""Addresses read of one header; the rest is left out (a cap against hostile mail)."""


class BadAddress(ValueError):
    """Not an address that we can write to, unchanged and unambiguously."""


@dataclass(frozen=True)
class Address:
    """A display name and an addr-spec (RFC 5322 3.4)."""

    name: str
    addr: str

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.addr.rpartition("@")[2]


def address(text: str) -> Address:
    """One address we may write to: `a@b.c` or `Name <a@b.c>`, lower case. Anything that does not round-trip raises."""
    text = text.strip()
    if _CONTROLS.search(text):
        raise BadAddress("an address holds no control characters")
    name, spec = "", text
    if found := re.fullmatch(r"(?P<name>.*?)\s*<(?P<spec>[^<>]*)>", text):
        name, spec = found["name"].strip(), found["spec"].strip()
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1].replace('\\"', '"')
    local, at, domain = spec.rpartition("@")
    if not at or len(local) > 64 or not LOCAL.match(local):
        raise BadAddress(f"not an address: {text[:80]!r}")
    try:
        domain = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        raise BadAddress(f"not a domain: {domain[:80]!r}") from None
    if not DOMAIN.match(domain):
        raise BadAddress(f"not a domain: {domain[:80]!r}")
    return Address(name, f"{local}@{domain}".lower())


def read_addresses(values: Iterable[str]) -> tuple[Address, ...]:
    """Whatever addresses stand in these header values; never raises, at most MOST, first mention counts.

    Read in one pass: quoted strings, comments to any depth, groups, angle brackets, and what programs leave out of
    them. An encoded word is decoded after the address is found, so that no comma or at sign hidden in one makes an
    address of its own.
    """
    found: dict[str, Address] = {}
    for value in values:
        for name, written in _mailboxes(value[:LONGEST]):
            spec = visible(clean(written)).strip(" \t\r\n'\"").lower()
            local, at, domain = spec.rpartition("@")
            if at and local and domain and spec not in found and len(spec) <= 320 and not _ODD.search(spec):
                found[spec] = Address(clean(decode_words(name)).strip(), spec)
            if len(found) >= MOST:
                return tuple(found.values())
    return tuple(found.values())


def _mailboxes(value: str) -> Iterator[tuple[str, str]]:
    """(name, addr-spec) of each mailbox of an address list (RFC 5322 3.4), as far as it can be made out."""
    name: list[str] = []
    spec: str | None = None
    comment: list[str] = []
    depth = 0
    for piece in _TOKEN.finditer(value):
        part = piece[0]
        if part == "(":
            depth += 1
        elif depth:
            depth -= part == ")"
            comment.append(part)
        elif part in {",", ";"}:
            yield _mailbox(name, spec, comment)
            name, spec, comment = [], None, []
        elif part == ":" and spec is None:
            name = []  # the name of a group
        elif part[0] == "<":
            spec = part[1:].removesuffix(">").rpartition(":")[2] if spec is None else spec
        else:
            name.append(part)
    yield _mailbox(name, spec, comment)


def _mailbox(name: list[str], spec: str | None, comment: list[str]) -> tuple[str, str]:
    words = "".join(_unquoted(token) for token in name).strip()
    if spec is not None:
        return words, spec
    bare = next((token for token in "".join(name).split() if "@" in token), "".join(name).strip())
    return "".join(comment).removesuffix(")").strip() if bare == words else "", bare


def _unquoted(token: str) -> str:
    if token.startswith('"'):
        return re.sub(r"\\(.)", r"\1", token[1:].removesuffix('"'))
    return token
