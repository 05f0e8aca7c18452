"""Lenient in, and where it stops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_api.errors import Refusal
from gatepost_api.lenient import Fields, parse_tags, refuse_nul


def code(call: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        call()
    return refusal.value.code


@pytest.mark.parametrize("name", ["markdown", "body", "body_text", "text_body", "body_markdown", "text"])
def test_a_body_has_many_names(name: str) -> None:
    assert Fields("send_email", {name: "Hello"}).text("markdown") == "Hello"


def test_two_names_that_agree_are_fine_and_two_that_differ_are_not() -> None:
    assert Fields("send_email", {"body": "x", "text": "x"}).text("markdown") == "x"
    assert code(lambda: Fields("send_email", {"body": "x", "text": "y"}).text("markdown")) == "conflicting_fields"
    assert Fields("send_email", {"to": "A <a@b.c>", "to_addresses": ["a@b.c"]}).addresses("to") == ("a@b.c",)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("a@b.c", ("a@b.c",)),
        ("a@b.c, d@e.f", ("a@b.c", "d@e.f")),
        (["Ada <a@B.C>", "d@e.f"], ("a@b.c", "d@e.f")),
        ("a@b.c,a@b.c", ("a@b.c",)),
    ],
)
def test_addresses_in_any_shape(given_: Any, expected: tuple[str, ...]) -> None:
    assert Fields("send_email", {"to": given_}).addresses("to") == expected


@pytest.mark.parametrize("bad", ["nobody", "a@", "@b.c", "a b@c.d", "a@b.c\r\nBcc: x@y.z", 7, {"a": 1}, ["a@b.c", 1]])
def test_what_is_no_address_is_refused(bad: Any) -> None:
    assert code(lambda: Fields("send_email", {"to": bad}).addresses("to")) == "invalid_request"


@pytest.mark.parametrize(
    ("word", "value"),
    [(True, True), ("true", True), (1, True), ("1", True), (0, False), ("0", False), ("false", False)],
)
def test_booleans(word: Any, value: bool) -> None:
    assert Fields("update_mailbox", {"drafting": word}).flag("drafting") is value


def test_tags_as_map_list_or_text() -> None:
    assert parse_tags(["zendesk:123", "status=done"]) == {"zendesk:123": "true", "status": "done"}
    assert parse_tags({"a": "b", "c": True}) == {"a": "b", "c": "true"}
    assert parse_tags("x, y=z") == {"x": "true", "y": "z"}


def test_limits_are_clamped_and_dates_are_not_guessed() -> None:
    fields = Fields("check_inbox", {"limit": "5000", "date_after": "yesterday"})
    assert fields.number("limit", 20, 1, 100) == 100
    assert code(lambda: fields.moment("date_after")) == "invalid_request"


def test_unknown_fields_are_ignored() -> None:
    assert Fields("send_email", {"whatever": 1, "to": "a@b.c"}).addresses("to") == ("a@b.c",)


@pytest.mark.parametrize("bad", ["a\x00b", {"a": ["\x00"]}, {"\x00": 1}, "\ud800"])
def test_what_is_no_text_is_refused(bad: Any) -> None:
    assert code(lambda: refuse_nul(bad)) == "invalid_request"


@given(st.text(max_size=80))
def test_reading_addresses_refuses_or_gives_addresses(text: str) -> None:
    """Whatever is written there, what comes out can be written to."""
    try:
        found = Fields("send_email", {"to": text}).addresses("to")
    except Refusal as refusal:
        assert refusal.status == 400
    else:
        assert all(a.count("@") >= 1 and not any(c in a for c in "\r\n\x00<> ,") for a in found)
