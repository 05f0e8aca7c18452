"""`gatepost streams render`: the users' block as the broker's configuration has it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from gatepost_cli.app import app
from gatepost_contracts.catalogue import SERVICES


def test_each_service_has_its_rights_and_a_password_of_its_own() -> None:
    """What the broker reads; nothing is repeated between two calls."""
    first, second = (CliRunner().invoke(app, ["streams", "render"]).stdout for _ in range(2))

    assert first.startswith("authorization {")
    assert all(f'user: "{service}"' in first for service in (*SERVICES, "operator"))
    assert '"cmd.notifier.*"' in first
    assert first != second


def test_a_missing_password_is_told(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    file.write_text(json.dumps({"api": "x"}))
    answer = CliRunner().invoke(app, ["streams", "render", "--passwords", str(file)])

    assert 2 == answer.exit_code
    assert "no password for" in answer.output
