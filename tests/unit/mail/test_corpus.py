"""The project's own collection of mails: what was said, what a report means, what is a wish, what is a machine's."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost_mail.dsn import is_opt_out, read_report
from gatepost_mail.parse import parse
from gatepost_mail.quote import reply_text
from support.corpus import bounces, mails, replies, yes_and_no

REPLIES, BOUNCES, MAILS = replies(), bounces(), mails()
WISHES, NO_WISHES = yes_and_no("optouts.txt")
MACHINES, PEOPLE = yes_and_no("automatic.txt")


@pytest.mark.parametrize(("whole", "said"), [case[1:] for case in REPLIES], ids=[case[0] for case in REPLIES])
def test_what_was_said_now(whole: str, said: str) -> None:
    assert reply_text(whole) == said


@pytest.mark.parametrize(("raw", "expected"), [case[1:] for case in MAILS], ids=[case[0] for case in MAILS])
def test_what_is_read_from_a_mail(raw: bytes, expected: dict[str, Any]) -> None:
    read = parse(raw)
    said = vars(read) | {
        "to": [a.addr for a in read.to],
        "cc": [a.addr for a in read.cc],
        "attachments": [[a.name, a.content_type, a.size] for a in read.attachments],
    }

    found = {name: list(said[name]) if isinstance(said[name], tuple) else said[name] for name in expected}
    assert found == expected


@pytest.mark.parametrize(("raw", "expected"), [case[1:] for case in BOUNCES], ids=[case[0] for case in BOUNCES])
def test_what_a_report_means(raw: bytes, expected: tuple[str | None, ...]) -> None:
    found = read_report(raw, parse(raw))
    if found is None:
        assert expected == (None,) * 5
        return

    assert (found.kind, found.action, found.status, found.severity, found.recipient) == expected
    if "report in the standard form" in raw.decode():
        assert found.rfc_message_ids[0] == "<ours@demo.test>"


@pytest.mark.parametrize("words", WISHES)
def test_a_wish_to_be_left_alone_is_understood(words: str) -> None:
    mail = f"From: a@b.c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n\r\nOn Mon, Jan 5, 2026 at 9:00 S <s@x.y> wrote:\r\n> hi"

    assert is_opt_out(parse(mail.encode()))
    assert is_opt_out(parse(f"From: a@b.c\r\nSubject: {words}\r\n\r\n".encode()))


@pytest.mark.parametrize("words", NO_WISHES)
def test_other_words_are_no_wish(words: str) -> None:
    assert not is_opt_out(parse(f"From: a@b.c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n".encode()))


@pytest.mark.parametrize("line", MACHINES)
def test_what_a_machine_wrote_is_known(line: str) -> None:
    reason, _, header = line.partition(" | ")
    sender = "" if header.startswith("From:") else "From: Ada <ada@c.example>\r\n"

    assert reason in parse(f"{sender}{header}\r\n\r\nwords".encode()).automatic


@pytest.mark.parametrize("header", PEOPLE)
def test_what_a_person_wrote_may_be_answered(header: str) -> None:
    sender = "" if header.startswith("From:") else "From: Ada <ada@c.example>\r\n"

    assert parse(f"{sender}{header}\r\n\r\nwords".encode()).automatic == ()
