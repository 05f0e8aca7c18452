"""An operation, a tool, an event or a command that has no words, no page or no test does not come in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatepost_api.access import ACCESS, Access
from gatepost_api.tools import TOOLS
from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from support.door_pages import commands

ROOT = Path(__file__).resolve().parents[2]
# What looks at every row of a table by itself proves nothing of the one row's own behaviour.
_BY_TABLE = frozenset({"properties", "docs", "contracts", "proofs", "support"})
FILES = {
    path: path.read_text("utf-8")
    for path in (ROOT / "tests").rglob("*.py")
    if path.relative_to(ROOT / "tests").parts[0] not in _BY_TABLE
    and path.name not in {"test_access.py", "test_on_demand.py"}
}
COMMANDS = commands()
_VALUE = (
    r"(?:\{[^{}]+\}|[^\s/\"'{}]+)"  # what stands in a path for a parameter: a placeholder of an f-string, or a word
)


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text("utf-8")


def spellings(row: Access) -> list[str]:
    """How a test may name an operation: one of its paths, or the last word of one that a helper puts together, or its RPC name."""
    names = (row.rpc,) if isinstance(row.rpc, str) else row.rpc
    found = [rf"[\"'/]{name}[\"'?]" for name in names if name]
    for _, path in (*row.rest, *row.zapier):
        parts = path.split("/")
        found.append("/".join(_VALUE if part.startswith("{") else re.escape(part) for part in parts) + r"(?=[\"'?])")
        if not parts[-1].startswith("{") and "{" in path:
            found.append(rf"[\"']{re.escape(parts[-1])}[\"']")
    return found


def has_a_test(row: Access, files: dict[Path, str]) -> bool:
    """Does a test call it?"""
    return any(re.search(spelling, text) for spelling in spellings(row) for text in files.values())


def is_typed(words: str, files: dict[Path, str]) -> bool:
    """Does a test type the command?"""
    return any(
        all(re.search(rf"[\"'\s]{re.escape(word)}[\"'\s]", text) for word in words.split()) for text in files.values()
    )


@pytest.mark.parametrize("row", ACCESS, ids=lambda row: row.command)
def test_an_operation_has_words_a_page_and_a_test(row: Access) -> None:
    assert len(row.doc) > 8
    assert row.doc in page("api.md")
    assert has_a_test(row, FILES), f"no test calls {row.command}"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_has_a_page_and_a_test_that_calls_it(tool) -> None:
    assert f"| `{tool.name}`" in page("mcp.md")
    assert f'"{tool.name}"' in (ROOT / "tests/integration/api/test_mcp.py").read_text("utf-8")


@pytest.mark.parametrize("event", sorted(EVENTS_BY_TYPE))
def test_an_event_has_a_page_and_a_golden_record(event: str) -> None:
    assert (ROOT / "docs/reference/events" / f"{event}.md").exists()
    assert (ROOT / "tests/golden/v1" / f"{event}.json").exists()


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_a_command_has_help_with_an_example_a_page_and_a_test(words: str) -> None:
    command = COMMANDS[words]

    assert len((command.help or "").strip()) > 10
    assert "xample" in (command.help or ""), f"the help of {words} shows no example"
    assert f"## gatepost {words}" in page("cli.md")
    assert is_typed(words, FILES), f"no test types gatepost {words}"


def test_a_row_that_nobody_tests_is_noticed() -> None:
    """A new row, and an old one whose only test is taken away."""
    stranger = Access(
        "shred_email", ("send",), "message.tenant_id", rest=(("POST", "/v1/emails/{message_id}/shred-it"),)
    )
    bundle = next(row for row in ACCESS if row.command == "get_bundle")
    without = {path: text for path, text in FILES.items() if path.name != "test_approval_pages.py"}

    assert not has_a_test(stranger, FILES)
    assert has_a_test(bundle, FILES)
    assert not has_a_test(bundle, without)
    assert not is_typed("mailbox shred", FILES)
