"""Where a webhook may go: which URLs are refused at once, and which addresses at connect.

A name is resolved by our own resolver at each new connection, every address it has is checked, and the connection goes
to exactly the addresses that were checked, so a name which changes its mind between check and connect gains nothing.
Notations such as `0x7f.1`, `2130706433` or `::ffff:10.0.0.1` end as an address too and are judged as that address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = frozenset({443, 8443})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_CGNAT = ipaddress.ip_network("100.64.0.0/10")
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")


class TargetRefused(OSError):
    """We do not deliver there; the sentence is safe to show."""


def check_url(url: str, *, is_dev: bool) -> None:
    """Refuse what needs no name server to see; raises TargetRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise TargetRefused("the URL cannot be read") from None
    host = (parts.hostname or "").rstrip(".").lower()
    if not host or any(c.isspace() or ord(c) < 33 for c in url) or "\\" in url:
        raise TargetRefused("the URL cannot be read")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("the URL holds a user name or password")
    is_loopback = _is_loopback_host(host)
    if is_dev and is_loopback and parts.scheme in {"http", "https"}:
        return
    if parts.scheme != "https":
        raise TargetRefused("only https is delivered to")
    if port is not None and port not in PORTS:
        raise TargetRefused("this port is not delivered to")
    if is_loopback or host.endswith(_LOCAL_NAMES) or ("." not in host and ":" not in host):
        raise TargetRefused("the address is not public")
    if (literal := _literal(host)) is not None and not is_public(literal):
        raise TargetRefused("the address is not public")


def is_public(address: Address) -> bool:
    """True for addresses of the open internet, after unwrapping IPv4 inside IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and int(address) >> 32 == 0:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)  # ::a.b.c.d
        if inner is not None:
            return is_public(inner)
        if address in _SITE_LOCAL or address in _NAT64_LOCAL:
            return False
    elif address in _CGNAT:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class CheckingResolver(AbstractResolver):
    """Resolves a name and gives back its addresses only if every one of them may be delivered to."""

    def __init__(self, *, is_dev: bool) -> None:
        self._is_dev = is_dev

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of the host, checked."""
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        found: dict[str, ResolveResult] = {}
        for kind, _, proto, _, sockaddr in infos:
            text = str(sockaddr[0]).partition("%")[0]
            address = ipaddress.ip_address(text)
            if not is_public(address) and not (self._is_dev and address.is_loopback):
                raise TargetRefused("the address is not public")
            found[text] = ResolveResult(
                hostname=host, host=text, port=port, family=kind, proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )  # fmt: skip
        if not found:
            raise TargetRefused("the name has no address")
        return list(found.values())

    async def close(self) -> None:
        """Nothing is held."""


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 0x7f.1, 0177.0.0.1, 2130706433
    except OSError:
        return None


def _is_loopback_host(host: str) -> bool:
    literal = _literal(host)
    if literal is None:
        return host == "localhost" or host.endswith(".localhost")
    mapped = literal.ipv4_mapped if isinstance(literal, ipaddress.IPv6Address) else None
    return (mapped or literal).is_loopback
