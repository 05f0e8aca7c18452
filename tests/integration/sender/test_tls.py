"""Encryption towards real TLS servers: what is accepted, what waits, and how sessions are counted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost_sender.driver import Manner, Timeouts
from gatepost_sender.envelope import Envelope
from gatepost_sender.lanes import Lanes
from gatepost_sender.names import Names, Tlsa
from gatepost_sender.outcome import Outcome, Verdict, judge
from gatepost_sender.route import Host, MxRouter, Route
from gatepost_sender.sts import BadPolicy, PolicyHost, StsPolicies, read_policy
from gatepost_sender.tls import Tls, TlsSessions
from gatepost_store import Queries, Store
from support.certificates import Authority
from support.dns_server import SERVFAIL, Dns
from support.released import World
from support.smtp_peer import Peer

QUICK = Timeouts(connect_s=1, greeting_s=1, command_s=1, data_s=1, block_s=1, dot_s=1)
MAIL = Envelope("us@here.test", ("ada@there.test",), b"Subject: hi\r\n\r\nhi\r\n")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = "version: STSv1\nmode: enforce\nmx: mx.there.test\nmx: *.there.test\nmax_age: 86400\n"


async def yes(_: tuple[str, ...]) -> bool:
    return True


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def attempt(peer: Peer, manner: Manner, name: str = "mx.there.test") -> tuple[Outcome, list[tuple[str, ...]]]:
    told: list[tuple[str, ...]] = []
    lanes = Lanes(width_max=4, idle_s=10, mails_per_connection=9, tell_tls=lambda *words: told.append(words))
    route = Route("x", (Host(name, "127.0.0.1", peer.port, manner, "sts"),), "mx", "there.test")
    ended = await lanes.send(route, MAIL, yes)
    await lanes.close()
    return judge(ended[MAIL.recipients[0]]), told


def manner(authority: Authority, tls: Tls = Tls.VERIFIED, **more: Any) -> Manner:
    return Manner("here.test", tls, QUICK, ca_file=str(authority.file), **more)


async def test_a_certificate_that_fits_is_taken(authority: Authority) -> None:
    async with Peer(tls=authority.context("mx.there.test")) as peer:
        outcome, told = await attempt(peer, manner(authority))

    assert outcome.verdict is Verdict.DELIVERED
    assert [line for line in peer.lines if line.startswith("EHLO")] == ["EHLO here.test"] * 2
    assert [("there.test", "sts", "mx.there.test", "success")] == told


@pytest.mark.parametrize(
    ("names", "days", "failure"),
    [
        (("other.test",), 1, "certificate-host-mismatch"),
        (("mx.there.test",), -1, "certificate-expired"),
        (("mx.there.test",), 1, "certificate-not-trusted"),
    ],
)
async def test_a_certificate_that_does_not_fit_waits_and_says_why(
    authority: Authority, tmp_path: Path, names: tuple[str, ...], days: int, failure: str
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    signer = Authority(stranger) if failure == "certificate-not-trusted" else authority
    async with Peer(tls=signer.context(*names, days=days)) as peer:
        outcome, told = await attempt(peer, manner(authority))

    assert outcome.verdict is Verdict.DEFERRED
    assert not any(line.startswith("MAIL") for line in peer.lines)
    assert [("there.test", "sts", "mx.there.test", failure)] == told


async def test_no_encryption_where_it_must_be_waits(authority: Authority) -> None:
    async with Peer() as peer:
        outcome, told = await attempt(peer, manner(authority))

    assert outcome.verdict is Verdict.DEFERRED
    assert ["starttls-not-supported"] == [words[3] for words in told]


async def test_opportunistic_encryption_takes_any_certificate(authority: Authority) -> None:
    async with Peer(tls=authority.context("other.test", days=-1)) as peer:
        outcome, _ = await attempt(peer, manner(authority, Tls.OFFERED))

    assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize(("selector", "matching"), [(1, 1), (0, 2), (1, 0)])
async def test_dane_knows_the_certificate_or_its_key(authority: Authority, selector: int, matching: int) -> None:
    context = authority.context("whatever.test")
    file, der = authority.certificate("mx.there.test")
    context.load_cert_chain(file)
    key = x509.load_der_x509_certificate(der).public_key()
    data = der if selector == 0 else key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = {0: data, 1: hashlib.sha256(data).digest(), 2: hashlib.sha512(data).digest()}[matching]
    async with Peer(tls=context) as peer:
        good, _ = await attempt(peer, manner(authority, Tls.DANE, tlsa=(Tlsa(3, selector, matching, digest),)))
        bad, told = await attempt(peer, manner(authority, Tls.DANE, tlsa=(Tlsa(3, selector, matching, b"x" * 32),)))

    assert (Verdict.DELIVERED, Verdict.DEFERRED) == (good.verdict, bad.verdict)
    assert ["validation-failure"] == [words[3] for words in told]


async def test_what_was_said_before_the_handshake_is_forgotten(authority: Authority) -> None:
    """Plaintext behind the 220 is not taken for an answer inside TLS (CVE-2024-34083, the client's side)."""
    async with Peer({"STARTTLS": "220 go\r\n250 2.0.0 injected\r\n"}, tls=authority.context("mx.there.test")) as peer:
        outcome, _ = await attempt(peer, manner(authority))

    assert outcome.verdict in {Verdict.DEFERRED, Verdict.DELIVERED}
    assert all(mail.recipients for mail in peer.mails)


async def test_a_dead_relay_is_passed_over_and_not_asked_again_at_once() -> None:
    async with Peer() as gone:
        pass
    plain = Manner("here.test", Tls.OFFERED, QUICK)
    async with Peer() as peer, Peer({"greeting": "421 busy\r\n"}) as busy:
        lanes = Lanes(width_max=4, idle_s=0, mails_per_connection=1)
        hosts = tuple(Host("r", "127.0.0.1", p.port, plain) for p in (gone, busy, peer))
        for _ in range(3):
            ended = await lanes.send(Route("x", hosts, "relay"), MAIL, yes)
            assert judge(ended[MAIL.recipients[0]]).verdict is Verdict.DELIVERED
        await lanes.close()

    assert (1, 3) == (busy.connections, peer.connections)


async def test_the_source_address_can_be_chosen() -> None:
    async with Peer() as peer:
        plain = Manner("here.test", Tls.OFFERED, QUICK, sources=("::1", "127.0.0.9"))
        await attempt(peer, plain)
        ours = {writer.get_extra_info("peername") for writer in peer.writers}

    assert {"127.0.0.9"} == {address[0] for address in ours if address}


# -- MTA-STS --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "named"),
    [("mx.there.test", True), ("a.there.test", True), ("a.b.there.test", False), ("there.test", False), ("MX.there.test.", True)],
)  # fmt: skip
def test_a_star_stands_for_one_label(host: str, named: bool) -> None:
    assert named is read_policy(POLICY, "1", NOW).names(host)


