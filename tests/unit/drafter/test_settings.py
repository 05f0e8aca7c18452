"""Which writer is chosen, and that a half-made choice stops the start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gatepost_drafter.providers import Providers
from gatepost_drafter.settings import DrafterSettings


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROVIDER", "API_KEY", "API_KEY_FILE", "BASE_URL", "MODEL"):
        monkeypatch.delenv(f"GATEPOST_DRAFTER_{name}", raising=False)


def test_without_a_key_the_offline_writer_works() -> None:
    assert DrafterSettings().chosen == "scripted"


def test_with_a_key_the_model_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the setting or from a file; a file that is not there (an optional secret) is no key."""
    file = tmp_path / "key"
    monkeypatch.setenv("GATEPOST_DRAFTER_API_KEY_FILE", str(file))
    assert DrafterSettings().chosen == "scripted"
    file.write_text("sk-1\n")
    settings = DrafterSettings()

    assert (settings.chosen, settings.key) == ("anthropic", "sk-1")
    assert "sk-1" not in repr(settings)


@pytest.mark.parametrize("provider", ["anthropic", "openai", "nonsense"])
def test_a_choice_that_cannot_work_is_refused(provider: str) -> None:
    with pytest.raises(ValidationError):
        DrafterSettings(provider=provider)  # type: ignore[arg-type]


async def test_a_mailbox_may_ask_for_the_offline_writer() -> None:
    """And gets the installation's where it asks for one that is not set up."""
    providers = Providers(DrafterSettings(provider="openai", base_url="http://127.0.0.1:1/v1"))

    assert [providers.of(name).name for name in ("", "scripted", "anthropic")] == ["openai", "scripted", "openai"]
    await providers.close()


def test_the_offline_writer_loads_no_model_library() -> None:
    """A fresh machine pays nothing for what it does not use."""
    code = (
        "import sys; from gatepost_drafter.providers import Providers; from gatepost_drafter.settings import DrafterSettings;"
        "Providers(DrafterSettings(provider='scripted')); sys.exit('anthropic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
