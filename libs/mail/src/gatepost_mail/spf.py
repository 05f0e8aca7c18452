"""May this address send for that domain? (SPF, RFC 7208), as a dialogue with DNS.

Limits of section 4.6.4: ten terms that ask DNS, two answers that are empty, ten names of an MX or PTR. Beyond them it
is permerror, so that no record makes us ask the world. Explanations (`exp=`) are not fetched.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal

from gatepost_mail.lookups import Answer, Dialogue, Kind, Question, host

Result = Literal["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"]
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
MOST_TERMS, MOST_VOID, MOST_NAMES = 10, 2, 10

_QUALIFIERS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(r"^(?P<q>[+~?-]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)(?P<rest>[:/].*)?$", re.IGNORECASE)
_MODIFIER = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*=")
_LENGTHS = re.compile(r"^(?P<domain>:[^/].*?)?(?P<four>/\d{1,2})?(?P<six>//\d{1,3})?$")
_MACRO = re.compile(r"%(?:([%_-])|\{([slodiphv])(\d{0,3})(r?)([.+,/_=-]*)\}|.|$)", re.IGNORECASE | re.DOTALL)


class _Wrong(Exception):
    """permerror: the record, or what it asks for, breaks the rules."""


class _Unknown(Exception):
    """temperror: DNS did not answer."""


@dataclass
class _Case:
    """One evaluation with its budget."""

    ip: Ip
    local: str
    sender_domain: str
    helo: str
    terms: int = 0
    voids: int = 0
    seen: list[str] = field(default_factory=list)

    def charge(self) -> None:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise _Wrong


def check(ip: str, mail_from: str, helo: str) -> Dialogue[tuple[Result, str]]:
    """The result and the domain it is about. A null sender is judged by the name in HELO (RFC 7208 2.4)."""
    local, at, domain = mail_from.rpartition("@")
    if not at:
        local, domain = "postmaster", helo
    domain = host(domain)
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "none", domain
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if "." not in domain:
        return "none", domain
    case = _Case(address, local or "postmaster", domain, host(helo) or "unknown")
    try:
        return (yield from _check_host(case, domain)), domain
    except _Wrong:
        return "permerror", domain
    except _Unknown:
        return "temperror", domain


def _check_host(case: _Case, domain: str) -> Dialogue[Result]:
    if not (name := host(domain)) or "." not in name:
        return "none"
    (answer,) = yield (Question(name),)
    if answer.status == "temperror":
        raise _Unknown
    records = [record for record in answer.records if re.match(r"(?i)v=spf1( |$)", record)]
    if not records:
        return "none"
    if len(records) > 1:
        raise _Wrong
    mechanisms, redirect = _terms(records[0])
    for qualifier, mechanism, rest in mechanisms:
        if (yield from _matches(case, name, mechanism, rest)):
            return _QUALIFIERS[qualifier]
    if redirect is None:
        return "neutral"
    case.charge()
    result = yield from _check_host(case, _expand(case, name, redirect))
    if result == "none":
        raise _Wrong
    return result


def _terms(record: str) -> tuple[list[tuple[str, str, str]], str | None]:
    """All of it is read before any of it counts: a mistake anywhere is permerror."""
    mechanisms: list[tuple[str, str, str]] = []
    modifiers: dict[str, str] = {}
    for term in record.split(" ")[1:]:
        if not term:
            continue
        if found := _TERM.match(term):
            mechanisms.append((found["q"] or "+", found["name"].lower(), found["rest"] or ""))
        elif _MODIFIER.match(term):
            name, _, value = term.partition("=")
            if name.lower() in {"redirect", "exp"} and name.lower() in modifiers:
                raise _Wrong
            modifiers[name.lower()] = value
        else:
            raise _Wrong
    for _, name, rest in mechanisms:
        _validate(name, rest)
    return mechanisms, modifiers.get("redirect")


def _validate(name: str, rest: str) -> None:
    if name in {"include", "exists"} and not (rest.startswith(":") and len(rest) > 1):
        raise _Wrong
    if name == "all" and rest:
        raise _Wrong
    if name in {"ip4", "ip6"}:
        _network(name, rest)
    elif name in {"a", "mx"}:
        _lengths(rest)
    elif name == "ptr" and rest and not (rest.startswith(":") and len(rest) > 1):
        raise _Wrong


def _network(name: str, rest: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(rest.removeprefix(":"), strict=False)
    except ValueError:
        raise _Wrong from None
    if network.version != int(name[2]) or not rest.startswith(":"):
        raise _Wrong
    return network


def _lengths(rest: str) -> tuple[str, int, int]:
    """The domain, and the prefix lengths for IPv4 and IPv6."""
    found = _LENGTHS.match(rest)
    if found is None:
        raise _Wrong
    four, six = int((found["four"] or "/32")[1:]), int((found["six"] or "//128")[2:])
    if four > 32 or six > 128:
        raise _Wrong
    return (found["domain"] or "")[1:], four, six


def _matches(case: _Case, domain: str, mechanism: str, rest: str) -> Dialogue[bool]:
    match mechanism:
        case "all":
            return True
        case "ip4" | "ip6":
            network = _network(mechanism, rest)
            return network.version == case.ip.version and case.ip in network
        case "include":
            case.charge()
            result = yield from _check_host(case, _expand(case, domain, rest[1:]))
            if result == "none":
                raise _Wrong
            return result == "pass"
        case "exists":
            case.charge()
            answer = yield from _ask(case, _expand(case, domain, rest[1:]), "A")
            return bool(answer.records)
        case "a":
            case.charge()
            named, four, six = _lengths(rest)
            return (yield from _is_address_of(case, _expand(case, domain, named) if named else domain, four, six))
        case "mx":
            case.charge()
            return (yield from _is_exchange(case, domain, rest))
        case _:
            case.charge()
            return (yield from _has_name(case, _expand(case, domain, rest[1:]) if rest else domain))


def _is_exchange(case: _Case, domain: str, rest: str) -> Dialogue[bool]:
    named, four, six = _lengths(rest)
    answer = yield from _ask(case, _expand(case, domain, named) if named else domain, "MX")
    if len(answer.records) > MOST_NAMES:
        raise _Wrong
    for exchange in answer.records:
        if (yield from _is_address_of(case, exchange, four, six, counts=False)):
            return True
    return False


def _is_address_of(case: _Case, name: str, four: int, six: int, *, counts: bool = True) -> Dialogue[bool]:
    kind: Kind = "A" if case.ip.version == 4 else "AAAA"
    answer = yield from _ask(case, name, kind, counts=counts)
    length = four if case.ip.version == 4 else six
    for record in answer.records:
        try:
            if case.ip in ipaddress.ip_network(f"{record}/{length}", strict=False):
                return True
        except ValueError:
            continue
    return False


def _has_name(case: _Case, domain: str) -> Dialogue[bool]:
    """`ptr`: a name of the address that leads back to it, in the domain; DNS errors are no match (5.5)."""
    (answer,) = yield (Question(case.ip.reverse_pointer, "PTR"),)
    kind: Kind = "A" if case.ip.version == 4 else "AAAA"
    for name in answer.records[:MOST_NAMES]:
        if host(name) != domain and not host(name).endswith(f".{domain}"):
            continue
        (back,) = yield (Question(host(name), kind),)
        if str(case.ip) in {_plain(record) for record in back.records}:
            return True
    return False


def _plain(record: str) -> str:
    try:
        return str(ipaddress.ip_address(record))
    except ValueError:
        return ""


def _ask(case: _Case, name: str, kind: Kind, *, counts: bool = True) -> Dialogue[Answer]:
    if not (asked := host(name)):
        return Answer("nxdomain")
    (answer,) = yield (Question(asked, kind),)
    if answer.status == "temperror":
        raise _Unknown
    if not answer.records and counts:
        case.voids += 1
        if case.voids > MOST_VOID:
            raise _Wrong
    return answer


def _expand(case: _Case, domain: str, text: str) -> str:
    """Macros of section 7; a name that grows too long loses labels from its left."""

    def replaced(found: re.Match[str]) -> str:
        if found[1]:
            return {"%": "%", "_": " ", "-": "%20"}[found[1]]
        if not found[2]:
            raise _Wrong
        value = _macro(case, domain, found[2].lower())
        parts = re.split(f"[{re.escape(found[5] or '.')}]", value)
        if found[4]:
            parts.reverse()
        if found[3]:
            if int(found[3]) == 0:
                raise _Wrong
            parts = parts[-int(found[3]) :]
        return ".".join(parts)

    name = _MACRO.sub(replaced, text)
    while len(name) > 253 and "." in name:
        name = name.partition(".")[2]
    return name


def _macro(case: _Case, domain: str, letter: str) -> str:
    match letter:
        case "s":
            return f"{case.local}@{case.sender_domain}"
        case "l":
            return case.local
        case "o":
            return case.sender_domain
        case "d":
            return domain
        case "i":
            return str(case.ip) if case.ip.version == 4 else ".".join(case.ip.exploded.replace(":", ""))
        case "v":
            return "in-addr" if case.ip.version == 4 else "ip6"
        case "h":
            return case.helo
        case _:
            return "unknown"  # `p` costs look-ups and is not to be used (7.2)
