"""What no server is given."""

from __future__ import annotations

import pytest

from gatepost_sender.envelope import Envelope, unfit, xtext

GOOD = b"Subject: hi\r\n\r\nhi\r\n"


@pytest.mark.parametrize(
    ("sender", "recipient", "content", "word"),
    [
        ("us@here.test", "ada@there.test", GOOD, None),
        ("", "ada@there.test", GOOD, None),
        ("us@here.test", "ada@there.test", GOOD + b"x" * 998 + b"\r\n", None),
        ("us@here.test", "ada@there.test", GOOD + b"x" * 999 + b"\r\n", "line"),
        ("us@here.test", "ada@there.test", GOOD + b"a\nb\r\n", "line"),
        ("us@here.test", "ada@there.test", GOOD + b"a\rb\r\n", "line"),
        ("us@here.test", "ada@there.test", GOOD + b"\n\r", "line"),
        ("us@here.test", "ada@there.test> SIZE=1", GOOD, "address"),
        ("us@here.test", "ada@there.test\r\nRCPT TO:<x@y.z", GOOD, "address"),
        ("u s@here.test", "ada@there.test", GOOD, "address"),
    ],
)
def test_it_is_looked_at_before_any_connection(sender: str, recipient: str, content: bytes, word: str | None) -> None:
    said = unfit(Envelope(sender, (recipient,), content))

    assert (word is None) is (said is None)
    assert said is None or word in said


def test_a_parameter_holds_no_blank_and_no_sign_of_its_own() -> None:
    """RFC 3461 4."""
    assert "a+2Bb+3Dc+20d" == xtext("a+b=c d")
