"""Settings: from variables, from files, and a clear word when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatepost_runtime.settings import RuntimeSettings, StreamSettings, own_settings, read

GOOD = {"GATEPOST_ENV": "dev", "GATEPOST_NATS_URL": "nats://a:b@h:1", "GATEPOST_DATABASE_URL": "postgresql://a@h/d"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.startswith("GATEPOST_")]:
        monkeypatch.delenv(name)


def put(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in (GOOD | values).items():
        monkeypatch.setenv(name, value)


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Kubernetes mounts them; the trailing newline is not part of it."""
    (tmp_path / "nats").write_text("nats://x:y@h:2\n")
    put(monkeypatch, GATEPOST_NATS_URL_FILE=str(tmp_path / "nats"))
    monkeypatch.delenv("GATEPOST_NATS_URL")

    assert read(RuntimeSettings).nats_url == "nats://x:y@h:2"


def refusal(capsys: pytest.CaptureFixture[str], kind: type[BaseSettings] = RuntimeSettings) -> str:
    with pytest.raises(SystemExit) as end:
        read(kind)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"GATEPOST_NATS_URL": "http://h"}, "GATEPOST_NATS_URL must begin with nats://"),
        ({"GATEPOST_DATABASE_URL": "mysql://h"}, "GATEPOST_DATABASE_URL must begin with postgresql://"),
        ({"GATEPOST_FIRST_RETRY_S": "-1"}, "GATEPOST_FIRST_RETRY_S: Input should be greater than 0"),
        ({"GATEPOST_LOG_LEVEL": "loud"}, "GATEPOST_LOG_LEVEL"),
        ({"GATEPOST_PUBLIC_URL": "gate.example"}, "GATEPOST_PUBLIC_URL must begin with http"),
        ({"GATEPOST_ENV": "production", "GATEPOST_KEYS_DIR": "/k", "GATEPOST_PUBLIC_URL": "http://a"}, "https://"),
        ({"GATEPOST_NATS_URL_FILE": "/nowhere"}, "are both set"),
    ],
)
def test_a_wrong_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], values: dict[str, str], words: str
) -> None:
    """One line, status 2."""
    put(monkeypatch, **values)

    assert words in refusal(capsys)


def test_what_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, not one a start; and never a server on the default port."""
    said = refusal(capsys)

    assert "GATEPOST_NATS_URL: is not set" in said
    assert "GATEPOST_DATABASE_URL: is not set" in said


def test_a_services_own_prefix_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Composed, not inherited: a subclass would look for GATEPOST_SENDER_NATS_URL."""

    class Own(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="GATEPOST_OWN_")
        width: int = Field(3, ge=1)

    monkeypatch.setenv("GATEPOST_OWN_WIDTH", "0")

    assert "GATEPOST_OWN_WIDTH: Input should be greater than or equal to 1" in refusal(capsys, Own)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings object in a log line gives nothing away."""
    put(monkeypatch, GATEPOST_NATS_URL="nats://drafter:geheim@h:1")

    assert "geheim" not in repr(read(RuntimeSettings))


def test_streams_and_services_share_the_ack_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable, read by who declares and by who heeds it."""
    put(monkeypatch, GATEPOST_ACK_WAIT_S="7")

    assert 7 == read(StreamSettings).ack_wait_s == read(RuntimeSettings).ack_wait_s


def test_the_settings_of_a_service_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read at the start, before anything is waited for."""
    assert [found.__name__ for found in own_settings("notifier")] == ["NotifierSettings"]
    assert list(own_settings("nobody")) == []


def test_every_setting_is_described() -> None:
    """The settings page is made of the descriptions."""
    for kind in (RuntimeSettings, StreamSettings):
        assert [name for name, field in kind.model_fields.items() if not field.description] == []
