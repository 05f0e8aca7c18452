"""When a mailbox may send, and how much."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_mail.window import BadWindow, SendWindow
from gatepost_sender.driver import Ended, Stage
from gatepost_sender.outcome import judge
from gatepost_sender.pace import LADDER, Bucket, Day, Rates, warmup_limit
from gatepost_sender.wire import Reply

MONDAY_9_UTC = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "wait_h"),
    [
        ("Mon-Fri 08:00-18:00", 0), ("Mon-Fri 09:00-18:00", 0), ("Mon-Fri 10:00-18:00", 1), ("Mon-Fri 06:00-09:00", 21),
        ("Tue 08:00-09:00", 23), ("Sat-Sun 09:00-10:00", 5 * 24), ("Fri-Mon 08:00-10:00", 0),
        ("Mon-Fri 10:00-18:00 Europe/Berlin", 0), ("Mon-Fri 03:00-04:00 America/New_York", 23),
        ("mon 08:00-08:30", 7 * 24 - 1),
    ],
)  # fmt: skip
def test_a_window_says_how_long_to_wait(window: str, wait_h: float) -> None:
    assert wait_h == SendWindow.parse(window).opens_in_s(MONDAY_9_UTC) / 3600


@pytest.mark.parametrize("text", ["", "always", "Mon 8-9", "Mon 09:00-08:00", "Mon 09:00-10:00 Nowhere/Town", "Mun 09:00-10:00", "Mon 09:00-25:00"])  # fmt: skip
def test_what_is_no_window_is_said(text: str) -> None:
    with pytest.raises(BadWindow):
        SendWindow.parse(text)


GOOD = Day(sent=20, decided=4, rejected=1)


@pytest.mark.parametrize(
    ("days", "limit"),
    [
        ([], LADDER[0]),
        ([GOOD] * 3, LADDER[3]),
        ([Day(0)] * 9, LADDER[0]),
        ([GOOD, Day(20, bounced=2)], LADDER[0]),
        ([GOOD] * 4 + [Day(400, complained=2)], LADDER[3]),
        ([GOOD] * 4 + [Day(20, decided=10, rejected=5)], LADDER[3]),
        ([Day(5, bounced=5)] * 3, LADDER[0]),
        ([GOOD] * len(LADDER), None),
    ],
)
def test_the_ladder_is_climbed_by_good_days(days: list[Day], limit: int | None) -> None:
    """Bounces, complaints and rejected drafts take a step back; a day without mail changes nothing."""
    assert limit == warmup_limit(days)


@given(
    st.lists(
        st.builds(Day, st.integers(0, 99), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
    )
)
def test_a_worse_day_never_allows_more(days: list[Day]) -> None:
    worse = [*days, Day(100, bounced=50)]

    assert (warmup_limit(worse) or 10**9) <= (warmup_limit(days) or 10**9)


def test_a_bucket_lets_so_many_through() -> None:
    bucket, now, gone = Bucket(60, 0.0), 0.0, 0
    for step in range(600):
        now = step / 10
        if bucket.wait_s(now) == 0:
            bucket.take()
            gone += 1

    assert 60 <= gone <= 60 + 6


def test_rates_by_destination() -> None:
    rates = Rates.parse("gmail.com=60, *.example=5, *=600")

    assert [60, 5, 600] == [rates.of(domain) for domain in ("gmail.com", "a.example", "b.test")]
    assert Rates().of("a.test") is None
    with pytest.raises(ValueError, match="minute"):
        Rates.parse("gmail.com")


@pytest.mark.parametrize(
    ("stage", "said", "is_grey"),
    [
        (Stage.RCPT, "450 4.2.0 <ada@x>: Greylisted, try again in 300 seconds", True),
        (Stage.RCPT, "451 4.7.1 Please try again later (graylist)", True),
        (Stage.DATA, "450 4.7.1 Grey-listing in action", True),
        (Stage.RCPT, "452 4.2.2 mailbox full", False),
        (Stage.GREETING, "421 greylisted", False),
        (Stage.RCPT, "550 5.7.1 greylisted for ever", False),
    ],
)
def test_greylisting_is_told_from_trouble(stage: Stage, said: str, is_grey: bool) -> None:
    assert is_grey is judge(Ended(stage, Reply(int(said[:3]), said[4:]))).is_greylisted
