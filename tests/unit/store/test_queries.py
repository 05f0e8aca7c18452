"""Named statements, and the command that a step becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_contracts.canonical import canonical
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Queries, StepRefused
from gatepost_store.step import command, plain

AGENT = Actor(Role.AGENT, "prn_a", "key_a", "rest")


def test_statements_are_found_by_name() -> None:
    queries = Queries.parse("-- first --\n-- What it does.\nSELECT 1;\n\n-- second --\nSELECT 2;\n")

    assert ["first", "second"] == list(queries)
    assert queries.first.endswith("SELECT 1")
    with pytest.raises(KeyError, match="third"):
        _ = queries["third"]


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Queries.parse("-- a --\nSELECT 1;\n-- a --\nSELECT 2;\n")


def test_a_command_has_one_spelling() -> None:
    """Times are strings, the event's data is canonical text, nothing stands for what was not given."""
    at = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    text, _ = command(
        AGENT, {"b": at, "a": ("x",)}, fields={"message_id": "msg"}, args={"reasons": ["r"], "reason": None}
    )
    fields = json.loads(text + b"}")

    assert '{"a":["x"],"b":"2026-11-24T06:00:00.000000Z"}' == fields["data"]
    assert "reason" not in fields
    assert ("agent", "prn_a", "key_a", "rest") == tuple(fields[n] for n in ("role", "principal", "actor", "door"))


def test_what_no_row_takes_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="raesons"):
        command(AGENT, {}, fields={}, args={"raesons": []})


@pytest.mark.parametrize("value", ["a\0b", ["\0"], {"x": {"y": "\0"}}])
def test_nul_is_refused_at_the_door(value: object) -> None:
    """One of them would fail a whole batch."""
    with pytest.raises(StepRefused, match="NUL"):
        command(AGENT, {}, fields={"m": {"text": value}}, args={})


def test_the_letters_of_an_escape_are_no_nul() -> None:
    assert command(AGENT, {}, fields={"m": {"text": "say \\u0000"}}, args={})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(list(Role)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    | st.tuples(inner, inner),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_what_a_record_says_has_one_spelling(data: dict[str, Any]) -> None:
    """The digest of a record is over its text, so the quick way must write what the plain way writes."""
    try:
        text, full = command(AGENT, data, fields={"message_id": "m"}, args={})
    except StepRefused:
        return  # no database takes it

    assert canonical(plain(data)) == full["data"] == json.loads(text + b"}")["data"]
