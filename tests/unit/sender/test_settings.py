"""What the sender is told by its environment."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gatepost_sender.app import router_of
from gatepost_sender.route import MxRouter, RelayRouter
from gatepost_sender.settings import SenderSettings, hosts_of
from gatepost_sender.tls import Tls


def test_retry_delays_are_a_comma_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_SENDER_RETRY_DELAYS_S", "1,2,4.5")

    assert (1, 2, 4.5) == SenderSettings().retry_delays_s


@pytest.mark.parametrize("value", ["", "0", "1,-2", "soon"])
def test_a_wrong_delay_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GATEPOST_SENDER_RETRY_DELAYS_S", value)

    with pytest.raises(ValidationError):
        SenderSettings()


@pytest.mark.parametrize(
    ("host", "is_dev", "tls"),
    [
        ("127.0.0.1", False, Tls.OFFERED),
        ("::1", False, Tls.OFFERED),
        ("localhost", False, Tls.OFFERED),
        ("relay.example.com", False, Tls.VERIFIED),
        ("relay.example.com", True, Tls.OFFERED),
        ("10.0.0.8", False, Tls.VERIFIED),
    ],
)
async def test_a_relay_must_be_verified_unless_it_is_here(host: str, is_dev: bool, tls: Tls) -> None:
    router = router_of(SenderSettings(relay_host=host), helo="here.test", is_dev=is_dev)

    assert isinstance(router, RelayRouter)
    assert tls == (await router.route("a.test")).hosts[0].manner.tls


def test_without_a_relay_mail_goes_to_the_exchangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_SENDER_RELAY_HOST", "")

    assert isinstance(router_of(SenderSettings(), helo="here.test", is_dev=False), MxRouter)


def test_a_login_needs_a_password() -> None:
    with pytest.raises(ValidationError, match="PASSWORD"):
        SenderSettings(relay_host="relay.test", relay_user="me")


def test_several_relays_are_a_comma_list() -> None:
    settings = SenderSettings(relay_host="a.test:587, b.test,[::1]:2525", relay_port=26)

    assert (("a.test", 587), ("b.test", 26), ("::1", 2525)) == settings.relays


@pytest.mark.parametrize("text", ["a.test:", ":25", "a.test:x", "a.test:70000", "[]:1"])
def test_a_wrong_host_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        hosts_of(text, 25)
    with pytest.raises(ValidationError):
        SenderSettings(relay_host=text)


@pytest.mark.parametrize(
    "wrong",
    [{"tls_policies": "a.test"}, {"tls_policies": "a.test=maybe"}, {"ip_order": "5"}, {"source_addresses": "here"}],
)
def test_a_wrong_word_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SenderSettings(**wrong)  # type: ignore[arg-type]
