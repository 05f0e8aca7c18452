"""Addresses: strict where we write to them, lenient where we read what others wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import getaddresses

from gatepost_mail.headers import clean, decode_words

LOCAL = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
DOMAIN = re.compile(
    r"^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
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
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
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
    """Whatever addresses stand in these header values; never raises, at most MOST, first mention counts."""
    found: dict[str, Address] = {}
    try:
        pairs = getaddresses([value[:65_536] for value in values])
    except Exception:
        return ()
    for name, written in pairs[: MOST * 2]:
        spec = clean(written).strip().lower()
        if "@" in spec and spec not in found and len(spec) <= 320 and not re.search(r"\s", spec):
            found[spec] = Address(clean(decode_words(name)).strip(), spec)
        if len(found) >= MOST:
            break
    return tuple(found.values())
