"""Where a URL that somebody gave us may lead: which are refused at once, and which addresses at connect.

A name is resolved by our own resolver at each new connection, every address it has is checked, and the connection goes
to exactly the addresses that were checked, so a name which changes its mind between check and connect gains nothing.
Notations such as `0x7f.1`, `2130706433` or `::ffff:10.0.0.1` end as an address too and are judged as that address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = frozenset({443, 8443})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_CGNAT = ipaddress.ip_network("100.64.0.0/10")
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")
_LOCAL_NAMES = (".local", ".internal", ".localdomain", ".home.arpa")


class TargetRefused(OSError):
    """We do not deliver there; the sentence is safe to show."""


class Targets:
    """What may be reached: the open internet by https, and what the operator allows beside it.

    `allowed` are networks that are reached though they are private, by http too and on any port. In `dev` that is
    loopback.
    """

    def __init__(self, allowed: Sequence[str] = (), *, is_dev: bool = False) -> None:
        networks = [ipaddress.ip_network(text.strip()) for text in allowed]
        self._has_own = bool(networks)
        if is_dev:
            networks += [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
        self._allowed = tuple(networks)

    def check_url(self, url: str) -> None:
        """Refuse what needs no name server to see; raises TargetRefused."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise TargetRefused("the URL cannot be read") from None
        host = _bare(parts.hostname or "")
        if not host or any(c.isspace() or ord(c) < 33 for c in url) or "\\" in url:
            raise TargetRefused("the URL cannot be read")
        if parts.scheme not in {"http", "https"}:
            raise TargetRefused("only https is delivered to")
        if parts.username is not None or parts.password is not None:
            raise TargetRefused("the URL holds a user name or password")
        is_plain = parts.scheme == "https" and (port is None or port in PORTS)
        if (literal := _literal(host)) is not None:
            if self._is_allowed(literal):
                return
            if not is_public(literal):
                raise TargetRefused("the address is not public")
        elif host == "localhost" or host.endswith(".localhost"):
            if not self._allowed:
                raise TargetRefused("the address is not public")
            return  # where it leads is seen when it is resolved
        elif host.endswith(_LOCAL_NAMES) or ("." not in host and ":" not in host):
            if not self._has_own:
                raise TargetRefused("the address is not public")
            return
        elif self._has_own and port not in PORTS:
            return  # on such a port `addresses` takes allowed networks only
        if not is_plain:
            raise TargetRefused("only https on port 443 or 8443 is delivered to")

    async def addresses(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[str]:
        """Every address of the host, each of which may be connected to; raises TargetRefused, or OSError without one.

        On another port than those of https, which http has too, each must be one that the operator allows.
        """
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        found = dict.fromkeys(str(sockaddr[0]).partition("%")[0] for _, _, _, _, sockaddr in infos)
        for text in found:
            self._check(ipaddress.ip_address(text), port)
        if not found:
            raise TargetRefused("the name has no address")
        return list(found)

    def _check(self, address: Address, port: int) -> None:
        if not self._is_allowed(address) and not (is_public(address) and port in PORTS):
            raise TargetRefused("the address is not public")

    def _is_allowed(self, address: Address) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        plain = mapped or address
        return any(plain in network for network in self._allowed if network.version == plain.version)


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


def _bare(host: str) -> str:
    return host.rstrip(".").lower()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 0x7f.1, 0177.0.0.1, 2130706433
    except OSError:
        return None
