"""Where a recipient's mail goes: the configured relay, or the mail exchangers of the domain (RFC 5321 5.1).

No MX means the domain itself, by A or AAAA. A null MX (RFC 7505) and a domain that does not exist are final answers
and come back as replies of our own; a resolver that fails is a reason to wait.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdatatype import RdataType

from gatepost_sender.driver import Manner, Stage, StageFailed
from gatepost_sender.wire import Reply

NO_SUCH_DOMAIN = Reply(550, "5.4.4 the domain does not exist")
NULL_MX = Reply(556, "5.1.10 the domain takes no mail")
_MAX_HOSTS = 5


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts to try in this order; `lane` is what shares connections and limits."""

    lane: str
    hosts: tuple[tuple[str, int], ...]
    manner: Manner
    via: str


class Router(Protocol):
    """Finds routes."""

    async def route(self, domain: str) -> Route:
        """The way to a domain; raises StageFailed."""
        ...

    def lane(self, domain: str) -> str:
        """The lane of a domain, without looking anything up."""
        ...


class RelayRouter:
    """Everything goes to one host."""

    def __init__(self, host: str, port: int, manner: Manner) -> None:
        self._route = Route(f"relay {host}:{port}", ((host, port),), manner, "relay")

    async def route(self, domain: str) -> Route:  # noqa: ARG002 (the same for each)
        """The relay."""
        return self._route

    def lane(self, domain: str) -> str:  # noqa: ARG002
        """One lane for all."""
        return self._route.lane


class MxRouter:
    """Each domain's own exchangers, by DNS."""

    def __init__(self, manner: Manner, *, port: int = 25, lifetime_s: float = 10) -> None:
        self._manner, self._port, self._lifetime_s = manner, port, lifetime_s
        self._resolver: dns.asyncresolver.Resolver | None = None

    def lane(self, domain: str) -> str:
        """One lane a domain."""
        return f"mx {domain}"

    async def route(self, domain: str) -> Route:
        """The exchangers, best first, equal ones shuffled."""
        hosts = await self._exchangers(domain)
        return Route(self.lane(domain), tuple((host, self._port) for host in hosts), self._manner, "mx")

    async def _exchangers(self, domain: str) -> list[str]:
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver()
            self._resolver.cache = dns.resolver.LRUCache(10_000)
        try:
            name = domain.encode("idna").decode() if not domain.isascii() else domain
            answer = await self._resolver.resolve(name, RdataType.MX, lifetime=self._lifetime_s, search=False)
        except dns.resolver.NXDOMAIN as error:
            raise StageFailed(Stage.QUEUE, NO_SUCH_DOMAIN) from error
        except dns.resolver.NoAnswer:
            await self._must_have_address(domain)
            return [domain]
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise StageFailed(Stage.QUEUE, why="the domain's exchangers could not be looked up") from error
        found = [(record.preference, random.random(), str(record.exchange).rstrip(".")) for record in answer]  # noqa: S311
        if [host for _, _, host in found] == [""]:
            raise StageFailed(Stage.QUEUE, NULL_MX)
        return [host for _, _, host in sorted(found) if host][:_MAX_HOSTS]

    async def _must_have_address(self, domain: str) -> None:
        """Without MX the domain itself must have an address, else there is nowhere to go."""
        resolver = self._resolver
        assert resolver is not None  # noqa: S101 (the caller made it)

        async def has(kind: RdataType) -> bool:
            try:
                await resolver.resolve(domain, kind, lifetime=self._lifetime_s, search=False)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                return False
            return True

        try:
            found = await asyncio.gather(has(RdataType.A), has(RdataType.AAAA))
        except (dns.exception.DNSException, OSError) as error:
            raise StageFailed(Stage.QUEUE, why="the domain's address could not be looked up") from error
        if not any(found):
            raise StageFailed(Stage.QUEUE, NO_SUCH_DOMAIN)
