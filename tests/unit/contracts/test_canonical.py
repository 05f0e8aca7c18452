"""One value has one spelling, and so one digest."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gatepost_contracts.canonical import canonical, sha256_hex

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def test_the_spelling_is_fixed() -> None:
    """What others must reproduce in another language."""
    assert canonical({"b": {"d": True, "c": None}, "a": [1, "é"]}) == '{"a":[1,"é"],"b":{"c":null,"d":true}}'


def test_the_digest_is_of_utf8() -> None:
    """A known value (FIPS 180-4's "abc")."""
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" == sha256_hex("abc") == sha256_hex(b"abc")


@given(VALUES)
def test_it_says_the_same_value_again(value: object) -> None:
    """Reading and spelling once more changes nothing."""
    text = canonical(value)

    assert value == json.loads(text)
    assert text == canonical(json.loads(text))
