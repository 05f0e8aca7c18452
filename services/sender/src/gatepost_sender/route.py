"""Where a recipient's mail goes: the configured relays, or the mail exchangers of the domain (RFC 5321 5.1).

No MX means the domain itself, by A or AAAA. A null MX (RFC 7505) and a domain that does not exist are final answers
and come back as replies of our own; a resolver that fails is a reason to wait. What encryption each host gets is decided
here: by the operator's rule for the domain, else by DANE, else by MTA-STS, else by the general setting.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gatepost_sender.driver import Manner, Stage, StageFailed
from gatepost_sender.names import Exchangers, LookupFailed, Names, NoSuchName, Tlsa
from gatepost_sender.sts import Policy, StsPolicies
from gatepost_sender.tls import Tls, TlsPolicies, usable
from gatepost_sender.wire import Reply

NO_SUCH_DOMAIN = Reply(550, "5.4.4 the domain does not exist")
NULL_MX = Reply(556, "5.1.10 the domain takes no mail")
NO_ADDRESS = Reply(550, "5.4.4 the domain's exchangers have no address that may be used")
LOOP = Reply(550, "5.4.6 the domain's mail comes back to us")
_MAX_HOSTS = 8


@dataclass(frozen=True, slots=True)
class Host:
    """One address of one server, its name, and how we speak to it; `policy` is TLS-RPT's word for why."""

    name: str
    address: str
    port: int
    manner: Manner
    policy: str = "no-policy-found"


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts to try in this order; `lane` is what shares connections and limits."""

    lane: str
    hosts: tuple[Host, ...]
    via: str
    domain: str = ""


class Router(Protocol):
    """Finds routes."""

    async def route(self, domain: str) -> Route:
        """The way to a domain; raises StageFailed."""
        ...

    def lane(self, domain: str) -> str:
        """The lane of a domain, without looking anything up."""
        ...


class RelayRouter:
    """Everything goes to one of these hosts, the first that can be reached."""

    def __init__(self, relays: Sequence[tuple[str, int]], manner: Manner) -> None:
        hosts = tuple(Host(host, host, port, manner) for host, port in relays)
        first = hosts[0]
        self._route = Route(f"relay {first.name}:{first.port}", hosts, "relay")

    async def route(self, domain: str) -> Route:  # noqa: ARG002 (the same for each)
        """The relays."""
        return self._route

    def lane(self, domain: str) -> str:  # noqa: ARG002
        """One lane for all."""
        return self._route.lane


class TestRouter:
    """Mail of test keys: to the catcher, or nowhere."""

    LANE = "test"

    def __init__(self, sink: tuple[str, int] | None, manner: Manner) -> None:
        hosts = () if sink is None else (Host(sink[0], sink[0], sink[1], manner),)
        self.route = Route(self.LANE, hosts, "relay")


class MxRouter:
    """Each domain's own exchangers, by DNS."""

    def __init__(
        self, manner: Manner, names: Names, *, port: int = 25, policies: TlsPolicies | None = None,
        sts: StsPolicies | None = None, our_name: str = "",
    ) -> None:  # fmt: skip
        self._manner, self._names, self._port = manner, names, port
        self._policies, self._sts, self._our_name = policies or TlsPolicies(), sts, our_name.lower()

    def lane(self, domain: str) -> str:
        """One lane a domain."""
        return f"mx {domain}"

    async def route(self, domain: str) -> Route:
        """The exchangers' addresses, best first, equal ones shuffled."""
        try:
            found = await self._names.exchangers(domain)
        except NoSuchName as error:
            raise StageFailed(Stage.QUEUE, NO_SUCH_DOMAIN) from error
        except LookupFailed as error:
            raise StageFailed(Stage.QUEUE, why="the domain's exchangers could not be looked up") from error
        names = self._in_order(found, domain)
        rule = self._policies.of(domain)
        policy = await self._sts.of(domain) if self._sts and rule is None else None
        if policy is not None and policy.mode == "enforce":
            names = [name for name in names if policy.names(name)]
            if not names:
                raise StageFailed(
                    Stage.TLS, why="no exchanger is one of those that the domain's MTA-STS policy names",
                    failure="validation-failure",
                )  # fmt: skip
        hosts: list[Host] = []
        failed = False
        for name in names:
            try:
                hosts += await self._hosts(name, rule, policy, is_secure=found.is_secure)
            except NoSuchName:
                continue
            except LookupFailed:
                failed = True
            if len(hosts) >= _MAX_HOSTS:
                break
        if not hosts:
            if failed:
                raise StageFailed(Stage.QUEUE, why="the exchangers' addresses could not be looked up")
            raise StageFailed(Stage.QUEUE, NO_ADDRESS if found.hosts else NO_SUCH_DOMAIN)
        return Route(self.lane(domain), tuple(hosts[:_MAX_HOSTS]), "mx", domain)

    def _in_order(self, found: Exchangers, domain: str) -> list[str]:
        """Names by preference; those at and after ourselves would only send it back (RFC 5321 5.1)."""
        if not found.hosts:
            return [domain]
        if [name for _, name in found.hosts] == [""]:
            raise StageFailed(Stage.QUEUE, NULL_MX)
        ours = min((p for p, name in found.hosts if name == self._our_name), default=None)
        usable_ones = [(p, random.random(), n) for p, n in found.hosts if n and (ours is None or p < ours)]  # noqa: S311
        if not usable_ones:
            raise StageFailed(Stage.QUEUE, LOOP)
        return [name for _, _, name in sorted(usable_ones)]

    async def _hosts(self, name: str, rule: Tls | None, policy: Policy | None, *, is_secure: bool) -> list[Host]:
        addresses = await self._names.addresses(name)
        if not addresses:
            return []
        manner, why = self._manner, "no-policy-found"
        if rule is not None:
            manner = replace(manner, tls=rule)
        elif is_secure and (records := await self._names.tlsa(name, self._port)):
            manner, why = _by_dane(manner, records), "tlsa"
        elif policy is not None and policy.mode != "none":
            why = "sts"
            if policy.mode == "enforce":
                manner = replace(manner, tls=Tls.VERIFIED)
        return [Host(name, address, self._port, manner, why) for address in addresses]


def _by_dane(manner: Manner, records: Sequence[Tlsa]) -> Manner:
    """Encrypted in any case; judged where a record can be used (RFC 7672 2.2)."""
    good = usable(records)
    return replace(manner, tls=Tls.DANE, tlsa=good) if good else replace(manner, tls=Tls.REQUIRED)
