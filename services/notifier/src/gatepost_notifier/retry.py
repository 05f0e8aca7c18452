"""What an attempt's outcome means: done, later, never again, or an endpoint that wants no more.

A 2xx is success and nothing else is; a redirect is followed by nobody. `Retry-After` of 429 and 503 can only delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

GONE = 410
LONGEST_WAIT_S = 86_400.0
JITTER = 0.1


class Next(StrEnum):
    """What happens to the delivery."""

    DONE = "delivered"
    RETRY = "retry"
    FAILED = "failed"
    DISABLE = "disable"


@dataclass(frozen=True)
class Outcome:
    """What one attempt brought."""

    status: int | None = None  # none: no reply came
    error: str = ""
    excerpt: str = ""
    retry_after: str | None = None
    latency_ms: int = 0


@dataclass(frozen=True)
class Verdict:
    """What follows, and after how many seconds."""

    next: Next
    wait_s: float = 0.0


def judge(outcome: Outcome, *, attempt: int, delays_s: Sequence[float], at: datetime, luck: float) -> Verdict:
    """What follows from the outcome of the attempt-th try (1..). `luck` is a random number from 0 to 1."""
    if outcome.status is not None and 200 <= outcome.status < 300:
        return Verdict(Next.DONE)
    if outcome.status == GONE:
        return Verdict(Next.DISABLE)
    if attempt > len(delays_s):
        return Verdict(Next.FAILED)
    wait = delays_s[attempt - 1] * (1 + JITTER * (2 * luck - 1))
    if outcome.status in {429, 503} and outcome.retry_after:
        wait = max(wait, min(asked_wait(outcome.retry_after, at), LONGEST_WAIT_S))
    return Verdict(Next.RETRY, wait)


def asked_wait(value: str, at: datetime) -> float:
    """The seconds of a Retry-After header, which may be a date; 0 when it cannot be read."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - at).total_seconds())
