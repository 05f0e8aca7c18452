"""What the DNS says: exchangers, addresses, texts and TLSA records, with one cache and one limit of time.

Addresses that are not public are left out unless the operator allows them: whoever writes an MX record must not be able
to point this sender at the inside of its own network. DNSSEC is believed only where the operator says that the resolver
validates, and that the way to it is safe.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.nameserver
import dns.resolver
from dns.rdatatype import RdataType

_EDNS_BYTES = 1232
_CACHE_MOST = 10_000


class NoSuchName(Exception):
    """The name does not exist (NXDOMAIN)."""


class LookupFailed(Exception):
    """Nobody could answer; later perhaps."""


@dataclass(frozen=True, slots=True)
class Exchangers:
    """The MX records, unsorted; `is_secure`: DNSSEC stands behind them, or behind their absence."""

    hosts: tuple[tuple[int, str], ...]
    is_secure: bool


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record (RFC 6698)."""

    usage: int
    selector: int
    matching: int
    data: bytes


class Names:
    """A resolver. `servers` empty: the system's. `keeps`: answers are kept as long as they say."""

    def __init__(
        self, servers: Sequence[tuple[str, int]] = (), *, lifetime_s: float = 10, allows_private: bool = False,
        validates: bool = False, order: Sequence[int] = (4, 6), keeps: bool = True,
    ) -> None:  # fmt: skip
        self._servers, self._lifetime_s, self._order = tuple(servers), lifetime_s, tuple(order)
        self._allows_private, self.validates, self._keeps = allows_private, validates, keeps
        self._resolver: dns.asyncresolver.Resolver | None = None

    def _its(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._servers]
            resolver.cache = dns.resolver.LRUCache(_CACHE_MOST) if self._keeps else None
            resolver.use_edns(0, dns.flags.DO if self.validates else 0, _EDNS_BYTES)
            self._resolver = resolver
        return self._resolver

    async def _ask(self, name: str, kind: RdataType) -> dns.resolver.Answer | None:
        """The answer, or None where the name has no such record. Raises NoSuchName and LookupFailed."""
        try:
            ascii_name = name if name.isascii() else name.encode("idna").decode()
            return await self._its().resolve(ascii_name, kind, lifetime=self._lifetime_s, search=False)
        except dns.resolver.NXDOMAIN as error:
            raise NoSuchName from error
        except dns.resolver.NoAnswer:
            return None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise LookupFailed from error

    def _is_secure(self, answer: dns.resolver.Answer | None) -> bool:
        return self.validates and answer is not None and bool(answer.response.flags & dns.flags.AD)

    async def exchangers(self, domain: str) -> Exchangers:
        """The MX records of a domain."""
        answer = await self._ask(domain, RdataType.MX)
        hosts = tuple((int(r.preference), str(r.exchange).rstrip(".").lower()) for r in answer or ())
        return Exchangers(hosts, self._is_secure(answer))

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Its addresses, as far as this sender may connect to them; those of the preferred family first."""
        found: list[str] = []
        failure: LookupFailed | None = None
        for family in self._order:
            try:
                answer = await self._ask(host, RdataType.A if family == 4 else RdataType.AAAA)
            except LookupFailed as failed:
                failure = failed
                continue
            found += [str(record.address) for record in answer or ()]
        if failure is not None and not found:
            raise failure
        return tuple(address for address in found if self.may_reach(address))

    def may_reach(self, address: str) -> bool:
        """Public, or private addresses are allowed here."""
        its = ipaddress.ip_address(address)
        if isinstance(its, ipaddress.IPv6Address):
            its = its.ipv4_mapped or its.sixtofour or its
        return self._allows_private or (its.is_global and not its.is_multicast)

    async def text(self, name: str) -> tuple[str, ...]:
        """Its TXT records, each joined; empty where there is none."""
        try:
            answer = await self._ask(name, RdataType.TXT)
        except NoSuchName:
            return ()
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer or ())

    async def tlsa(self, host: str, port: int) -> tuple[Tlsa, ...]:
        """Its TLSA records; empty unless DNSSEC proves them. Raises LookupFailed: then TLS cannot be judged."""
        if not self.validates:
            return ()
        try:
            answer = await self._ask(f"_{port}._tcp.{host}", RdataType.TLSA)
        except NoSuchName:
            return ()
        if not self._is_secure(answer):
            return ()
        return tuple(Tlsa(int(r.usage), int(r.selector), int(r.mtype), bytes(r.cert)) for r in answer or ())
