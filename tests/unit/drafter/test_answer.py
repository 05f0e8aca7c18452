"""Reading a model's words: a whole draft or a failure, nothing between."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_drafter.answer import read_answer
from gatepost_drafter.provider import DraftFailed, Usage

GOOD = {"body": "Hello,\r\n\r\ntwo days.", "category": "Shipping Times!", "placeholders": [],
        "evidence": [{"sentence": "two days.", "ids": ["chk_1", "invented"]}], "commitments": ["two days"]}  # fmt: skip


def read(text: str) -> object:
    return read_answer(text, given=("msg_1", "chk_1"), usage=Usage("m", 1, 2))


def kind_of(text: str) -> str:
    with pytest.raises(DraftFailed) as failed:
        read(text)
    assert failed.value.usage == Usage("m", 1, 2)
    return failed.value.kind


@pytest.mark.parametrize("wrap", ["{}", "Sure!\n```json\n{}\n```", "Here: {} Hope it helps."])
def test_the_object_is_found_in_what_stands_around_it(wrap: str) -> None:
    draft = read_answer(wrap.replace("{}", json.dumps(GOOD)), given=("chk_1",), usage=Usage())

    assert draft.markdown == "Hello,\n\ntwo days."
    assert draft.category == "shipping_times"
    assert draft.evidence[0].ids == ("chk_1",)


def test_the_marks_are_read_from_the_body_not_from_what_the_model_says() -> None:
    draft = read_answer(json.dumps({"body": "It is [reviewer: the price]."}), given=(), usage=Usage())

    assert draft.placeholders == ("the price",)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        (json.dumps({"body": " "}), "empty"),
        (json.dumps(GOOD)[:-20], "cut"),
        ("I would rather not.", "invalid"),
        ("[1, 2]", "invalid"),
        (json.dumps({"body": 5}), "invalid"),
        (json.dumps({"text": "x"}), "invalid"),
        ("x" * 2_000_000, "too_large"),
        (json.dumps({"body": "x" * 150_000}), "too_large"),
    ],
)
def test_half_an_answer_is_a_failure(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_nothing_reaches_the_database_that_it_refuses() -> None:
    """Neither NUL nor a lone surrogate."""
    draft = read_answer('{"body": "a\\u0000b\\ud800c"}', given=(), usage=Usage())

    assert "\x00" not in draft.markdown
    draft.markdown.encode()


@given(st.text(max_size=300) | st.from_regex(r"\{.{0,60}body.{0,60}", fullmatch=True))
@settings(max_examples=150, deadline=None)
def test_any_words_are_a_draft_or_a_failure(text: str) -> None:
    with contextlib.suppress(DraftFailed):
        read(text)


def test_deep_nesting_is_a_failure_not_a_crash() -> None:
    assert kind_of('{"body": ' + "[" * 100_000) in {"invalid", "cut"}
