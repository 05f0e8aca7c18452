"""The committed AsyncAPI document is what the running services say of themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.documents import ASYNCAPI, ROOT
from support.installation import GATEPOST, Installation


def test_the_running_services_say_what_is_written(gatepost: Installation) -> None:
    """Six processes, asked at their health ports by the command that a user has."""
    answer = subprocess.run(
        [str(GATEPOST), "events", "spec", "--data", str(gatepost.data)], capture_output=True, text=True, check=True
    )

    assert Path(ROOT / "docs" / ASYNCAPI).read_text("utf-8").strip() == answer.stdout.strip()
