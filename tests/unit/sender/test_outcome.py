"""What each end of an attempt means."""

from __future__ import annotations

import pytest

from gatepost_sender.driver import Ended, Stage
from gatepost_sender.outcome import Verdict, judge, next_delay_s, redact
from gatepost_sender.wire import Reply

D, F, B, U = Verdict.DELIVERED, Verdict.DEFERRED, Verdict.BOUNCED, Verdict.UNCERTAIN

TABLE = [
    # stage          dot    reply                                           verdict  hard
    (Stage.DOT,      True,  "250 2.0.0 ok",                                 D, False),
    (Stage.DOT,      True,  "251 forwarded",                                D, False),
    (Stage.DOT,      True,  None,                                           U, False),
    (Stage.DOT,      True,  "354 more",                                     U, False),
    (Stage.DOT,      True,  "451 4.3.0 later",                              F, False),
    (Stage.DOT,      True,  "554 5.7.1 looks like spam",                    B, False),
    (Stage.DOT,      True,  "550 5.1.1 no such user",                       B, True),
    (Stage.DATA,     False, None,                                           F, False),
    (Stage.DATA,     False, "552 5.3.4 too big",                            B, False),
    (Stage.DATA,     False, "250 what",                                     F, False),
    (Stage.RCPT,     False, "550 5.1.1 user unknown",                       B, True),
    (Stage.RCPT,     False, "550 5.1.10 null mx",                           B, True),
    (Stage.RCPT,     False, "550 5.0.0 User unknown",                       B, True),
    (Stage.RCPT,     False, "550 No such user here",                        B, True),
    (Stage.RCPT,     False, "550 mailbox unavailable",                      B, True),
    (Stage.RCPT,     False, "550 5.0.0 rejected",                           B, False),
    (Stage.RCPT,     False, "550 5.7.1 user unknown to our policy",         B, False),
    (Stage.RCPT,     False, "552 5.2.2 mailbox full",                       B, False),
    (Stage.RCPT,     False, "550 5.1.8 bad sender's system address",        B, False),
    (Stage.RCPT,     False, "450 4.1.1 user unknown",                       F, False),
    (Stage.RCPT,     False, "451 4.7.1 greylisted",                         F, False),
    (Stage.RCPT,     False, "421 4.3.2 going down",                         F, False),
    (Stage.RCPT,     False, None,                                           F, False),
    (Stage.MAIL,     False, "550 5.7.1 you are not welcome",                B, False),
    (Stage.MAIL,     False, "550 user unknown",                             B, False),
    (Stage.MAIL,     False, None,                                           F, False),
    (Stage.AUTH,     False, "535 5.7.8 wrong password",                     F, False),
    (Stage.TLS,      False, "554 5.7.3 no tls today",                       F, False),
    (Stage.EHLO,     False, "550 who are you",                              F, False),
    (Stage.GREETING, False, "554 no smtp here",                             F, False),
    (Stage.CONNECT,  False, None,                                           F, False),
    (Stage.QUEUE,    False, "556 5.1.10 the domain takes no mail",          B, True),
    (Stage.QUEUE,    False, "550 5.4.4 the domain does not exist",          B, False),
    (Stage.QUEUE,    False, None,                                           F, False),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "dot", "said", "verdict", "is_hard"), TABLE)
def test_the_outcome_table(stage: Stage, dot: bool, said: str | None, verdict: Verdict, is_hard: bool) -> None:
    reply = Reply(int(said[:3]), said[4:]) if said else None

    outcome = judge(Ended(stage, reply, "lost", dot))

    assert (verdict, is_hard) == (outcome.verdict, outcome.is_hard)
    assert {D: "T28", F: "T29", B: "T30", U: "T31"}[verdict] == outcome.row


def test_only_after_the_dot_something_can_be_unknown() -> None:
    for stage in Stage:
        assert not Ended(stage, None, "lost").is_unknown


def test_an_enhanced_status_of_another_class_is_not_believed() -> None:
    assert Reply(550, "4.1.1 odd").enhanced is None
    assert Reply(550, "5.1.1 fine").enhanced == "5.1.1"
    assert Reply(550, "5.1.1").enhanced == "5.1.1"
    assert Reply(550, "no status").enhanced is None


def test_delays_grow_stay_and_spread() -> None:
    delays = (60, 300, 900)

    assert [60, 300, 900, 900] == [next_delay_s(n, delays, 0.5) for n in (1, 2, 3, 9)]
    assert next_delay_s(1, delays, 0) == pytest.approx(48)
    assert next_delay_s(1, delays, 1) == pytest.approx(72)


def test_words_hold_no_addresses_and_no_control_characters() -> None:
    told = redact("5.1.1 <ada@there.test>: user\r\n\x00unknown " + "x" * 1000)

    assert "ada" not in told
    assert "\n" not in told
    assert len(told) <= 300


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2.0.0 Ok: queued as 4Zk9Yx1Q", "4Zk9Yx1Q"),
        ("OK id=1tFb2q-0001xy-2B", "1tFb2q-0001xy-2B"),
        ("2.0.0 fine", None),
    ],
)
def test_the_queue_id_is_found(text: str, found: str | None) -> None:
    assert found == judge(Ended(Stage.DOT, Reply(250, text), is_dot_written=True)).remote_id
