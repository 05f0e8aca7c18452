"""Where mail for a domain goes."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
import pytest

from gatepost_sender.driver import Manner, StageFailed, Tls
from gatepost_sender.outcome import Verdict, judge
from gatepost_sender.route import MxRouter, RelayRouter

MANNER = Manner("here.test", Tls.OFFERED)


def zone(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Any]) -> MxRouter:
    async def resolve(self: Any, name: str, kind: Any, **_: Any) -> Any:
        found = answers.get(f"{name} {kind.name}", dns.resolver.NoAnswer)
        if isinstance(found, type):
            raise found
        return [SimpleNamespace(preference=p, exchange=f"{host}.") for p, host in found]

    monkeypatch.setattr(dns.asyncresolver.Resolver, "resolve", resolve)
    return MxRouter(MANNER)


async def test_exchangers_come_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    router = zone(monkeypatch, {"there.test MX": [(20, "b.there.test"), (10, "a.there.test")]})

    route = await router.route("there.test")

    assert (("a.there.test", 25), ("b.there.test", 25)) == route.hosts
    assert "mx" == route.via
    assert router.lane("there.test") == route.lane


async def test_without_exchangers_the_domain_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    router = zone(monkeypatch, {"there.test AAAA": [(0, "x")]})

    assert (("there.test", 25),) == (await router.route("there.test")).hosts


@pytest.mark.parametrize(
    ("answers", "verdict", "enhanced", "is_hard"),
    [
        ({"there.test MX": [(0, "")]}, Verdict.BOUNCED, "5.1.10", True),
        ({"there.test MX": dns.resolver.NXDOMAIN}, Verdict.BOUNCED, "5.4.4", False),
        ({}, Verdict.BOUNCED, "5.4.4", False),
        ({"there.test MX": dns.exception.Timeout}, Verdict.DEFERRED, None, False),
        ({"there.test MX": dns.resolver.NoNameservers}, Verdict.DEFERRED, None, False),
        ({"there.test A": dns.exception.Timeout}, Verdict.DEFERRED, None, False),
    ],
    ids=["null mx", "no domain", "no address", "timeout", "servfail", "address timeout"],
)
async def test_what_the_resolver_says(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Any], verdict: Verdict, enhanced: str | None, is_hard: bool
) -> None:
    with pytest.raises(StageFailed) as failed:
        await zone(monkeypatch, answers).route("there.test")

    outcome = judge(failed.value.ended)
    assert (verdict, enhanced, is_hard) == (outcome.verdict, outcome.enhanced, outcome.is_hard)


async def test_a_relay_takes_everything() -> None:
    router = RelayRouter("relay.test", 2525, MANNER)

    assert router.lane("a.test") == router.lane("b.test")
    assert (("relay.test", 2525),) == (await router.route("a.test")).hosts
    assert "relay" == (await router.route("a.test")).via
