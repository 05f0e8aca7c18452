"""Whether an endpoint that keeps failing is tried at all: after many failures in a row only one probe now and then.

What waits keeps its attempts meanwhile, so an endpoint that is down for a day costs a few hundred probes instead of the
attempts of everything that waits for it, and gets it all when it is back. In memory: another replica learns it again.
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

    def places(self, endpoint: str, *, busy: int, most: int, now: float) -> int:
        """How many attempts may begin: as many as there is room for, one probe, or none."""
        line = self._lines.get(endpoint)
        if line is None or line.failures < self._threshold:
            return max(0, most - busy)
        return 1 if now >= line.until and not busy else 0

    def succeeded(self, endpoint: str) -> None:
        """It works: forget everything."""
        self._lines.pop(endpoint, None)

    def failed(self, endpoint: str, now: float) -> None:
        """One more in a row; from the threshold on the next probe is twice as far away each time."""
        line = self._lines.setdefault(endpoint, _Line())
        line.failures += 1
        if line.failures >= self._threshold and now >= line.until:
            line.until = now + min(self._longest_s, self._pause_s * 2.0 ** min(line.opened, 30))
            line.opened += 1

    def is_open(self, endpoint: str) -> bool:
        """True while it is only probed."""
        line = self._lines.get(endpoint)
        return line is not None and line.failures >= self._threshold