@pytest.mark.parametrize(
    "text",
    ["", "version: STSv2\nmode: none\nmax_age: 1", POLICY.replace("enforce", "maybe"), POLICY.replace("86400", "-1"),
     "version: STSv1\nmode: enforce\nmax_age: 9\n", POLICY.replace("max_age", "age")],
)  # fmt: skip
def test_what_is_no_policy_is_said(text: str) -> None:
    with pytest.raises(BadPolicy):
        read_policy(text, "1", NOW)


class Site:
    """The HTTPS host of a policy."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self.text, self.status, self.fetched = authority, POLICY, 200, 0

    async def start(self, name: str = "mta-sts.there.test") -> None:
        async def serve(_: web.Request) -> web.Response:
            self.fetched += 1
            return web.Response(text=self.text, status=self.status, headers={"Location": "/elsewhere"})

        app = web.Application()
        app.router.add_get("/.well-known/mta-sts.txt", serve)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=self.authority.context(name))
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]


@pytest.fixture
async def site(authority: Authority) -> AsyncIterator[Site]:
    site = Site(authority)
    await site.start()
    yield site
    await site.runner.cleanup()


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    store = await Store.open(world.url, service="sender", queries=Queries.of("gatepost_sender"))
    yield store
    world.sql("TRUNCATE sts_policy, tls_session;")
    await store.close()


@pytest.fixture
async def dns() -> AsyncIterator[Dns]:
    zone: dict[str, Any] = {
        "_mta-sts.there.test TXT": ['"v=STSv1; id=20260101;"'], "mta-sts.there.test A": ["127.0.0.1"],
        "there.test MX": ["10 mx.there.test."], "mx.there.test A": ["127.0.0.1"],
    }  # fmt: skip
    async with Dns(zone) as server:
        yield server


def policies(dns: Dns, site: Site, store: Store, clock: Callable[[], datetime] | None = None) -> StsPolicies:
    names = Names(dns.server, lifetime_s=0.5, allows_private=True)
    host = PolicyHost(names, port=site.port, ca_file=str(site.authority.file), timeout_s=2)
    return StsPolicies(names, store, host.fetch, clock)


async def test_a_policy_is_fetched_once_kept_and_obeyed(dns: Dns, site: Site, store: Store) -> None:
    sts = policies(dns, site, store)
    router = MxRouter(Manner("here.test", Tls.OFFERED), Names(dns.server, allows_private=True), sts=sts)

    first = await router.route("there.test")
    await sts.of("there.test")
    restarted = await policies(dns, site, store).of("there.test")

    assert Tls.VERIFIED is first.hosts[0].manner.tls
    assert 1 == site.fetched
    assert restarted is not None
    assert restarted.mode == "enforce"


@pytest.mark.parametrize("how", ["dns", "http", "text", "redirect", "no text"])
async def test_a_policy_in_force_is_not_forgotten_when_the_next_cannot_be_read(
    dns: Dns, site: Site, store: Store, how: str
) -> None:
    """Whoever can break our look-ups must not be able to switch encryption off."""
    await policies(dns, site, store).of("there.test")
    dns.zone["_mta-sts.there.test TXT"] = ['"v=STSv1; id=2;"']
    match how:
        case "dns":
            dns.zone["_mta-sts.there.test TXT"] = SERVFAIL
        case "http":
            site.status = 500
        case "redirect":
            site.status = 302
        case "text":
            site.text = "nonsense"
        case _:
            del dns.zone["_mta-sts.there.test TXT"]

    found = await policies(dns, site, store).of("there.test")

    assert found is not None
    assert found.mode == "enforce"


async def test_a_new_id_replaces_it_and_time_ends_it(dns: Dns, site: Site, store: Store) -> None:
    await policies(dns, site, store).of("there.test")
    dns.zone["_mta-sts.there.test TXT"], site.text = ['"v=STSv1; id=2;"'], POLICY.replace("enforce", "testing")
    fresh = await policies(dns, site, store).of("there.test")
    dns.zone["_mta-sts.there.test TXT"] = SERVFAIL
    later = await policies(dns, site, store, lambda: datetime.now(UTC) + timedelta(days=2)).of("there.test")

    assert fresh is not None
    assert "testing" == fresh.mode
    assert later is None


async def test_a_wrong_certificate_gives_no_policy(dns: Dns, site: Site, store: Store) -> None:
    await site.runner.cleanup()
    await site.start("other.test")

    assert await policies(dns, site, store).of("there.test") is None


async def test_sessions_are_added_up(store: Store, world: World) -> None:
    sessions = TlsSessions(store)
    for result in ("success", "success", "certificate-expired"):
        sessions.count("there.test", "sts", "mx.there.test", result)
    await sessions.write()
    sessions.count("there.test", "sts", "mx.there.test", "success")
    await sessions.write()
    await sessions.write()

    found = await asyncio.to_thread(world.sql, "SELECT result, sessions FROM tls_session ORDER BY 1;")
    assert [["certificate-expired", "1"], ["success", "3"]] == found
