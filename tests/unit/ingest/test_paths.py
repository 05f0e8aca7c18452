"""Addresses of the envelope, and line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_ingest.arrived import Arrived, Mailbox, Recipient
from gatepost_ingest.paths import is_address, one_line_end, read_path, without_tag


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("<ada@c.example>", ("ada@c.example", "")),
        ("<ada@c.example> SIZE=10 BODY=8BITMIME", ("ada@c.example", "SIZE=10 BODY=8BITMIME")),
        ("ada@c.example SIZE=10", ("ada@c.example", "SIZE=10")),
        ("<>", ("<>", "")),
        ("<> SIZE=3", ("<>", "SIZE=3")),
        ("<@a.example,@b.example:ada@c.example>", ("ada@c.example", "")),
        ('<"a b"@c.example>', ('"a b"@c.example', "")),
        ("<ada+thr_1.tok@c.example>", ("ada+thr_1.tok@c.example", "")),
        ("<a@[127.0.0.1]>", ("a@[127.0.0.1]", "")),
        ("<ada@c.example>x", (None, None)),
        ("<ada>", (None, None)),
        ("<a\x00b@c.example>", (None, None)),
        ("<ä@c.example>", (None, None)),
        ("<a\udce4@c.example>", (None, None)),
        ("<a b@c.example>", (None, None)),
        ("<" + "a" * 65 + "@c.example>", (None, None)),
        ("<a@" + "b." * 127 + "example>", (None, None)),
        ("<a@-c.example>", (None, None)),
        ("<a@c..example>", (None, None)),
        ("<.a@c.example>", (None, None)),
        ("<a@b@c.example>", (None, None)),
        ("", ("", "")),
    ],
)
def test_a_path_is_an_address_or_nothing(argument: str, expected: tuple[str | None, str | None]) -> None:
    assert read_path(argument) == expected


@given(st.text(max_size=80))
def test_no_path_raises(argument: str) -> None:
    address, _ = read_path(argument)

    assert address in {None, "", "<>"} or is_address(str(address))


@pytest.mark.parametrize("raw", [b"a\nb", b"a\rb", b"a\r\r\nb", b"a\n\r\nb", b"a\r", b"\nb", b"a\n.\nb", b"a\r.\rb"])
def test_no_bare_line_end_stays(raw: bytes) -> None:
    """What another server could take for an end of data is a whole line end afterwards."""
    whole, had = one_line_end(raw)

    assert had
    assert whole.replace(b"\r\n", b"") == raw.replace(b"\r", b"").replace(b"\n", b"")
    assert whole.count(b"\r") == whole.count(b"\n") == whole.count(b"\r\n")


def test_clean_mail_is_not_touched() -> None:
    """Its digest must be the sender's."""
    raw = b"A: b\r\n\r\nc\r\n"

    assert one_line_end(raw) == (raw, False)


def test_several_addresses_of_one_mailbox_are_one_mail() -> None:
    """The one with a tag counts: it says which thread."""
    from datetime import UTC, datetime

    box, other = Mailbox("m1", "t", "a@x", "gated_send", 9), Mailbox("m2", "t", "b@x", "gated_send", 9)
    recipients = (Recipient("a@x", box), Recipient("a+tag@x", box), Recipient("b@x", other))
    mail = Arrived(b"", "", recipients, False, "", "", False, datetime.now(UTC))

    assert [r.address for r in mail.by_mailbox()] == ["a+tag@x", "b@x"]
    assert without_tag("a+tag@x") == "a@x"
