"""An operation, a tool, an event or a command that has no words, no page or no test does not come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost_api.access import ACCESS
from gatepost_api.tools import TOOLS
from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from support.door_pages import commands

ROOT = Path(__file__).resolve().parents[2]
TESTS = "\n".join(p.read_text("utf-8") for p in (ROOT / "tests").rglob("*.py"))
COMMANDS = commands()


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text("utf-8")


@pytest.mark.parametrize("row", ACCESS, ids=lambda row: row.command)
def test_an_operation_has_words_and_a_page(row) -> None:
    """Its test is the property suite, which calls every route of the table."""
    assert len(row.doc) > 8
    assert row.doc in page("api.md")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_has_a_page_and_a_test_that_calls_it(tool) -> None:
    assert f"| `{tool.name}`" in page("mcp.md")
    assert f'"{tool.name}"' in (ROOT / "tests/integration/api/test_mcp.py").read_text("utf-8")


@pytest.mark.parametrize("event", sorted(EVENTS_BY_TYPE))
def test_an_event_has_a_page_and_a_golden_record(event: str) -> None:
    assert (ROOT / "docs/reference/events" / f"{event}.md").exists()
    assert (ROOT / "tests/golden/v1" / f"{event}.json").exists()


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_a_command_has_help_and_a_page(words: str) -> None:
    command = COMMANDS[words]

    assert len((command.help or "").strip()) > 10
    assert f"## gatepost {words}" in page("cli.md")
