"""How fast a mailbox and a destination are written to: rates, and the warm-up ladder. Pure.

A new address that suddenly sends much looks like an abuser, so a mailbox may climb a ladder: each day without trouble
allows the next step, a day with bounces, complaints or bad drafts takes one back. Greylisting is no trouble.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LADDER = (20, 50, 100, 200, 400, 800, 1_500, 3_000, 6_000, 12_000, 25_000, 50_000)
"""Attempts a day at each step of the warm-up; above it there is no limit."""
MOST_BOUNCED, MOST_COMPLAINED, MOST_REJECTED = 0.05, 0.003, 0.3


@dataclass(frozen=True, slots=True)
class Day:
    """What one day of a mailbox brought; greylisted attempts are not among these."""

    sent: int
    bounced: int = 0
    complained: int = 0
    decided: int = 0
    rejected: int = 0

    @property
    def is_good(self) -> bool:
        """Something was sent, and few minded."""
        return (
            self.sent > 0
            and self.bounced <= self.sent * MOST_BOUNCED
            and self.complained <= self.sent * MOST_COMPLAINED
            and self.rejected <= self.decided * MOST_REJECTED
        )


def warmup_limit(days: Sequence[Day]) -> int | None:
    """Attempts allowed today, after these days, the oldest first; None: the ladder is climbed."""
    step = 0
    for day in days:
        if day.is_good:
            step += 1
        elif day.sent:
            step = max(0, step - 1)
        if step >= len(LADDER):
            return None
    return LADDER[step]


class Bucket:
    """So many a minute, with a burst of a tenth of it."""

    __slots__ = ("_at", "_left", "_most", "_per_s")

    def __init__(self, per_minute: float, now: float) -> None:
        self._per_s = per_minute / 60
        self._most = max(1.0, per_minute / 10)
        self._left, self._at = self._most, now

    def wait_s(self, now: float) -> float:
        """Zero: one may go now."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return 0.0 if self._left >= 1 else (1 - self._left) / self._per_s

    def take(self) -> None:
        """One goes."""
        self._left -= 1


@dataclass(frozen=True, slots=True)
class Rates:
    """Mails a minute by destination: `gmail.com=60, *=600`; the first that fits."""

    rules: tuple[tuple[str, float], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Rates:
        """Raises ValueError."""
        rules = []
        for part in filter(None, (p.strip() for p in text.split(","))):
            domain, mark, number = part.partition("=")
            if not mark or not domain.strip() or not re.fullmatch(r"\d+(\.\d+)?", number.strip()) or float(number) <= 0:
                raise ValueError(f"not domain=mails a minute: {part!r}")
            rules.append((domain.strip().lower(), float(number)))
        return cls(tuple(rules))

    def of(self, domain: str) -> float | None:
        """Its rate, if it has one."""
        for pattern, rate in self.rules:
            if pattern in {"*", domain} or (pattern.startswith("*.") and domain.endswith(pattern[1:])):
                return rate
        return None
