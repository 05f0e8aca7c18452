"""Where mail for a domain goes, asked of a real DNS server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost_sender.driver import Manner, StageFailed
from gatepost_sender.names import Names
from gatepost_sender.outcome import Verdict, judge
from gatepost_sender.route import MxRouter, RelayRouter
from gatepost_sender.sts import Policy
from gatepost_sender.tls import Tls, TlsPolicies
from support.dns_server import SERVFAIL, SILENT, Dns

MANNER = Manner("here.test", Tls.OFFERED)
PUBLIC, SIX = "192.0.43.7", "2606:2800:21f::7"


@pytest.fixture
async def dns() -> AsyncIterator[Dns]:
    async with Dns({"there.test MX": ["10 mx.there.test."], "mx.there.test A": [PUBLIC]}) as server:
        yield server


def router(dns: Dns, *, sts: Any = None, policies: TlsPolicies | None = None, **its: Any) -> MxRouter:
    names = Names(dns.server, lifetime_s=3, **its)
    return MxRouter(MANNER, names, sts=sts, policies=policies, our_name="here.test")


async def hosts(dns: Dns, **its: Any) -> list[tuple[str, str]]:
    return [(host.name, host.address) for host in (await router(dns, **its).route("there.test")).hosts]


async def test_exchangers_come_best_first_with_each_of_their_addresses(dns: Dns) -> None:
    dns.zone |= {
        "there.test MX": ["20 b.there.test.", "10 a.there.test."], "a.there.test A": [PUBLIC],
        "a.there.test AAAA": [SIX], "b.there.test A": ["192.0.43.8"],
    }  # fmt: skip

    assert await hosts(dns) == [("a.there.test", PUBLIC), ("a.there.test", SIX), ("b.there.test", "192.0.43.8")]
    assert await hosts(dns, order=(6,)) == [("a.there.test", SIX)]
    assert "mx" == (await router(dns).route("there.test")).via


async def test_without_exchangers_the_domain_itself(dns: Dns) -> None:
    dns.zone.clear()
    dns.zone["there.test A"] = [PUBLIC]

    assert await hosts(dns) == [("there.test", PUBLIC)]


async def test_an_exchanger_without_address_is_passed_over(dns: Dns) -> None:
    dns.zone["there.test MX"] = ["5 gone.there.test.", "10 mx.there.test."]

    assert await hosts(dns) == [("mx.there.test", PUBLIC)]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"],
)
async def test_nobodys_records_point_us_at_the_inside(dns: Dns, address: str) -> None:
    """Whoever writes an MX record must not reach what only this machine reaches."""
    dns.zone["mx.there.test A"] = [address]

    with pytest.raises(StageFailed) as failed:
        await hosts(dns)

    assert judge(failed.value.ended).verdict is Verdict.BOUNCED
    assert await hosts(dns, allows_private=True) == [("mx.there.test", address)]


@pytest.mark.parametrize("address", ["::1", "fe80::1", "fd00:ec2::254", "::ffff:10.0.0.1", "2002:a00:1::"])
async def test_nor_in_the_other_family(dns: Dns, address: str) -> None:
    dns.zone |= {"mx.there.test AAAA": [address], "mx.there.test A": [PUBLIC]}

    assert await hosts(dns) == [("mx.there.test", PUBLIC)]


async def test_mail_is_not_sent_to_ourselves_or_beyond(dns: Dns) -> None:
    dns.zone["there.test MX"] = ["10 mx.there.test.", "20 here.test.", "30 last.there.test."]
    assert await hosts(dns) == [("mx.there.test", PUBLIC)]

    dns.zone["there.test MX"] = ["10 here.test."]
    with pytest.raises(StageFailed) as failed:
        await hosts(dns)
    assert judge(failed.value.ended).enhanced == "5.4.6"


@pytest.mark.parametrize(
    ("answers", "verdict", "enhanced", "is_hard"),
    [
        ({"there.test MX": ["0 ."]}, Verdict.BOUNCED, "5.1.10", True),
        ({}, Verdict.BOUNCED, "5.4.4", False),
        ({"there.test TXT": ['"here"']}, Verdict.BOUNCED, "5.4.4", False),
        ({"there.test MX": SILENT}, Verdict.DEFERRED, None, False),
        ({"there.test MX": SERVFAIL}, Verdict.DEFERRED, None, False),
        ({"there.test TXT": ['"x"'], "there.test A": SERVFAIL, "there.test AAAA": SERVFAIL}, Verdict.DEFERRED, None, False),
        ({"there.test MX": ["5 mx.there.test."], "mx.there.test A": SERVFAIL}, Verdict.DEFERRED, None, False),
    ],
    ids=["null mx", "no domain", "no address", "silent", "servfail", "address servfail", "exchanger servfail"],
)  # fmt: skip
async def test_what_the_resolver_says(
    dns: Dns, answers: dict[str, Any], verdict: Verdict, enhanced: str | None, is_hard: bool
) -> None:
    dns.zone.clear()
    dns.zone |= answers

    with pytest.raises(StageFailed) as failed:
        await hosts(dns)

    outcome = judge(failed.value.ended)
    assert (verdict, enhanced, is_hard) == (outcome.verdict, outcome.enhanced, outcome.is_hard)


async def test_relays_take_everything_in_their_order() -> None:
    relays = RelayRouter([("relay.test", 2525), ("other.test", 25)], MANNER)

    assert relays.lane("a.test") == relays.lane("b.test")
    assert [("relay.test", 2525), ("other.test", 25)] == [
        (h.name, h.port) for h in (await relays.route("a.test")).hosts
    ]
    assert "relay" == (await relays.route("a.test")).via


class Sts:
    def __init__(self, mode: str, *mx: str) -> None:
        self.policy = Policy("1", mode, mx, datetime.now(UTC) + timedelta(days=1))

    async def of(self, domain: str) -> Policy:
        return self.policy


async def test_a_policy_that_is_enforced_takes_only_named_hosts_and_checks_them(dns: Dns) -> None:
    dns.zone |= {"there.test MX": ["5 evil.test.", "10 mx.there.test."], "evil.test A": ["192.0.43.66"]}

    found = (await router(dns, sts=Sts("enforce", "*.there.test")).route("there.test")).hosts
    lax = (await router(dns, sts=Sts("testing", "*.there.test")).route("there.test")).hosts

    assert [("mx.there.test", Tls.VERIFIED, "sts")] == [(h.name, h.manner.tls, h.policy) for h in found]
    assert [("evil.test", Tls.OFFERED), ("mx.there.test", Tls.OFFERED)] == [(h.name, h.manner.tls) for h in lax]


async def test_without_a_named_host_it_waits(dns: Dns) -> None:
    with pytest.raises(StageFailed) as failed:
        await router(dns, sts=Sts("enforce", "other.test")).route("there.test")

    assert judge(failed.value.ended).verdict is Verdict.DEFERRED


async def test_the_operators_rule_goes_first(dns: Dns) -> None:
    rules = TlsPolicies((("there.test", Tls.OFF), ("*.test", Tls.REQUIRED)))

    found = await router(dns, sts=Sts("enforce", "other.test"), policies=rules).route("there.test")

    assert Tls.OFF is found.hosts[0].manner.tls
    assert Tls.REQUIRED is rules.of("x.test")
    assert rules.of("there.example") is None


async def test_dane_counts_only_where_the_resolver_validates(dns: Dns) -> None:
    dns.zone["_25._tcp.mx.there.test TLSA"] = ["3 1 1 " + "ab" * 32]

    untrusted = await router(dns).route("there.test")
    dns.is_secure = True
    still = await router(dns).route("there.test")
    secure = await router(dns, validates=True).route("there.test")
    dns.zone["_25._tcp.mx.there.test TLSA"] = ["2 0 1 " + "ab" * 32]
    unusable = await router(dns, validates=True).route("there.test")

    assert [Tls.OFFERED, Tls.OFFERED] == [route.hosts[0].manner.tls for route in (untrusted, still)]
    assert (Tls.DANE, "tlsa") == (secure.hosts[0].manner.tls, secure.hosts[0].policy)
    assert Tls.REQUIRED is unusable.hosts[0].manner.tls


async def test_tlsa_records_that_cannot_be_looked_up_make_it_wait(dns: Dns) -> None:
    """Going on without them would be the downgrade that DANE is there to prevent (RFC 7672 2.1.2)."""
    dns.is_secure = True
    dns.zone["_25._tcp.mx.there.test TLSA"] = SERVFAIL

    with pytest.raises(StageFailed) as failed:
        await router(dns, validates=True).route("there.test")

    assert judge(failed.value.ended).verdict is Verdict.DEFERRED
