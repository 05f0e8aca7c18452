"""Whether an endpoint that keeps failing is tried at all: after many failures in a row only one probe now and then.

What waits keeps its attempts meanwhile, so an endpoint that is down for a day costs a few hundred probes instead of the
attempts of everything that waits for it, and gets it all when it is back. Each process counts by itself; that an endpoint
rests, and until when, stands in its row, so another replica or one that was just started only probes it, too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class _Line:
    failures: int = 0
    opened: int = 0
    until: float = 0.0


class Breaker:
    """One line per endpoint. Times are seconds of any clock that only grows."""

    def __init__(self, *, threshold: int, pause_s: float, longest_s: float) -> None:
        self._threshold, self._pause_s, self._longest_s = threshold, pause_s, longest_s
        self._lines: dict[str, _Line] = {}

    def places(self, endpoint: str, *, busy: int, most: int, now: float, is_resting: bool = False) -> int:
        """How many attempts may begin: as many as there is room for, one probe, or none. Its row says `is_resting`."""
        if not (is_resting or self.is_open(endpoint)):
            return max(0, most - busy)
        line = self._lines.get(endpoint)
        return 1 if (line is None or now >= line.until) and not busy else 0

    def succeeded(self, endpoint: str) -> None:
        """It works: forget everything."""
        self._lines.pop(endpoint, None)

    def failed(self, endpoint: str, now: float, *, is_resting: bool = False) -> float | None:
        """One more in a row; from the threshold on the next probe is twice as far away each time. Seconds to a new probe."""
        line = self._lines.setdefault(endpoint, _Line())
        line.failures = max(line.failures + 1, self._threshold if is_resting else 0)
        if line.failures < self._threshold or now < line.until:
            return None
        pause_s = min(self._longest_s, self._pause_s * 2.0 ** min(line.opened, 30))
        line.until, line.opened = now + pause_s, line.opened + 1
        return pause_s

    def is_open(self, endpoint: str) -> bool:
        """True while it is only probed."""
        line = self._lines.get(endpoint)
        return line is not None and line.failures >= self._threshold
