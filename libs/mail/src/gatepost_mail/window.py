"""Days and hours in which a mailbox sends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(
    r"^(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d)(?:\s+(?P<zone>\S+))?$",
    re.IGNORECASE,
)


class BadWindow(ValueError):
    """Not a send window."""


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Days and hours in which attempts are made; `Mon-Fri 08:00-18:00 Europe/Berlin`."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> SendWindow:
        """Raises BadWindow with what would be right."""
        found = _WINDOW.match(text.strip())
        example = "write it like Mon-Fri 08:00-18:00 Europe/Berlin"
        if not found:
            raise BadWindow(example)
        try:
            first = _DAYS.index(found["first"].lower())
            last = _DAYS.index((found["last"] or found["first"]).lower())
            start, end = time.fromisoformat(found["from"]), time.fromisoformat(found["to"])
            zone = ZoneInfo(found["zone"] or "UTC")
        except (ValueError, ZoneInfoNotFoundError, OSError):
            raise BadWindow(example) from None
        if start >= end:
            raise BadWindow("it must begin before it ends, on one day")
        return cls(frozenset((first + n) % 7 for n in range((last - first) % 7 + 1)), start, end, zone)

    def opens_in_s(self, now: datetime) -> float:
        """Zero while it is open, else seconds until it opens."""
        here = now.astimezone(self.zone)
        if here.weekday() in self.days and self.start <= here.time() < self.end:
            return 0.0
        for ahead in range(8):
            day = (here + timedelta(days=ahead)).date()
            opens = datetime.combine(day, self.start, self.zone)
            if day.weekday() in self.days and opens > here:
                return (opens - here).total_seconds()
        return 86_400.0
