"""The command's own list: what it says without reading a module is what the modules say."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from gatepost_cli.app import PLACES, app, loaded


@pytest.mark.parametrize("name", PLACES)
def test_a_listed_sentence_is_the_commands_own(name: str) -> None:
    """The sentence stands twice, so that a list need not read every module; here it is held to one wording."""
    help_ = " ".join((loaded(name).help or "").split("\n\n")[0].split())

    assert PLACES[name][2] == help_


def test_help_names_every_command() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})

    assert said.exit_code == 0
    assert [name for name in PLACES if f" {name} " not in said.output] == []


def test_help_and_completion_read_no_module_that_is_slow_to_read() -> None:
    """What makes every call wait: the database, the broker, the models."""
    code = (
        "import sys; from typer.testing import CliRunner; from gatepost_cli.app import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "print([m for m in ('asyncpg', 'nats', 'pydantic', 'httpx2', 'mcp', 'faststream') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


def test_a_misspelled_command_is_answered_with_what_was_meant() -> None:
    said = CliRunner().invoke(app, ["pendng"])

    assert said.exit_code == 2
    assert "pending" in said.output


def test_a_command_is_completed() -> None:
    said = CliRunner().invoke(
        app,
        [],
        prog_name="gatepost",
        env={"_GATEPOST_COMPLETE": "complete_bash", "COMP_WORDS": "gatepost pen", "COMP_CWORD": "1"},
    )

    assert "pending" in said.output


def test_the_command_itself_is_a_typer_app() -> None:
    assert isinstance(app, typer.Typer)
