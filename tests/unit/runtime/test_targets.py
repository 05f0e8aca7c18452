"""Where no webhook goes, in every notation."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest

from gatepost_runtime.targets import TargetRefused, Targets, is_public

REFUSED = """
http://hooks.example.com/x
ftp://hooks.example.com/x
https://localhost/x
https://LOCALHOST./x
https://a.localhost/x
https://127.0.0.1/x
https://127.1/x
https://0x7f.1/x
https://0177.0.0.1/x
https://2130706433/x
https://0x7f000001/x
https://0/x
https://0.0.0.0/x
https://10.0.0.1/x
https://172.16.3.4/x
https://192.168.1.1/x
https://169.254.169.254/latest/meta-data
https://100.64.0.1/x
https://224.0.0.1/x
https://255.255.255.255/x
https://192.0.2.1/x
https://[::1]/x
https://[::]/x
https://[::ffff:127.0.0.1]/x
https://[::ffff:a00:1]/x
https://[::127.0.0.1]/x
https://[64:ff9b::7f00:1]/x
https://[2002:7f00:1::]/x
https://[fe80::1%25eth0]/x
https://[fc00::1]/x
https://[fec0::1]/x
https://[fd00:ec2::254]/x
https://metadata.google.internal/x
https://printer.local/x
https://intranet/x
https://user@hooks.example.com/x
https://user:pass@hooks.example.com/x
https://hooks.example.com:22/x
https://hooks.example.com:6379/x
https://hooks.example.com:99999/x
https://hooks.example.com\\@127.0.0.1/x
https://
not a url
""".strip().splitlines()


@pytest.mark.parametrize("url", REFUSED)
def test_is_refused(url: str) -> None:
    """What is not plain https to the open internet is refused before any name is asked."""
    with pytest.raises(TargetRefused):
        Targets().check_url(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "https://hooks.example.com:8443/x?a=b", "https://8.8.8.8/x"]
)
def test_is_accepted(url: str) -> None:
    """An ordinary receiver."""
    Targets().check_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8123/x", "http://localhost:5000/inbound", "http://[::1]:1/x"])
def test_loopback_is_for_development_only(url: str) -> None:
    """The demo's receiver runs on the same machine."""
    Targets(is_dev=True).check_url(url)
    with pytest.raises(TargetRefused):
        Targets().check_url(url)


def test_development_does_not_open_private_networks() -> None:
    """Only loopback is let through."""
    for url in ("http://10.0.0.1/x", "https://192.168.0.1/x", "http://169.254.169.254/", "http://hooks.example.com/x"):
        with pytest.raises(TargetRefused):
            Targets(is_dev=True).check_url(url)


def test_wrapped_addresses_are_judged_by_what_they_wrap() -> None:
    """IPv4 inside IPv6 in any of its forms."""
    assert is_public(ipaddress.ip_address("::ffff:8.8.8.8"))
    assert not is_public(ipaddress.ip_address("64:ff9b::a00:1"))


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def answer(self: object, host: str, port: int, **_: object) -> list[object]:
        kinds = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(kinds[ipaddress.ip_address(a).version], socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", answer)


async def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address counts, not the first."""
    resolving_to(monkeypatch, "8.8.8.8", "10.0.0.7")

    with pytest.raises(TargetRefused):
        await Targets().addresses("rebind.example.com", 443)


async def test_what_is_connected_to_is_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is the addresses that were checked, so nobody asks the name a second time."""
    resolving_to(monkeypatch, "8.8.8.8", "2001:4860:4860::8888")

    assert ["8.8.8.8", "2001:4860:4860::8888"] == await Targets().addresses("hooks.example.com", 443)


def test_an_operator_opens_its_own_networks_and_nothing_else() -> None:
    """A receiver in the same cluster, by http and on any port."""
    own = Targets(["10.1.0.0/16"])
    for url in ("http://10.1.2.3:8000/x", "https://10.1.2.3/x", "http://crm.default.svc.cluster.local:8000/x"):
        own.check_url(url)
    for url in ("http://10.2.0.1/x", "https://127.0.0.1/x", "http://localhost:5000/x", "http://8.8.8.8/x"):
        with pytest.raises(TargetRefused):
            own.check_url(url) or asyncio.run(own.addresses(url.split("/")[2].split(":")[0], 5000))


async def test_a_public_name_on_another_port_is_refused_when_it_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator allowed is a network, not plain http to the world."""
    own = Targets(["10.1.0.0/16"])
    own.check_url("http://hooks.example.com:8000/x")
    resolving_to(monkeypatch, "8.8.8.8")

    with pytest.raises(TargetRefused):
        await own.addresses("hooks.example.com", 8000)
    resolving_to(monkeypatch, "10.1.0.9")
    assert ["10.1.0.9"] == await own.addresses("hooks.example.com", 8000)
