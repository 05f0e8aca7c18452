"""When a webhook is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gatepost_notifier.retry import Next, Outcome, asked_wait, judge
from gatepost_notifier.settings import NotifierSettings

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DELAYS = NotifierSettings().retry_delays_s


def follows(status: int | None, attempt: int = 1, after: str | None = None) -> tuple[Next, float]:
    verdict = judge(Outcome(status, retry_after=after), attempt=attempt, delays_s=DELAYS, at=NOW, luck=0.5)
    return verdict.next, verdict.wait_s


def test_eight_attempts_over_about_a_day() -> None:
    """Now, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h."""
    assert [follows(500, n)[1] for n in range(1, 8)] == [5, 300, 1800, 7200, 18000, 36000, 36000]
    assert follows(500, 8) == (Next.FAILED, 0.0)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503, None])
def test_nothing_but_2xx_is_success(status: int | None) -> None:
    """A redirect is a failure too."""
    assert follows(status)[0] == Next.RETRY


def test_gone_disables() -> None:
    """The receiver says that it never wants to hear again."""
    assert follows(410)[0] == Next.DISABLE


def test_retry_after_can_only_delay() -> None:
    """A receiver that asks for less than our own delay does not get more load."""
    assert follows(503, 1, "120")[1] == 120
    assert follows(429, 2, "1")[1] == 300
    assert follows(500, 1, "120")[1] == 5


@pytest.mark.parametrize(
    ("value", "expected"), [("Tue, 24 Nov 2026 12:01:00 GMT", 60), ("soon", 0), ("-5", 0), ("", 0)]
)
def test_retry_after_may_be_a_date(value: str, expected: float) -> None:
    """RFC 9110 10.2.3; nonsense is no wish."""
    assert expected == asked_wait(value, NOW)
